//! Connections that close, stall or break off, served by hand.

use std::future::Future;

use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that does with each connection, counted from 1, what it is told.
async fn serve<F, W>(each: F) -> Transport
where
    F: Fn(u32, TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 1.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(each(number, stream));
        }
    });
    Transport::new(&endpoint).unwrap()
}

/// Reads a request; none, if the client closes.
async fn request(stream: &mut TcpStream) -> Option<()> {
    let mut request = vec![0; 4096];
    stream.read(&mut request).await.ok().filter(|n| *n > 0).map(drop)
}

async fn answer(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Closes with a reset instead of an orderly end.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

async fn send(transport: &Transport) -> Result<(u16, Bytes), Fault> {
    let request = Request::get("/path?query").body(Bytes::new()).unwrap();
    let response = tokio::time::timeout(Duration::from_secs(20), transport.send(request)).await;
    let response = response.expect("a response or a fault, and no hang")?;
    Ok((response.status().as_u16(), response.into_body()))
}

/// Lets the runtime learn what the system knows of its sockets.
async fn events() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn one_connection_serves_one_request_after_another() {
    let (connected, mut connections) = mpsc::unbounded_channel();
    let transport = serve(move |number, mut stream| {
        connected.send(number).unwrap();
        async move {
            while request(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        }
    })
    .await;
    for _ in 0..5 {
        assert_eq!(send(&transport).await.unwrap(), (200, Bytes::from_static(b"ok")));
    }
    connections.close();
    assert_eq!((connections.recv().await, connections.recv().await), (Some(1), None));
}

/// Tokio makes a task wait once it has done much in one go. Wherever its requests are then, they go on.
#[tokio::test]
async fn a_task_may_have_many_long_responses_at_a_time() {
    const BODY: usize = 100_000;
    let transport = serve(|_, mut stream| async move {
        let response =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n{}", "x".repeat(BODY));
        while request(&mut stream).await.is_some() {
            answer(&mut stream, &response).await;
        }
    })
    .await;
    let requests = (0..500).map(|_| send(&transport));
    let mut responses = futures::stream::iter(requests).buffer_unordered(32);
    let reading = async {
        while let Some(response) = responses.next().await {
            assert_eq!(response.unwrap().1.len(), BODY);
        }
    };
    tokio::time::timeout(Duration::from_secs(15), reading).await.expect("none is forgotten");
}

/// The moment between taking a connection and sending: hyper ends it without a word about the request.
#[tokio::test]
async fn a_connection_that_closes_just_before_a_request_is_replaced() {
    let (close, closing) = tokio::sync::watch::channel(false);
    let transport = serve(move |_, mut stream| {
        let mut closing = closing.clone();
        async move {
            request(&mut stream).await;
            answer(&mut stream, OK).await;
            closing.wait_for(|close| *close).await.unwrap();
        }
    })
    .await;
    send(&transport).await.unwrap();
    let mut taken = transport.idle.take().expect("the connection is kept");
    close.send(true).unwrap();
    events().await;
    let request = || Request::get("/").body(Pieces::new(Bytes::new())).unwrap();
    let exchanged = tokio::time::timeout(Duration::from_secs(5), taken.exchange(request())).await;
    let mut failed = exchanged.expect("it ends at once").unwrap_err();
    assert!(failed.take_message().is_some(), "the request comes back");
    assert!(!taken.is_ready());
    // And so it goes over another one.
    assert_eq!(send(&transport).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_connection_that_closed_while_idle_is_not_used() {
    let transport = serve(|_, mut stream| async move {
        request(&mut stream).await;
        answer(&mut stream, OK).await;
    })
    .await;
    for _ in 0..3 {
        assert_eq!(send(&transport).await.unwrap().0, 200);
        events().await;
    }
}

/// Closed or reset: the kind is the same, and only a reused connection can have been idle.
#[tokio::test]
async fn a_lost_connection_is_idle_only_if_it_was_reused() {
    for orderly in [true, false] {
        let lose = move |stream: TcpStream| if orderly { drop(stream) } else { reset(stream) };
        let transport = serve(move |_, mut stream| async move {
            request(&mut stream).await;
            lose(stream);
        })
        .await;
        let fault = send(&transport).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Closed, "orderly {orderly}: {fault}");
        let transport = serve(move |_, mut stream| async move {
            request(&mut stream).await;
            answer(&mut stream, OK).await;
            request(&mut stream).await;
            lose(stream);
        })
        .await;
        send(&transport).await.unwrap();
        let fault = send(&transport).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Idle, "orderly {orderly}: {fault}");
    }
}

#[tokio::test]
async fn bodies_of_every_framing_are_read_to_their_end() {
    for (text, again) in [
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
            true,
        ),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", false),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok", false),
        ("HTTP/1.0 200 OK\r\n\r\nok", false),
    ] {
        let transport = serve(move |_, mut stream| async move {
            while request(&mut stream).await.is_some() {
                answer(&mut stream, text).await;
                if !again {
                    return;
                }
            }
        })
        .await;
        for _ in 0..3 {
            assert_eq!(send(&transport).await.unwrap(), (200, Bytes::from_static(b"ok")), "{text}");
        }
    }
}

#[tokio::test]
async fn a_response_that_breaks_off_is_cut_off() {
    let transport = serve(|_, mut stream| async move {
        request(&mut stream).await;
        answer(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok").await;
    })
    .await;
    assert_eq!(send(&transport).await.unwrap_err().kind, FaultKind::CutOff);
}

/// The status is known: nobody waits long for the rest, or fails for want of it.
#[tokio::test]
async fn a_refusal_counts_without_its_explanation() {
    for stalls in [true, false] {
        let transport = serve(move |_, mut stream| async move {
            request(&mut stream).await;
            answer(&mut stream, "HTTP/1.1 503 no\r\ncontent-length: 20\r\n\r\nno").await;
            if stalls {
                std::future::pending::<()>().await;
            }
        })
        .await;
        assert_eq!(send(&transport).await.unwrap(), (503, Bytes::new()), "stalls {stalls}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_unparsable() {
    let transport = serve(|_, mut stream| async move {
        request(&mut stream).await;
        answer(&mut stream, "SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    })
    .await;
    assert_eq!(send(&transport).await.unwrap_err().kind, FaultKind::Unparsable);
}

/// What lies between may have forgotten it.
#[tokio::test]
async fn a_connection_that_was_idle_for_long_is_not_used() {
    let transport = serve(|_, mut stream| async move {
        while request(&mut stream).await.is_some() {
            answer(&mut stream, OK).await;
        }
    })
    .await;
    send(&transport).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(59)).await;
    let connection = transport.idle.take().expect("it is still there");
    transport.idle.give_back(connection);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(transport.idle.take().is_none());
}

#[tokio::test]
async fn nobody_there_is_a_fault_of_connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let fault = send(&Transport::new(&endpoint).unwrap()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Connect, "{fault}");
    for endpoint in ["", "nonsense", "http://", "data:text/plain,x"] {
        assert!(Transport::new(endpoint).is_err(), "{endpoint}");
    }
}
