//! What lies between the program and the service: connections that close, a proxy, TLS.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::Response;
use axum::http::request::Parts;
use idx2gcs_emulator::Options;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::support::{Desk, Ran, Server, Set};

/// A server for one test, and a runtime for what stands before it.
struct Behind {
    server: Server,
    runtime: tokio::runtime::Runtime,
}

impl Behind {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Self { server: Server::new(), runtime }
    }

    /// Listens, and lets `each` do with every connection what it likes; returns the port.
    fn front<F, W>(&self, each: F) -> u16
    where
        F: Fn(TcpStream, TcpStream) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let behind = self.server.emulator().addr();
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        self.runtime.spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(behind).await.unwrap();
                tokio::spawn(each(client, server));
            }
        });
        port
    }
}

impl Behind {
    /// A server that passes each request on under the path that `path` gives it; returns its URL.
    fn passing_on<F>(&self, path: F) -> String
    where
        F: Fn(&Parts) -> String + Clone + Send + Sync + 'static,
    {
        let to = self.server.url();
        // The first of this process wins; either serves.
        let _ = ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let pass = move |request: Request| {
            let (client, to, path) = (client.clone(), to.clone(), path.clone());
            async move {
                let (mut head, body) = request.into_parts();
                // The emulator refuses names that are not loopback's.
                head.headers.remove("host");
                let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                let url = format!("{to}{}", path(&head));
                let request = client.request(head.method, url).headers(head.headers).body(body);
                let answer = request.send().await.unwrap();
                let (status, bytes) = (answer.status(), answer.bytes().await.unwrap());
                Response::builder().status(status).body(Body::from(bytes)).unwrap()
            }
        };
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = axum::serve(listener, Router::new().fallback(pass));
        self.runtime.spawn(async move { serve.await });
        url
    }
}

fn load(desk: &Desk, set: &Set, endpoint: &str, more: &[&str]) -> Ran {
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
    desk.run(&[&args[..], &["--endpoint", endpoint], more].concat())
}

/// Passes bytes on until the server has answered one upload, and closes then, without a word.
async fn one_upload(mut client: TcpStream, mut server: TcpStream) {
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut upload = false;
    loop {
        tokio::select! {
            n = client.read(&mut up) => match n {
                Ok(n @ 1..) => {
                    upload |= up[..n].starts_with(b"POST ");
                    server.write_all(&up[..n]).await.unwrap();
                }
                _ => return,
            },
            n = server.read(&mut down) => match n {
                Ok(n @ 1..) => {
                    client.write_all(&down[..n]).await.unwrap();
                    // Answers to uploads are small: they come in one piece.
                    if upload {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}

#[test]
fn a_connection_that_closed_while_idle_is_no_failed_attempt() {
    let (desk, set, behind) = (Desk::new(), Set::new(30, 5), Behind::new());
    let desk = desk.env("IDX2GCS_RETRY_MAX_ATTEMPTS", "1");
    let port = behind.front(one_upload);
    let endpoint = format!("http://127.0.0.1:{port}");
    load(&desk, &set, &endpoint, &["--concurrency", "1"]).expect(0);
    assert_eq!(desk.summary()["uploaded"], 35);
    assert_eq!(behind.server.images().len(), 35);
    assert_eq!(behind.server.emulator().counters().overwrites, 0);
}

/// A proxy that takes requests with whole addresses, for hosts of any name.
#[test]
fn a_proxy_is_used_where_there_is_one() {
    let (set, behind) = (Set::new(30, 5), Behind::new());
    let uploads = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&uploads);
    let proxy = behind.passing_on(move |head| {
        assert_eq!(head.uri.host(), Some("storage.test"));
        counted.fetch_add(u32::from(head.method == "POST"), Ordering::Relaxed);
        head.uri.path_and_query().unwrap().to_string()
    });

    // Each time with another quality, so that all objects are written again.
    for (variable, quality) in [("HTTP_PROXY", "60"), ("http_proxy", "61"), ("ALL_PROXY", "62")] {
        let before = behind.server.emulator().counters().inserts;
        let desk = Desk::new().env(variable, &proxy);
        let more = ["--allow-http", "--if-exists", "overwrite", "--quality", quality];
        load(&desk, &set, "http://storage.test:4443", &more).expect(0);
        let inserts = behind.server.emulator().counters().inserts;
        assert!(inserts >= before + 35, "{variable}");
        assert_eq!(u64::from(uploads.load(Ordering::Relaxed)), inserts, "{variable}");
        // What is on this machine needs none.
        let nowhere = Desk::new().env(variable, "http://127.0.0.1:1");
        nowhere.load(&set, &Server::new(), &[]).expect(0);
    }

    // An empty variable hides nothing.
    let desk = Desk::new().env("HTTP_PROXY", "").env("http_proxy", &proxy);
    let before = uploads.load(Ordering::Relaxed);
    let more = ["--allow-http", "--if-exists", "overwrite", "--quality", "63"];
    load(&desk, &set, "http://storage.test:4443", &more).expect(0);
    assert!(uploads.load(Ordering::Relaxed) >= before + 35);
    let desk = desk.env("NO_PROXY", "").env("no_proxy", "storage.test");
    load(&desk, &set, "http://storage.test:4443", &more).expect(4);
}

/// A gateway serves the storage below a path of its own.
#[test]
fn an_endpoint_may_have_a_path() {
    let (set, behind) = (Set::new(30, 5), Behind::new());
    let url = behind.passing_on(|head| {
        let path = head.uri.path_and_query().unwrap().as_str();
        path.strip_prefix("/storage-of/mine").expect(path).to_owned()
    });
    for (end, quality) in [("", "60"), ("/", "61")] {
        let (desk, endpoint) = (Desk::new(), format!("{url}/storage-of/mine{end}"));
        let more = ["--if-exists", "overwrite", "--quality", quality];
        load(&desk, &set, &endpoint, &more).expect(0);
        assert_eq!(desk.summary()["uploaded"], 35, "{endpoint}");
        let source = set.path().to_str().unwrap();
        let args = ["verify", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
        let args = [&args[..], &["--endpoint", &endpoint, "--quality", quality]].concat();
        desk.run(&args).expect(0);
    }
}

/// A server's certificate for a name, and what a server does TLS with.
fn certificate(name: &str) -> (String, TlsAcceptor) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (cert.pem(), TlsAcceptor::from(Arc::new(config)))
}

/// Passes on what comes under TLS. A client that does not trust the certificate leaves.
async fn unwrap_tls(acceptor: TlsAcceptor, client: TcpStream, mut server: TcpStream) {
    if let Ok(mut client) = acceptor.accept(client).await {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }
}

/// A desk that trusts a certificate.
fn trusting(pem: &str) -> Desk {
    let desk = Desk::new();
    let path = desk.path("ca.pem");
    std::fs::write(&path, pem).unwrap();
    desk.env("SSL_CERT_FILE", path.to_str().unwrap())
}

#[test]
fn uploads_under_tls() {
    let (set, behind) = (Set::new(30, 5), Behind::new());
    let (pem, acceptor) = certificate("localhost");
    let port = behind.front(move |client, server| unwrap_tls(acceptor.clone(), client, server));
    let endpoint = format!("https://localhost:{port}");

    let desk = trusting(&pem);
    load(&desk, &set, &endpoint, &[]).expect(0);
    assert_eq!(desk.summary()["uploaded"], 35);
    assert_eq!(behind.server.images().len(), 35);

    let ran = load(&Desk::new(), &set, &endpoint, &[]).expect(4);
    assert!(ran.error().contains("certificate"), "{ran:?}");
}

/// Reads the head of a request, byte by byte, so that what follows it is left.
async fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A service under TLS behind a proxy that sees nothing but where to, and wants to know from whom.
#[test]
fn a_tunnel_through_a_proxy_carries_tls() {
    // The emulator is known by another name than its own.
    let server = Server::start(Options { allow_remote: true, ..Options::default() });
    let (set, behind) = (Set::new(30, 5), Behind { server, ..Behind::new() });
    let (pem, acceptor) = certificate("storage.test");
    let port = behind.front(move |mut client, server| {
        let acceptor = acceptor.clone();
        async move {
            let head = head(&mut client).await;
            assert!(head.starts_with("CONNECT storage.test:443 HTTP/1.1\r\n"), "{head}");
            // "user:secret".
            if !head.to_lowercase().contains("proxy-authorization: basic dxnlcjpzzwnyzxq=\r\n") {
                let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
                return client.write_all(refusal).await.unwrap();
            }
            client.write_all(b"HTTP/1.1 200 Established\r\n\r\n").await.unwrap();
            unwrap_tls(acceptor, client, server).await;
        }
    });
    let endpoint = "https://storage.test";
    let desk = trusting(&pem).env("HTTPS_PROXY", &format!("http://user:secret@127.0.0.1:{port}"));
    let ran = load(&desk, &set, endpoint, &[]).expect(0);
    assert!(!format!("{ran:?}").contains("secret"), "{ran:?}");
    assert_eq!(behind.server.images().len(), 35);

    let desk = trusting(&pem).env("HTTPS_PROXY", &format!("http://127.0.0.1:{port}"));
    let ran = load(&desk, &set, endpoint, &[]).expect(4);
    let expected = format!("through the proxy 127.0.0.1:{port}: ");
    assert!(ran.error().contains(&expected), "{ran:?}");
    assert!(ran.error().contains("authorization required"), "{ran:?}");
}

/// A login page in between is no service, and the message says where it is.
#[test]
fn a_redirect_is_not_followed_and_named() {
    let (set, behind) = (Set::new(30, 5), Behind::new());
    let port = behind.front(|mut client, _| async move {
        head(&mut client).await;
        let to = "HTTP/1.1 302 Found\r\nlocation: https://login.test/\r\ncontent-length: 0\r\n\r\n";
        client.write_all(to.as_bytes()).await.unwrap();
    });
    let ran = load(&Desk::new(), &set, &format!("http://127.0.0.1:{port}"), &[]).expect(4);
    assert!(ran.error().contains("HTTP 302 to https://login.test/"), "{ran:?}");
}
