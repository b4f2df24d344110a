//! The emulator over real HTTP: uploads, preconditions, checksums, listings, the folder store,
//! faults and scripts.

#![allow(clippy::unwrap_used)] // Clippy knows `#[test]` functions, not their helpers.

mod clients;
mod copies;
mod faults;
mod guards;
mod reading;
mod uploads;
mod xml;

use std::path::Path;

use idx2gcs_emulator::{Emulator, Options, Rule, Script};
use reqwest::{Client, Method, Response};
use serde_json::Value;

const BUCKET: &str = "pictures";

/// An emulator and a client of it.
struct Fixture {
    emulator: Emulator,
    client: Client,
}

impl Fixture {
    async fn start(options: Options) -> Self {
        let buckets = vec![BUCKET.to_owned()];
        let emulator = Emulator::start(Options { buckets, ..options }).await.unwrap();
        // A second call finds the provider there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { emulator, client }
    }

    async fn plain() -> Self {
        Self::start(Options::default()).await
    }

    async fn scripted(rules: impl IntoIterator<Item = Rule>) -> Self {
        let script = rules.into_iter().fold(Script::new(), Script::with);
        Self::start(Options { script, ..Options::default() }).await
    }

    async fn in_folder(root: &Path) -> Self {
        Self::start(Options { root: Some(root.to_owned()), ..Options::default() }).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.emulator.url()))
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    async fn list(&self, query: &str) -> Value {
        let response = self.get(&format!("/storage/v1/b/{BUCKET}/o?{query}")).await;
        assert_eq!(response.status(), 200);
        body(response).await
    }

    /// `uploadType=media`; `name` percent-encoded, further query after it.
    async fn try_put(&self, name: &str, content: &str) -> reqwest::Result<Response> {
        let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}");
        self.request(Method::POST, &path).body(content.to_owned()).send().await
    }

    async fn put(&self, name: &str, content: &str) -> Response {
        self.try_put(name, content).await.unwrap()
    }

    /// `uploadType=multipart`, as the loader sends it.
    async fn put_multipart(&self, query: &str, metadata: &Value, content: &[u8]) -> Response {
        let mut text = format!(
            "--sep\r\nContent-Type: application/json\r\n\r\n{metadata}\r\n\
             --sep\r\nContent-Type: image/jpeg\r\n\r\n"
        )
        .into_bytes();
        text.extend_from_slice(content);
        text.extend_from_slice(b"\r\n--sep--\r\n");
        let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart{query}");
        let request = self.request(Method::POST, &path).body(text);
        request.header("content-type", "multipart/related; boundary=sep").send().await.unwrap()
    }

    fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.emulator.object(BUCKET, name).map(|(_, content)| content.to_vec())
    }
}

async fn body(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Checks status and reason of an answer in Google's error shape.
async fn refused(response: Response, status: u16, reason: &str) {
    assert_eq!(response.status(), status);
    let error = &body(response).await["error"];
    assert_eq!(error["code"], status);
    assert_eq!(error["errors"][0]["reason"], reason, "{error}");
    assert_eq!(error["errors"][0]["domain"], "global");
    assert_eq!(error["errors"][0]["message"], error["message"]);
}
