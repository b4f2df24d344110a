//! A real browser: headless Chromium over its own protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>).
//!
//! `scripts/test.sh` finds or installs it and sets `IDX2GCS_TEST_CHROMIUM`.

use std::process::Stdio;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::tools::tool;

/// An answer that takes longer is a failure.
const PATIENCE: Duration = Duration::from_secs(45);

/// A browser with one page. It dies with this value.
pub struct Browser {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    last: u64,
    /// What the page said of itself since it was opened.
    events: Vec<Value>,
    child: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts Chromium with an empty profile.
    pub async fn start() -> Self {
        let program = tool("IDX2GCS_TEST_CHROMIUM", "Chromium");
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--headless", "--remote-debugging-port=0", "--disable-gpu", "--no-first-run"])
            // Its sandbox wants a user other than root; the page is our own.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "about:blank"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = tokio::time::timeout(PATIENCE, async {
            let mut said = Vec::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(url) = line.strip_prefix("DevTools listening on ") {
                    return url.to_owned();
                }
                said.push(line);
            }
            panic!("Chromium ended: {said:#?}")
        });
        let url = url.await.expect("Chromium did not start");
        // It stops when nobody reads what it says.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        // Screenshots are large messages.
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let (socket, _) = connect_async_with_config(url, Some(config), true).await.unwrap();
        let (session, events) = (String::new(), Vec::new());
        let mut browser = Self { socket, session, last: 0, events, child, _profile: profile };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// Asks the page, or before there is one the browser.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let id = self.last;
        let mut request = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            request["sessionId"] = self.session.as_str().into();
        }
        self.socket.send(Message::text(request.to_string())).await.unwrap();
        loop {
            let message = self.next().await;
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match message.expect("Chromium does not answer").unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(_) => panic!("Chromium has closed the connection"),
                _ => {}
            }
        }
    }

    /// Opens a page in a window of that size, as a phone where it is narrow, and waits until it and
    /// its images are there.
    pub async fn open(&mut self, url: &str, (width, height): (u32, u32), scheme: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features})).await;
        self.events.clear();
        let answer = self.call("Page.navigate", json!({"url": url})).await;
        assert!(answer["errorText"].is_null(), "{answer}");
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next().await;
            self.events.push(event);
        }
    }

    /// The value of an expression in the page, a promise's when it is kept.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        let what = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", what).await;
        assert!(answer["exceptionDetails"].is_null(), "{answer:#}");
        answer["result"]["value"].clone()
    }

    /// Presses and releases a key that types nothing.
    pub async fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let key = json!({"type": kind, "key": key, "code": key,
                "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", key).await;
        }
    }

    /// The whole page as PNG.
    pub async fn screenshot(&mut self) -> Vec<u8> {
        let all = json!({"format": "png", "captureBeyondViewport": true});
        let answer = self.call("Page.captureScreenshot", all).await;
        data_encoding::BASE64.decode(answer["data"].as_str().unwrap().as_bytes()).unwrap()
    }

    /// Everything that went wrong in the page since it was opened.
    pub fn complaints(&self) -> Vec<&Value> {
        let wrong = ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"];
        let is_wrong = |event: &&Value| wrong.iter().any(|method| event["method"] == *method);
        self.events.iter().filter(is_wrong).collect()
    }

    /// Addresses that the page has asked for since it was opened.
    pub fn requests(&self) -> Vec<&str> {
        let asked =
            self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.filter_map(|event| event["params"]["request"]["url"].as_str()).collect()
    }

    /// Ends it.
    pub async fn stop(mut self) {
        self.session.clear();
        self.call("Browser.close", json!({})).await;
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
    }
}
