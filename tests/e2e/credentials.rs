//! Real credentials code against a token server and a front that checks tokens.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use google_cloud_auth::credentials::user_account;
use idx2gcs::pace::Concurrency;
use idx2gcs::sink::Fault;
use idx2gcs::sink::gcs::{Auth, Gcs};
use idx2gcs_emulator::{Emulator, Options};

use crate::support::{Desk, Set, load_into, transfer};

/// How long the front accepts a token.
const LIFE: Duration = Duration::from_secs(2);

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// When each token was given out.
type Tokens = Arc<Mutex<Vec<Instant>>>;

/// Gives out `token-0`, `token-1`, …, each said to live so many seconds.
async fn token_server(tokens: &Tokens, expires_in: u64) -> String {
    let tokens = Arc::clone(tokens);
    let give = move || {
        let mut given = tokens.lock().unwrap();
        given.push(Instant::now());
        let token = format!("token-{}", given.len() - 1);
        let answer = serde_json::json!({
            "access_token": token, "expires_in": expires_in, "token_type": "Bearer",
        });
        async move { answer.to_string() }
    };
    serve(Router::new().fallback(give)).await
}

/// Passes requests with a living token on, and answers 401 to all others.
async fn front(tokens: &Tokens, behind: String) -> String {
    let (tokens, client) =
        (Arc::clone(tokens), reqwest::Client::builder().no_proxy().build().unwrap());
    let pass = move |request: Request| {
        let (tokens, client, behind) = (Arc::clone(&tokens), client.clone(), behind.clone());
        async move {
            let (head, body) = request.into_parts();
            let bearer = head.headers.get("authorization").and_then(|value| value.to_str().ok());
            let number = bearer.and_then(|text| text.strip_prefix("Bearer token-")?.parse().ok());
            let given = number.and_then(|n: usize| tokens.lock().unwrap().get(n).copied());
            if given.is_none_or(|given| given.elapsed() > LIFE) {
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

/// Loads for several lives of a token, and returns how many were given out.
async fn load_longer_than_a_token(expires_in: u64, images: u32) -> usize {
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
    let mut more = transfer();
    more.pace.max_rate = 20;
    more.pace.concurrency = Concurrency { auto: false, limit: 4 };
    let outcome = load_into(Arc::new(sink), &set, dir.path(), more, 75).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.summary.uploaded, images);
    assert_eq!(emulator.counters().overwrites, 0);
    tokens.lock().unwrap().len()
}

/// The token is said to live for an hour, but is revoked: 401, and new credentials.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_replaced() {
    // 120 images at 20 a second take three lives of a token.
    let given = load_longer_than_a_token(3600, 120).await;
    assert!((3..=8).contains(&given), "{given} tokens: one a life, not one a request");
}

/// The token says itself that it lives for two seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_outlives_its_token() {
    let given = load_longer_than_a_token(2, 60).await;
    assert!(given >= 2, "{given} tokens");
}

/// Everything that a run says and writes, at the highest verbosity, holds no secret.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told() {
    let tokens = Tokens::default();
    let token_uri = token_server(&tokens, 3600).await;
    let set = Set::new(30, 5);
    let desk = Desk::new().env("GOOGLE_APPLICATION_CREDENTIALS", "key.json");
    std::fs::write(desk.path("key.json"), authorized_user(&token_uri).to_string()).unwrap();
    let source = set.path().to_str().unwrap();
    let args = ["load", "-vvv", "--source", source, "--validation", "10", "--to", "gs://demo/fm"];
    // No proxy is there: the token is fetched, and then nobody is reached to show it to.
    let desk = desk.env("HTTPS_PROXY", "http://user:secret-of-the-proxy@127.0.0.1:9");
    let ran = desk.run(&args).expect(4);
    assert!(!tokens.lock().unwrap().is_empty(), "a token was given out");
    let mut said = format!("{}{}", ran.stdout, ran.stderr);
    for file in desk.files().iter().filter(|file| *file != "key.json") {
        said.push_str(&desk.read(file));
    }
    for secret in ["token-0", "secret-of-the-client", "secret-to-refresh", "secret-of-the-proxy"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}
