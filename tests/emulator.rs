//! The emulator over real HTTP: uploads, preconditions, checksums, listings,
//! the folder store, faults and scripts.

#![allow(clippy::unwrap_used)] // Clippy knows `#[test]` functions, not their helpers.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use idx2gcs::emulator::{
    Answer, Emulator, EmulatorError, Faults, Operation, Options, Rule, Script,
};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

const BUCKET: &str = "pictures";

/// An emulator and a client of it.
struct Fixture {
    emulator: Emulator,
    client: Client,
}

impl Fixture {
    async fn start(options: Options) -> Fixture {
        let buckets = vec![BUCKET.to_owned()];
        let emulator = Emulator::start(Options { buckets, ..options })
            .await
            .unwrap();
        // A second call finds the provider there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        Fixture { emulator, client }
    }

    async fn plain() -> Fixture {
        Fixture::start(Options::default()).await
    }

    async fn scripted(rules: impl IntoIterator<Item = Rule>) -> Fixture {
        let script = rules.into_iter().fold(Script::new(), Script::with);
        Fixture::start(Options {
            script,
            ..Options::default()
        })
        .await
    }

    async fn in_folder(root: &Path) -> Fixture {
        Fixture::start(Options {
            root: Some(root.to_owned()),
            ..Options::default()
        })
        .await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.emulator.url()))
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
        self.request(Method::POST, &path)
            .body(content.to_owned())
            .send()
            .await
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
        request
            .header("content-type", "multipart/related; boundary=sep")
            .send()
            .await
            .unwrap()
    }

    fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.emulator
            .object(BUCKET, name)
            .map(|(_, content)| content.to_vec())
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

#[tokio::test]
async fn media_upload_and_what_is_told_of_it() {
    let f = Fixture::plain().await;
    let response = f.put("dir%2Fa+b.txt", "123456789").await;
    assert_eq!(response.status(), 200);
    let object = body(response).await;
    assert_eq!(object["kind"], "storage#object");
    assert_eq!(object["name"], "dir/a b.txt");
    assert_eq!(object["bucket"], BUCKET);
    assert_eq!(object["size"], "9");
    assert_eq!(object["crc32c"], "4waSgw==");
    assert_eq!(object["md5Hash"], "JfnnlDI7RTiF9RgfG2JNCw==");
    assert_eq!(object["metageneration"], "1");
    assert_eq!(object["storageClass"], "STANDARD");
    assert_eq!(object["timeCreated"], object["updated"]);
    let generation: i64 = object["generation"].as_str().unwrap().parse().unwrap();
    assert_eq!(object["id"], format!("{BUCKET}/dir/a b.txt/{generation}"));

    let read = f
        .get(&format!("/storage/v1/b/{BUCKET}/o/dir%2Fa%20b.txt"))
        .await;
    assert_eq!(body(read).await, object);
    for link in ["selfLink", "mediaLink"] {
        let link = object[link].as_str().unwrap();
        assert_eq!(
            f.client.get(link).send().await.unwrap().status(),
            200,
            "{link}"
        );
    }
    let next = body(f.put("dir%2Fa+b.txt", "2").await).await;
    assert!(next["generation"].as_str().unwrap().parse::<i64>().unwrap() > generation);
    let counters = f.emulator.counters();
    assert_eq!(
        (counters.inserts, counters.overwrites, counters.bytes_stored),
        (2, 1, 10)
    );
    let served = body(f.get("/_emulator/counters").await).await;
    assert_eq!(served["inserts"], 2);
    f.emulator.stop().await;
}

#[tokio::test]
async fn multipart_upload_keeps_metadata() {
    let f = Fixture::plain().await;
    let metadata = json!({"name": "a.jpg", "crc32c": "4waSgw==", "metadata": {"label": "Coat"}});
    let response = f
        .put_multipart("&ifGenerationMatch=0", &metadata, b"123456789")
        .await;
    assert_eq!(response.status(), 200);
    let object = body(response).await;
    assert_eq!(object["contentType"], "image/jpeg");
    assert_eq!(object["metadata"]["label"], "Coat");
    let (info, content) = f.emulator.object(BUCKET, "a.jpg").unwrap();
    assert_eq!(
        (info.crc32c, &content[..]),
        (0xe306_9283, &b"123456789"[..])
    );

    let partial = f
        .put_multipart("&fields=name,size,crc32c", &json!({"name": "b"}), b"")
        .await;
    assert_eq!(
        body(partial).await,
        json!({"name": "b", "size": "0", "crc32c": "AAAAAA=="})
    );

    let no_boundary = f.request(
        Method::POST,
        &format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart"),
    );
    refused(no_boundary.body("x").send().await.unwrap(), 400, "invalid").await;
    refused(
        f.put_multipart("", &json!({"name": 7}), b"").await,
        400,
        "invalid",
    )
    .await;
    refused(f.put_multipart("", &json!({}), b"").await, 400, "required").await;
}

#[tokio::test]
async fn resumable_upload_in_chunks() {
    let f = Fixture::plain().await;
    let open = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&ifGenerationMatch=0");
    let metadata = json!({"name": "big.bin", "contentType": "image/png"}).to_string();
    let opened = f
        .request(Method::POST, &open)
        .body(metadata)
        .send()
        .await
        .unwrap();
    assert_eq!(opened.status(), 200);
    let session = opened.headers()["location"].to_str().unwrap().to_owned();
    let send = |range: &str, chunk: Vec<u8>| {
        f.client
            .put(&session)
            .header("content-range", range)
            .body(chunk)
            .send()
    };
    let kept = |response: &Response| {
        response
            .headers()
            .get("range")
            .map(|range| range.to_str().unwrap().to_owned())
    };
    let content: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    let (first, last) = content.split_at(262_144);

    let status = send("bytes */*", vec![]).await.unwrap();
    assert_eq!((status.status().as_u16(), kept(&status)), (308, None));
    let uneven = send("bytes 0-99/*", vec![0; 100]).await.unwrap();
    refused(uneven, 400, "invalid").await;
    let part = send("bytes 0-262143/*", first.to_vec()).await.unwrap();
    assert_eq!(
        (part.status().as_u16(), kept(&part)),
        (308, Some("bytes=0-262143".to_owned()))
    );
    let status = send("bytes */300000", vec![]).await.unwrap();
    assert_eq!(
        (status.status().as_u16(), kept(&status)),
        (308, Some("bytes=0-262143".to_owned()))
    );
    let done = send("bytes 262144-299999/300000", last.to_vec())
        .await
        .unwrap();
    assert_eq!(done.status(), 200);
    let object = body(done).await;
    assert_eq!(
        (&object["size"], &object["contentType"]),
        (&json!("300000"), &json!("image/png"))
    );
    assert_eq!(f.content("big.bin").unwrap(), content);
    // The answer may have got lost: asking again gets it again.
    let again = send("bytes */300000", vec![]).await.unwrap();
    assert_eq!(body(again).await, object);
    assert_eq!(f.emulator.counters().inserts, 1);

    let unknown = f
        .client
        .put(session.replace("session-", "other-"))
        .body("x")
        .send()
        .await;
    refused(unknown.unwrap(), 404, "notFound").await;
}

#[tokio::test]
async fn preconditions_guard_writes_reads_and_deletes() {
    let f = Fixture::plain().await;
    let first = body(f.put("a&ifGenerationMatch=0", "1").await).await;
    let generation = first["generation"].as_str().unwrap();
    refused(
        f.put("a&ifGenerationMatch=0", "2").await,
        412,
        "conditionNotMet",
    )
    .await;
    refused(
        f.put("a&ifGenerationMatch=1", "2").await,
        412,
        "conditionNotMet",
    )
    .await;
    let not = f
        .put(&format!("a&ifGenerationNotMatch={generation}"), "2")
        .await;
    refused(not, 412, "conditionNotMet").await;
    refused(
        f.put("a&ifMetagenerationMatch=2", "2").await,
        412,
        "conditionNotMet",
    )
    .await;
    refused(
        f.put("b&ifMetagenerationMatch=1", "2").await,
        412,
        "conditionNotMet",
    )
    .await;
    refused(f.put("a&ifGenerationMatch=x", "2").await, 400, "invalid").await;
    assert_eq!(f.content("a").unwrap(), b"1");
    assert_eq!(f.emulator.counters().precondition_failed, 5);

    let path = format!("/storage/v1/b/{BUCKET}/o/a");
    let hit = f
        .get(&format!("{path}?ifGenerationMatch={generation}"))
        .await;
    assert_eq!(hit.status(), 200);
    refused(
        f.get(&format!("{path}?ifGenerationMatch=1")).await,
        412,
        "conditionNotMet",
    )
    .await;
    let same = f
        .get(&format!("{path}?ifGenerationNotMatch={generation}"))
        .await;
    assert_eq!(same.status(), 304);
    refused(
        f.get(&format!("{path}?generation=1")).await,
        404,
        "notFound",
    )
    .await;

    let delete = |query: &str| f.request(Method::DELETE, &format!("{path}{query}")).send();
    refused(
        delete("?ifGenerationMatch=1").await.unwrap(),
        412,
        "conditionNotMet",
    )
    .await;
    assert_eq!(
        f.put(&format!("a&ifGenerationMatch={generation}"), "3")
            .await
            .status(),
        200
    );
    assert_eq!(
        delete("?ifMetagenerationMatch=1").await.unwrap().status(),
        204
    );
    refused(delete("").await.unwrap(), 404, "notFound").await;
}

#[tokio::test]
async fn one_of_many_racing_creations_wins() {
    let folder = tempfile::tempdir().unwrap();
    for f in [
        Fixture::plain().await,
        Fixture::in_folder(folder.path()).await,
    ] {
        let puts = (0..16).map(|_| f.put("same&ifGenerationMatch=0", "x"));
        let answers = futures::future::join_all(puts).await;
        let stored = answers
            .iter()
            .filter(|answer| answer.status() == 200)
            .count();
        let lost = answers
            .iter()
            .filter(|answer| answer.status() == 412)
            .count();
        assert_eq!((stored, lost), (1, 15));
        assert_eq!(f.emulator.counters().overwrites, 0);
    }
}

#[tokio::test]
async fn wrong_checksums_and_names_store_nothing() {
    let f = Fixture::plain().await;
    for wrong in [
        json!({"name": "a", "crc32c": "AAAAAA=="}),
        json!({"name": "a", "md5Hash": "?"}),
    ] {
        refused(
            f.put_multipart("", &wrong, b"123456789").await,
            400,
            "invalid",
        )
        .await;
    }
    let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=a");
    let with_hash = |hash| {
        f.request(Method::POST, &path)
            .header("x-goog-hash", hash)
            .body("123456789")
    };
    refused(
        with_hash("crc32c=AAAAAA==").send().await.unwrap(),
        400,
        "invalid",
    )
    .await;
    let right = with_hash("crc32c=4waSgw==,md5=JfnnlDI7RTiF9RgfG2JNCw==")
        .send()
        .await
        .unwrap();
    assert_eq!(right.status(), 200);

    refused(f.put("a%0Ab", "x").await, 400, "invalid").await;
    refused(f.put(&"x".repeat(1025), "x").await, 400, "invalid").await;
    refused(f.put("", "x").await, 400, "required").await;
    assert_eq!(f.emulator.objects(BUCKET).len(), 1);
    let upload = f.request(
        Method::POST,
        "/upload/storage/v1/b/no-such/o?uploadType=media&name=a",
    );
    refused(upload.body("x").send().await.unwrap(), 404, "notFound").await;
    refused(f.get("/storage/v1/nothing").await, 404, "notFound").await;
    let change = f.request(Method::PATCH, &format!("/storage/v1/b/{BUCKET}/o/a"));
    refused(change.send().await.unwrap(), 405, "methodNotAllowed").await;
}

#[tokio::test]
async fn downloads_whole_and_in_ranges() {
    let f = Fixture::plain().await;
    f.put("a", "0123456789").await;
    for root in ["/storage", "/download/storage"] {
        let path = format!("{root}/v1/b/{BUCKET}/o/a?alt=media");
        let whole = f.get(&path).await;
        assert!(
            whole.headers()["x-goog-hash"]
                .to_str()
                .unwrap()
                .starts_with("crc32c=")
        );
        assert_eq!(whole.text().await.unwrap(), "0123456789");
        let middle = f
            .request(Method::GET, &path)
            .header("range", "bytes=2-4")
            .send()
            .await
            .unwrap();
        assert_eq!(middle.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(middle.headers()["content-range"], "bytes 2-4/10");
        assert_eq!(middle.text().await.unwrap(), "234");
        let past = f
            .request(Method::GET, &path)
            .header("range", "bytes=10-")
            .send()
            .await
            .unwrap();
        assert_eq!(past.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    }
}

#[tokio::test]
async fn buckets_are_made_found_and_removed() {
    let f = Fixture::plain().await;
    let create = |body: &str| {
        f.request(Method::POST, "/storage/v1/b?project=p")
            .body(body.to_owned())
            .send()
    };
    let made = body(create(r#"{"name": "second"}"#).await.unwrap()).await;
    assert_eq!(
        (&made["kind"], &made["name"]),
        (&json!("storage#bucket"), &json!("second"))
    );
    refused(
        create(r#"{"name": "second"}"#).await.unwrap(),
        409,
        "conflict",
    )
    .await;
    refused(
        create(r#"{"name": "No/Name"}"#).await.unwrap(),
        400,
        "invalid",
    )
    .await;
    assert_eq!(body(f.get("/storage/v1/b/second").await).await, made);
    refused(f.get("/storage/v1/b/third").await, 404, "notFound").await;
    let all = body(f.get("/storage/v1/b?project=p").await).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let asked = "permissions=storage.objects.create&permissions=storage.objects.list";
    let path = format!("/storage/v1/b/second/iam/testPermissions?{asked}");
    let granted = body(f.get(&path).await).await;
    assert_eq!(granted["permissions"].as_array().unwrap().len(), 2);

    let delete = |name: &str| {
        f.request(Method::DELETE, &format!("/storage/v1/b/{name}"))
            .send()
    };
    f.put("a", "x").await;
    refused(delete(BUCKET).await.unwrap(), 409, "conflict").await;
    assert_eq!(delete("second").await.unwrap().status(), 204);
    refused(f.get("/storage/v1/b/second").await, 404, "notFound").await;
}

#[tokio::test]
async fn listings_come_in_pages() {
    let f = Fixture::plain().await;
    for index in 0..25 {
        f.put(&format!("p/{}/{index:02}.jpg", index % 3), "x").await;
    }
    f.put("other", "x").await;
    let mut names = Vec::new();
    let mut token = String::new();
    for expected in [10, 10, 5] {
        let fields = "fields=items(name,size,crc32c),nextPageToken";
        let page = f
            .list(&format!(
                "prefix=p/&maxResults=10&{fields}&pageToken={token}"
            ))
            .await;
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), expected);
        assert_eq!(items[0].as_object().unwrap().len(), 3);
        names.extend(
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        token = page["nextPageToken"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
    }
    assert!(token.is_empty() && names.is_sorted());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 25);

    let folded = f.list("delimiter=/&prefix=p/").await;
    assert_eq!(folded["prefixes"], json!(["p/0/", "p/1/", "p/2/"]));
    assert_eq!(folded.get("items"), None);
    let ranged = f.list("startOffset=p/2/&endOffset=p/2/06.jpg").await;
    assert_eq!(ranged["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_folder_holds_plain_files_and_is_served_again() {
    let folder = tempfile::tempdir().unwrap();
    let f = Fixture::in_folder(folder.path()).await;
    let stored = body(f.put("dir%2Fa.jpg", "pixels").await).await;
    f.put("gone", "x").await;
    let gone = f.request(Method::DELETE, &format!("/storage/v1/b/{BUCKET}/o/gone"));
    assert_eq!(gone.send().await.unwrap().status(), 204);
    for bad in [
        "..%2Fa",
        "%2Fa",
        "a%2F%2Fb",
        "a%2F",
        "a%2F..%2Fb",
        "a%00b",
        "dir",
        "dir%2Fa.jpg%2Fb",
    ] {
        refused(f.put(bad, "x").await, 400, "invalid").await;
    }
    let file = folder.path().join(BUCKET).join("dir/a.jpg");
    assert_eq!(std::fs::read(&file).unwrap(), b"pixels");
    f.emulator.stop().await;

    // What a person adds is served, what was left incomplete is not.
    std::fs::write(folder.path().join(BUCKET).join("list.csv"), "a,b").unwrap();
    let f = Fixture::in_folder(folder.path()).await;
    let objects = f.emulator.objects(BUCKET);
    let names: Vec<_> = objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["dir/a.jpg", "list.csv"]);
    assert_eq!(objects[0].content_type.as_deref(), Some("image/jpeg"));
    assert_eq!(objects[1].content_type.as_deref(), Some("text/csv"));
    let read = body(
        f.get(&format!("/storage/v1/b/{BUCKET}/o/dir%2Fa.jpg"))
            .await,
    )
    .await;
    assert_eq!(
        (&read["crc32c"], &read["md5Hash"]),
        (&stored["crc32c"], &stored["md5Hash"])
    );
    refused(
        f.put("dir%2Fa.jpg&ifGenerationMatch=0", "x").await,
        412,
        "conditionNotMet",
    )
    .await;
    let incomplete = folder.path().join(".idx2gcs-incomplete");
    assert_eq!(std::fs::read_dir(incomplete).unwrap().count(), 0);
}

#[tokio::test]
async fn scripts_decide_attempt_by_attempt() {
    let insert = |answer| Rule::new(Operation::Insert, answer);
    let wait = Some(Duration::from_millis(1_500));
    let busy = Answer::Status {
        code: 429,
        reason: None,
        retry_after: wait,
        body: None,
    };
    let f = Fixture::scripted([
        insert(busy).named("a").attempt(1),
        insert(Answer::unauthorized()).named("a").attempt(2),
        insert(Answer::ResetBefore).named("a").attempt(3),
        insert(Answer::ResetAfterWrite).named("b"),
        insert(Answer::CutBody).named("c"),
        insert(Answer::Garbage).named("d"),
        insert(Answer::WrongCrc32c).named("e"),
        insert(Answer::WrongName).named("f"),
        insert(Answer::WrongSize).matching(|name| name.starts_with('g')),
        insert(Answer::LateAnswer(Duration::from_millis(1))).named("h"),
        Rule::new(Operation::List, Answer::status(503)).attempt(1),
        Rule::new(Operation::Get, Answer::status(403)).named("h"),
        Rule::new(Operation::Bucket, Answer::status(404)),
    ])
    .await;
    let busy = f.put("a", "x").await;
    assert_eq!(busy.headers()["retry-after"], "2");
    refused(busy, 429, "rateLimitExceeded").await;
    refused(f.put("a", "x").await, 401, "authError").await;
    assert!(f.try_put("a", "x").await.is_err());
    assert_eq!(f.content("a"), None);
    assert_eq!(f.put("a", "x").await.status(), 200);
    assert_eq!(f.emulator.insert_attempts(BUCKET, "a"), 4);

    assert!(f.try_put("b", "x").await.is_err());
    assert!(f.content("b").is_some());
    let cut = f.put("c", "x").await;
    assert_eq!(cut.status(), 200);
    assert!(cut.bytes().await.is_err());
    assert!(f.content("c").is_some());
    let garbage = f.put("d", "x").await.bytes().await.unwrap();
    assert!(serde_json::from_slice::<Value>(&garbage).is_err());
    assert_eq!(body(f.put("e", "x").await).await["crc32c"], "AAAAAA==");
    assert_ne!(body(f.put("f", "x").await).await["name"], "f");
    assert_ne!(body(f.put("g7", "x").await).await["size"], "1");
    assert_eq!(f.put("h", "x").await.status(), 200);

    refused(
        f.get(&format!("/storage/v1/b/{BUCKET}/o")).await,
        503,
        "backendError",
    )
    .await;
    assert_eq!(f.list("").await["items"].as_array().unwrap().len(), 8);
    refused(
        f.get(&format!("/storage/v1/b/{BUCKET}/o/h")).await,
        403,
        "forbidden",
    )
    .await;
    refused(
        f.get(&format!("/storage/v1/b/{BUCKET}")).await,
        404,
        "notFound",
    )
    .await;
    assert_eq!(f.emulator.counters().faults.scripted, 13);
}

#[tokio::test]
async fn a_stalled_insert_hangs_until_the_emulator_stops() {
    let f = Fixture::scripted([Rule::new(Operation::Insert, Answer::Stall)]).await;
    let address = format!(
        "{}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=a",
        f.emulator.url()
    );
    let hanging = tokio::spawn(f.client.post(address).body("x").send());
    while f.emulator.counters().faults.scripted == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!hanging.is_finished());
    assert_eq!(f.content("a"), None);
    f.emulator.stop().await;
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn random_faults_come_in_their_shares() {
    let faults = Faults {
        error_rate: 0.2,
        reset_rate: 0.2,
        lost_ack_rate: 0.2,
        retry_after: Some(Duration::from_secs(3)),
        seed: 11,
        ..Faults::default()
    };
    let f = Fixture::start(Options {
        faults,
        ..Options::default()
    })
    .await;
    let (mut errors, mut broken) = (0, 0);
    for index in 0..200 {
        match f.try_put(&format!("{index}"), "x").await {
            Err(_) => broken += 1,
            Ok(response) if response.status() == 503 => {
                assert_eq!(response.headers()["retry-after"], "3");
                errors += 1;
            }
            Ok(response) => assert_eq!(response.status(), 200),
        }
    }
    let counters = f.emulator.counters();
    assert_eq!(counters.faults.errors, errors);
    assert_eq!(counters.faults.resets + counters.faults.lost_acks, broken);
    // A lost acknowledgement is stored all the same.
    assert_eq!(counters.inserts, 200 - errors - counters.faults.resets);
    for count in [errors, counters.faults.resets, counters.faults.lost_acks] {
        assert!((20..=60).contains(&count), "{counters:?}");
    }
}

#[tokio::test]
async fn writes_above_the_rate_get_429() {
    let f = Fixture::plain().await;
    f.emulator.set_max_rate(1);
    assert_eq!(f.put("a", "x").await.status(), 200);
    let mut limited = f.put("b", "x").await;
    // On a machine that stood still for a second the first may pass.
    while limited.status() == 200 {
        limited = f.put("b", "x").await;
    }
    refused(limited, 429, "rateLimitExceeded").await;
    assert!(f.emulator.counters().faults.rate_limited >= 1);
    f.emulator.set_max_rate(0);
    assert_eq!(f.put("b", "x").await.status(), 200);
}

#[tokio::test]
async fn requests_are_recorded_when_asked_for() {
    let f = Fixture::start(Options {
        record: true,
        ..Options::default()
    })
    .await;
    f.put("a%2Fb&ifGenerationMatch=0", "x").await;
    f.list("prefix=a").await;
    let requests = f.emulator.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        (requests[0].operation, requests[0].key.as_str()),
        (Operation::Insert, "a/b")
    );
    assert_eq!(requests[0].query("ifGenerationMatch"), Some("0"));
    assert_eq!(requests[0].header("content-length"), Some("1"));
    assert_eq!(
        (requests[1].operation, requests[1].method.as_str()),
        (Operation::List, "GET")
    );
    assert_eq!(f.emulator.insert_attempts(BUCKET, "a/b"), 1);
    assert_eq!(f.emulator.counters().max_inserts_in_flight, 1);
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_the_start() {
    let start = |options| Emulator::start(options);
    let remote = Options {
        addr: "0.0.0.0:0".parse().unwrap(),
        ..Options::default()
    };
    assert!(matches!(
        start(remote.clone()).await,
        Err(EmulatorError::NotLoopback(_))
    ));
    let faults = Faults {
        error_rate: 2.0,
        ..Faults::default()
    };
    let refused = start(Options {
        faults,
        ..Options::default()
    })
    .await;
    assert!(matches!(refused, Err(EmulatorError::Faults(_))));
    let refused = start(Options {
        buckets: vec!["A".to_owned()],
        ..Options::default()
    })
    .await;
    assert!(matches!(refused, Err(EmulatorError::Bucket { .. })));
    let running = start(Options::default()).await.unwrap();
    let refused = start(Options {
        addr: running.addr(),
        ..Options::default()
    })
    .await;
    assert!(matches!(refused, Err(EmulatorError::Listen { .. })));
}
