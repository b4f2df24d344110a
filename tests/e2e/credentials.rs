//! Real credentials code against a token server and a front that checks tokens.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use google_cloud_auth::credentials::user_account;
use idx2gcs::Concurrency;
use idx2gcs::sink::Fault;
use idx2gcs::sink::gcs::{Auth, Gcs};
use idx2gcs_emulator::{Emulator, Options, RecordedRequest};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::support::{Desk, Ran, Set, load_into, transfer};

/// How many requests the front accepts with one token.
const LIFE: u32 = 50;

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// How often each token that was given out has been shown.
type Tokens = Arc<Mutex<Vec<u32>>>;

/// Gives out `token-0`, `token-1`, …, each said to live so many seconds.
async fn token_server(tokens: &Tokens, expires_in: u64) -> String {
    let tokens = Arc::clone(tokens);
    let give = move || {
        let mut given = tokens.lock().unwrap();
        given.push(0);
        let token = format!("token-{}", given.len() - 1);
        let answer = serde_json::json!({
            "access_token": token, "expires_in": expires_in, "token_type": "Bearer",
        });
        async move { answer.to_string() }
    };
    serve(Router::new().fallback(give)).await
}

/// Passes requests with a token that is not worn out on, and answers 401 to all others.
async fn front(tokens: &Tokens, behind: String) -> String {
    let (tokens, client) =
        (Arc::clone(tokens), reqwest::Client::builder().no_proxy().build().unwrap());
    let pass = move |request: Request| {
        let (tokens, client, behind) = (Arc::clone(&tokens), client.clone(), behind.clone());
        async move {
            let (head, body) = request.into_parts();
            let bearer = head.headers.get("authorization").and_then(|value| value.to_str().ok());
            let number = bearer.and_then(|text| text.strip_prefix("Bearer token-")?.parse().ok());
            let shown = number.and_then(|n: usize| {
                let mut tokens = tokens.lock().unwrap();
                tokens.get_mut(n).map(|shown| std::mem::replace(shown, *shown + 1))
            });
            if shown.is_none_or(|shown| shown >= LIFE) {
                return status(StatusCode::UNAUTHORIZED);
            }
            let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let url = format!("{behind}{}", head.uri);
            let sent =
                client.request(head.method, url).headers(head.headers).body(body).send().await;
            let answer = sent.unwrap();
            let mut passed = status(answer.status());
            *passed.body_mut() = Body::from(answer.bytes().await.unwrap());
            passed
        }
    };
    serve(Router::new().fallback(pass)).await
}

fn status(code: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = code;
    answer
}

fn authorized_user(token_uri: &str) -> serde_json::Value {
    serde_json::json!({
        "type": "authorized_user",
        "client_id": "client",
        "client_secret": "secret-of-the-client",
        "refresh_token": "secret-to-refresh",
        "token_uri": token_uri,
    })
}

/// Loads with tokens that say they live so many seconds, and returns how many were given out.
async fn load_with_tokens(expires_in: u64, images: u32, max_rate: u32) -> usize {
    // A second call finds the provider there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tokens = Tokens::default();
    let token_uri = token_server(&tokens, expires_in).await;
    let buckets = vec!["demo".to_owned()];
    let emulator = Emulator::start(Options { buckets, ..Options::default() }).await.unwrap();
    let endpoint = front(&tokens, emulator.url()).await;

    let auth = Auth::built_by(move || {
        let credentials = user_account::Builder::new(authorized_user(&token_uri)).build();
        credentials.map_err(|e| Fault::new(idx2gcs::sink::FaultKind::Internal, e.to_string()))
    });
    let sink = Gcs::new(&endpoint, "demo", "fm", auth.unwrap()).unwrap();
    let (set, dir) = (Set::new(images - 5, 5), tempfile::tempdir().unwrap());
    let mut transfer = transfer();
    transfer.pace.max_rate = max_rate;
    transfer.pace.concurrency = Concurrency { auto: false, limit: 4 };
    let outcome = load_into(Arc::new(sink), &set, dir.path(), transfer, 75).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.summary.uploaded, images);
    assert_eq!(emulator.counters().overwrites, 0);
    tokens.lock().unwrap().len()
}

/// The token is said to live for an hour, but is revoked: 401, and new credentials.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_replaced() {
    // 120 images, two manifests and the requests before them wear three tokens out.
    let given = load_with_tokens(3600, 120, 0).await;
    assert!((3..=8).contains(&given), "{given} tokens: one a life, not one a request");
}

/// The token says itself that it lives for two seconds, and the run takes three. The clock is the
/// true one: it is the one that Google's library reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_outlives_its_token() {
    let given = load_with_tokens(2, 40, 13).await;
    assert!(given >= 2, "{given} tokens");
}

/// A proxy to `storage.googleapis.com`, which is an emulator with a certificate of the test's own.
/// Returns the proxy's port and the certificate.
async fn google_behind_a_proxy(emulator: SocketAddr) -> (u16, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["storage.googleapis.com".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(tunnel(client, acceptor.clone(), emulator));
        }
    });
    (port, cert.pem())
}

/// One connection through the proxy. The emulator serves names of loopback only, so each request is
/// given one.
async fn tunnel(mut client: TcpStream, acceptor: TlsAcceptor, emulator: SocketAddr) {
    let mut head = BufReader::new(&mut client);
    let mut line = String::new();
    head.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("CONNECT storage.googleapis.com:443 "), "{line}");
    while line.trim_end() != "" {
        line.clear();
        head.read_line(&mut line).await.unwrap();
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let (mut from_client, mut to_client) = split(acceptor.accept(client).await.unwrap());
    let (mut from_server, mut to_server) = TcpStream::connect(emulator).await.unwrap().into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let (mut part, google) = (vec![0; 1 << 16], b"host: storage.googleapis.com\r\n");
    while let Ok(n @ 1..) = from_client.read(&mut part).await {
        let mut rest = &part[..n];
        while let Some(at) = rest.windows(google.len()).position(|bytes| bytes == google) {
            to_server.write_all(&rest[..at]).await.unwrap();
            to_server.write_all(b"host: localhost\r\n").await.unwrap();
            rest = &rest[at + google.len()..];
        }
        to_server.write_all(rest).await.unwrap();
    }
}

/// Everything that a run says and writes, at the highest verbosity, holds no secret.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told() {
    let tokens = Tokens::default();
    let token_uri = token_server(&tokens, 3600).await;
    let buckets = vec!["demo".to_owned()];
    let options = Options { buckets, record: true, ..Options::default() };
    let emulator = Emulator::start(options).await.unwrap();
    let (port, certificate) = google_behind_a_proxy(emulator.addr()).await;
    let set = Set::new(30, 5);
    let desk = Desk::new();
    std::fs::write(desk.path("key.json"), authorized_user(&token_uri).to_string()).unwrap();
    std::fs::write(desk.path("ca.pem"), certificate).unwrap();
    let desk = desk
        .env("GOOGLE_APPLICATION_CREDENTIALS", "key.json")
        .env("SSL_CERT_FILE", "ca.pem")
        .env("HTTPS_PROXY", &format!("http://user:secret-of-the-proxy@127.0.0.1:{port}"));
    let source = set.path().to_str().unwrap().to_owned();
    let args = ["load", "-vvv", "--source", &source, "--validation", "10", "--to", "gs://demo/fm"];
    let log = |ran: &Ran, desk: &Desk| {
        let mut said = format!("{}{}", ran.stdout, ran.stderr);
        for file in desk.files().iter().filter(|file| file.starts_with("out/")) {
            said.push_str(&desk.read(file));
        }
        said
    };
    let mut said = log(&desk.run(&args).expect(0), &desk);
    let requests = emulator.requests();
    let shown =
        |request: &&RecordedRequest| request.header("authorization") == Some("Bearer token-0");
    assert!(requests.iter().filter(shown).count() > 35, "the token was shown: {requests:#?}");
    // The same where it ends badly, and nobody is reached.
    emulator.stop().await;
    let desk = desk.env("HTTPS_PROXY", "http://user:secret-of-the-proxy@127.0.0.1:9");
    said.push_str(&log(&desk.run(&args).expect(4), &desk));
    assert!(tokens.lock().unwrap().len() >= 2, "a second token was given out");
    for secret in ["token-0", "token-1", "secret-of-the-client", "secret-to-refresh"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    assert!(!said.contains("secret-of-the-proxy"), "{said}");
}
