//! What other clients send: Go's, Node's, `gcloud storage`, Python's batches. And that what is not
//! here is named, never passed over.

use reqwest::Method;
use serde_json::json;

use super::{BUCKET, Fixture, body, refused};

/// The address of a new resumable session.
async fn session(f: &Fixture, root: &str, name: &str) -> String {
    let path = format!("{root}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name={name}");
    let opened = f.request(Method::POST, &path).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    opened.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn go_gets_200_for_308() {
    let f = Fixture::plain().await;
    let session = session(&f, "", "a").await;
    let send = |range: &str, size: usize| {
        let put = f.client.put(&session).header("X-GUploader-No-308", "yes");
        put.header("content-range", range).body(vec![7; size]).send()
    };
    let none = send("bytes */*", 0).await.unwrap();
    assert_eq!((none.status().as_u16(), none.headers().get("range")), (200, None));
    assert_eq!(none.headers()["x-http-status-code-override"], "308");
    let part = send("bytes 0-262143/*", 262_144).await.unwrap();
    assert_eq!(part.status(), 200);
    assert_eq!(part.headers()["x-http-status-code-override"], "308");
    assert_eq!(part.headers()["range"], "bytes=0-262143");
    let done = send("bytes 262144-262144/262145", 1).await.unwrap();
    assert!(done.headers().get("x-http-status-code-override").is_none());
    assert_eq!(body(done).await["size"], "262145");
}

#[tokio::test]
async fn node_sends_an_object_of_unknown_size_in_one_request() {
    let f = Fixture::plain().await;
    for (range, content) in
        [("bytes 0-*/*", "hello"), ("bytes 0-*/5", "hello"), ("bytes 0-*/*", "")]
    {
        let session = session(&f, "", "a").await;
        let put = f.client.put(&session).header("content-range", range).body(content);
        assert_eq!(put.send().await.unwrap().status(), 200, "{range}");
        assert_eq!(f.content("a").unwrap(), content.as_bytes(), "{range}");
    }
    // It goes on where a broken connection left off.
    let session = session(&f, "", "b").await;
    let send = |range: &str, content: Vec<u8>| {
        f.client.put(&session).header("content-range", range).body(content).send()
    };
    assert_eq!(send("bytes 0-262143/*", vec![1; 262_144]).await.unwrap().status(), 308);
    assert_eq!(send("bytes 262144-*/*", vec![2; 3]).await.unwrap().status(), 200);
    assert_eq!(f.content("b").unwrap().len(), 262_147);
}

#[tokio::test]
async fn gcloud_opens_its_uploads_elsewhere_and_asks_for_the_layout() {
    let f = Fixture::plain().await;
    let session = session(&f, "/resumable", "a").await;
    assert_eq!(f.client.put(&session).body("hello").send().await.unwrap().status(), 200);
    assert_eq!(f.content("a").unwrap(), b"hello");
    let layout = body(f.get(&format!("/storage/v1/b/{BUCKET}/storageLayout")).await).await;
    assert_eq!(
        layout,
        json!({"kind": "storage#storageLayout", "bucket": BUCKET, "location": "US"})
    );
}

#[tokio::test]
async fn listings_follow_a_glob() {
    let f = Fixture::plain().await;
    for name in ["a.jpg", "d/1.jpg", "d/2.png", "d/e/3.jpg"] {
        assert_eq!(f.put(name, "x").await.status(), 200);
    }
    let names = async |query: &str| {
        let page = f.list(query).await;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("matchGlob=**.jpg").await, ["a.jpg", "d/1.jpg", "d/e/3.jpg"]);
    assert_eq!(names("matchGlob=d/*").await, ["d/1.jpg", "d/2.png"]);
    assert_eq!(names("matchGlob=**.%7Bpng,gif%7D&prefix=d/").await, ["d/2.png"]);
    assert!(names("matchGlob=nothing*").await.is_empty());
    let page = f.list("matchGlob=**.jpg&maxResults=2&fields=nextPageToken").await;
    let token = page["nextPageToken"].as_str().unwrap();
    assert_eq!(names(&format!("matchGlob=**.jpg&pageToken={token}")).await, ["d/e/3.jpg"]);
    refused(f.get(&format!("/storage/v1/b/{BUCKET}/o?matchGlob=%7B")).await, 400, "invalid").await;
}

/// Checks that an answer says what is not here.
async fn named(response: reqwest::Response, what: &str) {
    assert_eq!(response.status(), 501, "{what}");
    let message = body(response).await["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(what), "{message:?} does not name {what}");
}

#[tokio::test]
async fn parameters_that_are_not_here_are_named() {
    let f = Fixture::plain().await;
    f.put("a", "x").await;
    let (bucket, object) =
        (format!("/storage/v1/b/{BUCKET}"), format!("/storage/v1/b/{BUCKET}/o/a"));
    for (method, path, what) in [
        (Method::GET, format!("{bucket}/o?filter=contexts.x:*"), "\"filter\""),
        (Method::GET, format!("{bucket}/o?softDeleted=true"), "\"softDeleted\""),
        (Method::GET, format!("{bucket}/o?delimiter=/&includeTrailingDelimiter=true"), "Trailing"),
        (Method::GET, format!("{bucket}/o?delimiter=/&matchGlob=a"), "matchGlob"),
        (Method::GET, "/storage/v1/b?project=p&softDeleted=true".to_owned(), "\"softDeleted\""),
        (Method::GET, format!("{bucket}?ifMetagenerationMatch=1"), "\"ifMetagenerationMatch\""),
        (
            Method::POST,
            "/storage/v1/b?project=p&enableObjectRetention=true".to_owned(),
            "enableObjectRetention",
        ),
        (Method::GET, format!("{object}?softDeleted=true"), "\"softDeleted\""),
        (Method::GET, format!("/download{object}?softDeleted=true"), "\"softDeleted\""),
        (Method::DELETE, format!("{object}?x=1"), "\"x\""),
        (Method::PATCH, format!("{object}?predefinedAcl=private"), "\"predefinedAcl\""),
        (Method::POST, format!("{object}/compose?kmsKeyName=k"), "\"kmsKeyName\""),
        (Method::POST, format!("{object}/copyTo/b/{BUCKET}/o/b?x=1"), "\"x\""),
        (Method::POST, format!("/upload{bucket}/o?uploadType=media&name=b&kmsKeyName=k"), "kms"),
    ] {
        named(f.request(method, &path).body("{}").send().await.unwrap(), what).await;
    }
    let held = f.put_multipart("", &json!({"name": "b", "temporaryHold": true}), b"x").await;
    named(held, "temporaryHold").await;
    for path in [&format!("/upload{bucket}/o?uploadType=media&name=b"), &format!("/{BUCKET}/b")] {
        let method = if path.starts_with("/upload") { Method::POST } else { Method::PUT };
        let secret = f.request(method, path).header("x-goog-encryption-key", "k").body("x");
        assert_eq!(secret.send().await.unwrap().status(), 501, "{path}");
    }
    assert_eq!(f.emulator.objects(BUCKET).len(), 1);
    // What is asked for with nothing is not asked for.
    let nothing =
        "filter=&softDeleted=false&versions=true&includeFoldersAsPrefixes=true&prettyPrint=true";
    assert_eq!(f.list(nothing).await["items"][0]["name"], "a");
}

#[tokio::test]
async fn methods_that_are_not_here_are_named() {
    let f = Fixture::plain().await;
    f.put("c.txt", "x").await;
    let bucket = format!("/storage/v1/b/{BUCKET}");
    for (method, path) in [
        (Method::GET, format!("{bucket}/o/c.txt/acl")),
        (Method::GET, format!("{bucket}/acl")),
        (Method::GET, format!("{bucket}/folders")),
        (Method::GET, format!("{bucket}/managedFolders")),
        (Method::GET, format!("{bucket}/notificationConfigs")),
        (Method::GET, "/storage/v1/projects/p/hmacKeys".to_owned()),
        (Method::GET, "/storage/v1/nothing".to_owned()),
        (Method::POST, format!("{bucket}/o/c.txt/restore")),
        (Method::POST, format!("{bucket}/o/c.txt/copyTo/b/x")),
        (Method::POST, format!("{bucket}/o/watch")),
        (Method::POST, format!("{bucket}/o")),
        (Method::PATCH, bucket.clone()),
        (Method::PUT, format!("{bucket}/iam")),
        (Method::DELETE, "/storage/v1/b".to_owned()),
        (Method::GET, format!("/upload{bucket}/o")),
        (Method::GET, "/batch/storage/v1".to_owned()),
    ] {
        let what = format!("{method} {path}");
        named(f.request(method, &path).send().await.unwrap(), &what).await;
    }
    // An object name with a slash in it has it encoded, as at Google.
    f.put("a/b", "x").await;
    named(f.get(&format!("{bucket}/o/a/b")).await, "a slash in an object name is %2F").await;
    assert_eq!(f.get(&format!("{bucket}/o/a%2Fb")).await.status(), 200);
}

#[tokio::test]
async fn etags_are_conditions() {
    let f = Fixture::plain().await;
    let etag = body(f.put("a", "x").await).await["etag"].as_str().unwrap().to_owned();
    let path = format!("/storage/v1/b/{BUCKET}/o/a");
    let get = async |name: &'static str, value: &str| {
        f.request(Method::GET, &path).header(name, value).send().await.unwrap().status().as_u16()
    };
    assert_eq!(get("if-match", &etag).await, 200);
    assert_eq!(get("if-match", "other").await, 412);
    assert_eq!(get("if-none-match", &format!("\"{etag}\"")).await, 304);
    let change = f.request(Method::PATCH, &path).header("if-match", "other").body("{}");
    refused(change.send().await.unwrap(), 412, "conditionNotMet").await;
}

#[tokio::test]
async fn a_batch_is_answered_part_by_part() {
    let f = Fixture::plain().await;
    f.put("a", "x").await;
    f.put("b", "x").await;
    let object = |name: &str| format!("/storage/v1/b/{BUCKET}/o/{name}");
    let requests = [
        format!("DELETE {} HTTP/1.1\r\n\r\n", object("a")),
        format!("DELETE http://127.0.0.1{} HTTP/1.1", object("none")),
        format!(
            "PATCH {} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{}",
            object("b"),
            json!({"metadata": {"k": "v"}})
        ),
        format!("POST /upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=c HTTP/1.1\r\n\r\nx"),
        "nonsense".to_owned(),
    ];
    let parts = requests.iter().enumerate().map(|(index, request)| {
        format!(
            "--B\r\nContent-Type: application/http\r\nContent-ID: <u+{index}>\r\n\r\n{request}\r\n"
        )
    });
    let batch = |text: String| {
        let batch = f.request(Method::POST, "/batch/storage/v1").body(text);
        batch.header("content-type", "multipart/mixed; boundary=B").send()
    };
    let answer = batch(format!("{}--B--", parts.collect::<String>())).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "multipart/mixed; boundary=batch_idx2gcs");
    let text = answer.text().await.unwrap();
    let statuses: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)).collect();
    assert_eq!(statuses, ["204", "404", "200", "501", "400"]);
    assert!(text.contains("Content-ID: <response-u+2>"), "{text}");
    assert_eq!(f.emulator.objects(BUCKET).len(), 1);
    assert_eq!(f.emulator.object(BUCKET, "b").unwrap().0.metadata["k"], "v");

    let one = "--B\r\n\r\nGET /storage/v1/b HTTP/1.1\r\n\r\n\r\n";
    refused(batch(format!("{}--B--", one.repeat(101))).await.unwrap(), 400, "invalid").await;
    refused(batch("no parts".to_owned()).await.unwrap(), 400, "invalid").await;
}
