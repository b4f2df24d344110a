//! The XML API, as the `object_store` crate and obstore use it.

use std::collections::BTreeSet;
use std::time::Duration;

use idx2gcs_emulator::{Answer, Operation, Rule};
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Method, Response};

use super::{BUCKET, Fixture, body, refused};

const GENERATION_MATCH: &str = "x-goog-if-generation-match";

async fn put(f: &Fixture, name: &str, headers: &[(&'static str, &str)]) -> Response {
    let put = f.request(Method::PUT, &format!("/{BUCKET}/{name}")).body("123456789");
    headers.iter().fold(put, |put, (name, value)| put.header(*name, *value)).send().await.unwrap()
}

async fn send(f: &Fixture, method: Method, path: &str, header: (&'static str, &str)) -> Response {
    f.request(method, path).header(header.0, header.1).send().await.unwrap()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

/// Checks status and code of an answer in the shape of this API's errors.
async fn failed(response: Response, status: u16, code: &str) {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["content-type"], "application/xml; charset=UTF-8");
    let text = response.text().await.unwrap();
    assert!(text.contains(&format!("<Error><Code>{code}</Code><Message>")), "{text}");
}

#[tokio::test]
async fn an_object_is_put_read_and_deleted() {
    let f = Fixture::plain().await;
    let attributes = [
        ("content-type", "image/jpeg"),
        ("cache-control", "no-store"),
        ("x-goog-meta-label", "Coat"),
        (GENERATION_MATCH, "0"),
    ];
    let stored = put(&f, "dir/a%20b.jpg", &attributes).await;
    assert_eq!(stored.status(), 200);
    let stored = stored.headers().clone();
    assert_eq!(stored["x-goog-hash"], "crc32c=4waSgw==");

    // Both APIs have the one store.
    let resource = body(f.get(&format!("/storage/v1/b/{BUCKET}/o/dir%2Fa%20b.jpg")).await).await;
    assert_eq!(resource["contentType"], "image/jpeg");
    assert_eq!(resource["metadata"]["label"], "Coat");
    assert_eq!(resource["generation"], text(&stored, "x-goog-generation"));

    let path = format!("/{BUCKET}/dir/a%20b.jpg");
    let whole = f.get(&path).await;
    let headers = whole.headers().clone();
    for name in ["etag", "x-goog-generation"] {
        assert_eq!(headers[name], stored[name], "{name}");
    }
    assert_eq!(headers["x-goog-hash"], "crc32c=4waSgw==,md5=JfnnlDI7RTiF9RgfG2JNCw==");
    for (name, value) in &attributes[..3] {
        assert_eq!(headers[*name], *value, "{name}");
    }
    assert!(httpdate::parse_http_date(text(&headers, "last-modified")).is_ok());
    assert_eq!(whole.text().await.unwrap(), "123456789");
    let part = send(&f, Method::GET, &path, ("range", "bytes=-2")).await;
    assert_eq!(
        (part.status().as_u16(), text(part.headers(), "content-range")),
        (206, "bytes 7-8/9")
    );
    assert_eq!(part.text().await.unwrap(), "89");

    let about = f.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(
        (about.status().as_u16(), &about.headers()[CONTENT_LENGTH]),
        (200, &headers[CONTENT_LENGTH])
    );
    for name in ["etag", "last-modified", "x-goog-generation", "x-goog-meta-label"] {
        assert_eq!(about.headers()[name], headers[name], "{name}");
    }

    let delete = || f.request(Method::DELETE, &path).send();
    assert_eq!(delete().await.unwrap().status(), 204);
    failed(delete().await.unwrap(), 404, "NoSuchKey").await;
    failed(f.get(&path).await, 404, "NoSuchKey").await;
    assert_eq!(f.request(Method::HEAD, &path).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn conditions_are_headers() {
    let f = Fixture::plain().await;
    let created = put(&f, "a", &[(GENERATION_MATCH, "0")]).await;
    let (generation, etag) = ("x-goog-generation", "etag");
    let (generation, etag) = (text(created.headers(), generation), text(created.headers(), etag));
    failed(put(&f, "a", &[(GENERATION_MATCH, "0")]).await, 412, "PreconditionFailed").await;
    failed(put(&f, "a", &[(GENERATION_MATCH, "x")]).await, 400, "InvalidArgument").await;
    let other = ("x-goog-if-metageneration-match", "2");
    failed(put(&f, "a", &[other]).await, 412, "PreconditionFailed").await;
    assert_eq!(f.emulator.counters().overwrites, 0);

    let path = format!("/{BUCKET}/a");
    let get = |name, value| send(&f, Method::GET, &path, (name, value));
    assert_eq!(get(GENERATION_MATCH, generation).await.status(), 200);
    failed(get(GENERATION_MATCH, "1").await, 412, "PreconditionFailed").await;
    assert_eq!(get("if-match", etag).await.status(), 200);
    failed(get("if-match", "\"x\"").await, 412, "PreconditionFailed").await;
    assert_eq!(get("if-none-match", "\"x\"").await.status(), 200);
    assert_eq!(get("if-none-match", &format!("\"x\", {etag}")).await.status(), 304);
    assert_eq!(f.get(&format!("{path}?generation={generation}")).await.status(), 200);
    failed(f.get(&format!("{path}?generation=1")).await, 404, "NoSuchKey").await;

    let delete = |value| send(&f, Method::DELETE, &path, (GENERATION_MATCH, value));
    failed(delete("1").await, 412, "PreconditionFailed").await;
    assert_eq!(delete(generation).await.status(), 204);
}

#[tokio::test]
async fn wrong_checksums_store_nothing() {
    let f = Fixture::plain().await;
    for wrong in [("x-goog-hash", "crc32c=AAAAAA=="), ("content-md5", "AAAA")] {
        failed(put(&f, "a", &[wrong]).await, 400, "InvalidArgument").await;
    }
    assert!(f.emulator.objects(BUCKET).is_empty());
    let right = [("x-goog-hash", "crc32c=4waSgw=="), ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")];
    assert_eq!(put(&f, "a", &right).await.status(), 200);
}

#[tokio::test]
async fn objects_are_copied() {
    let f = Fixture::plain().await;
    put(&f, "a%20b", &[("content-type", "image/png"), ("x-goog-meta-label", "Coat")]).await;
    let source = ("x-goog-copy-source", "pictures/a%20b");
    let copy = put(&f, "c", &[source, (GENERATION_MATCH, "0")]).await;
    assert_eq!(copy.status(), 200);
    let etag = text(f.get(&format!("/{BUCKET}/c")).await.headers(), "etag").to_owned();
    let answer = copy.text().await.unwrap();
    assert!(answer.contains(&format!("<ETag>{etag}</ETag>")), "{answer}");
    let (info, content) = f.emulator.object(BUCKET, "c").unwrap();
    assert_eq!(
        (&content[..], info.content_type.as_deref()),
        (&b"123456789"[..], Some("image/png"))
    );
    assert_eq!(info.metadata["label"], "Coat");
    failed(put(&f, "c", &[source, (GENERATION_MATCH, "0")]).await, 412, "PreconditionFailed").await;
    let stale = ("x-goog-copy-source-if-generation-match", "1");
    failed(put(&f, "d", &[source, stale]).await, 412, "PreconditionFailed").await;
    let other = ("x-goog-copy-source-generation", "1");
    failed(put(&f, "d", &[source, other]).await, 404, "NoSuchKey").await;

    let directive = |value| ("x-goog-metadata-directive", value);
    put(&f, "d", &[source, directive("REPLACE"), ("content-type", "text/plain")]).await;
    let (info, _) = f.emulator.object(BUCKET, "d").unwrap();
    assert_eq!((info.content_type.as_deref(), info.metadata.len()), (Some("text/plain"), 0));
    failed(put(&f, "e", &[source, directive("other")]).await, 400, "InvalidArgument").await;
    let none = ("x-goog-copy-source", "/pictures/none");
    failed(put(&f, "e", &[none]).await, 404, "NoSuchKey").await;
    failed(put(&f, "e", &[("x-goog-copy-source", "x")]).await, 400, "InvalidArgument").await;
    assert_eq!(f.content("e"), None);
}

#[tokio::test]
async fn an_object_comes_in_parts() {
    let f = Fixture::plain().await;
    let path = format!("/{BUCKET}/a/b");
    let between = |text: &str, name: &str| {
        let rest = text.split(&format!("<{name}>")).nth(1).unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    let begin = async || {
        let begun = f.request(Method::POST, &format!("{path}?uploads"));
        let begun = begun.header("content-type", "image/png").send().await.unwrap();
        assert_eq!(begun.status(), 200);
        between(&begun.text().await.unwrap(), "UploadId")
    };
    let part = async |id: &str, number: u32, content: Vec<u8>| {
        let path = format!("{path}?partNumber={number}&uploadId={id}");
        let sent = f.request(Method::PUT, &path).body(content).send().await.unwrap();
        assert_eq!(sent.status(), 200);
        let hash = text(sent.headers(), "x-goog-hash");
        assert!(hash.starts_with("crc32c=") && hash.contains(",md5="), "{hash}");
        text(sent.headers(), "etag").to_owned()
    };
    let complete = async |id: &str, parts: &[(u32, &str)]| {
        let parts = parts.iter().map(|(number, etag)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        });
        let list = parts.collect::<String>();
        let body = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
        let post = f.request(Method::POST, &format!("{path}?uploadId={id}")).body(body);
        post.send().await.unwrap()
    };
    let id = begin().await;
    let first = part(&id, 1, vec![1; 5 << 20]).await;
    part(&id, 3, vec![9]).await;
    // The same part again replaces it.
    let last = part(&id, 3, vec![3; 7]).await;
    let small = part(&id, 2, vec![2]).await;
    assert!(f.emulator.objects(BUCKET).is_empty());

    failed(complete(&id, &[(3, &last), (1, &first)]).await, 400, "InvalidPartOrder").await;
    failed(complete(&id, &[(1, &first), (4, &last)]).await, 400, "InvalidPart").await;
    failed(complete(&id, &[(1, &first), (3, "other")]).await, 400, "InvalidPart").await;
    failed(complete(&id, &[(2, &small), (3, &last)]).await, 400, "EntityTooSmall").await;
    assert_eq!(complete(&id, &[]).await.status(), 400);
    let quoted = last.replace('"', "&quot;");
    let done = complete(&id, &[(1, &first), (3, &quoted)]).await;
    assert_eq!(done.status(), 200);
    assert!(done.headers().contains_key("x-goog-generation"));
    assert_eq!(between(&done.text().await.unwrap(), "Key"), "a/b");
    let resource = body(f.get(&format!("/storage/v1/b/{BUCKET}/o/a%2Fb")).await).await;
    assert_eq!((&resource["size"], &resource["componentCount"]), (&"5242887".into(), &2.into()));
    assert_eq!(resource["contentType"], "image/png");
    assert_eq!(f.content("a/b").unwrap(), [vec![1; 5 << 20], vec![3; 7]].concat());
    failed(complete(&id, &[(1, &first)]).await, 404, "NoSuchUpload").await;

    let id = begin().await;
    let wrong = f.request(Method::PUT, &format!("{path}?partNumber=0&uploadId={id}")).send().await;
    failed(wrong.unwrap(), 400, "InvalidArgument").await;
    let wrong = f.request(Method::PUT, &format!("{path}?partNumber=1&uploadId={id}"));
    let wrong = wrong.header("x-goog-hash", "crc32c=AAAAAA==").body("x").send().await.unwrap();
    failed(wrong, 400, "InvalidArgument").await;
    let abort = || f.request(Method::DELETE, &format!("{path}?uploadId={id}")).send();
    assert_eq!(abort().await.unwrap().status(), 204);
    failed(abort().await.unwrap(), 404, "NoSuchUpload").await;
    let missing = f.request(Method::POST, "/no-such/a?uploads").send().await.unwrap();
    failed(missing, 404, "NoSuchBucket").await;
}

#[tokio::test]
async fn listings_come_in_pages() {
    let f = Fixture::plain().await;
    for name in ["a", "d/1", "d/2", "d/e/3", "x%26y%3Cz"] {
        assert_eq!(put(&f, name, &[]).await.status(), 200);
    }
    let list = async |query: &str| {
        let response = f.get(&format!("/{BUCKET}?list-type=2&{query}")).await;
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    };
    let all = |text: &str, tag: &str| -> Vec<String> {
        let start = format!("<{tag}>");
        let ends = text.split(&start).skip(1);
        ends.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    };
    let keys = |text: &str| all(text, "Key");

    let whole = list("").await;
    assert_eq!(keys(&whole), ["a", "d/1", "d/2", "d/e/3", "x&amp;y&lt;z"]);
    assert_eq!(all(&whole, "Size"), ["9"; 5]);
    let etags = all(&whole, "ETag");
    assert_eq!(etags[0], text(f.get(&format!("/{BUCKET}/a")).await.headers(), "etag"));
    assert_eq!(BTreeSet::from_iter(etags).len(), 5, "each is of one generation");
    assert_eq!(all(&whole, "IsTruncated"), ["false"]);
    let folded = list("prefix=d/&delimiter=/").await;
    assert_eq!(keys(&folded), ["d/1", "d/2"]);
    assert!(folded.contains("<CommonPrefixes><Prefix>d/e/</Prefix></CommonPrefixes>"), "{folded}");
    assert_eq!(keys(&list("start-after=d/1&prefix=d/").await), ["d/2", "d/e/3"]);

    let (mut joined, mut token) = (Vec::new(), String::new());
    for expected in [2, 2, 1] {
        let page = list(&format!("max-keys=2&continuation-token={token}")).await;
        assert_eq!(all(&page, "IsTruncated"), [(expected == 2).to_string()]);
        assert_eq!(keys(&page).len(), expected);
        joined.extend(keys(&page));
        token = all(&page, "NextContinuationToken").pop().unwrap_or_default();
    }
    assert_eq!(joined, keys(&whole));
}

#[tokio::test]
async fn what_is_not_here_is_refused() {
    let f = Fixture::plain().await;
    // Each of these would else write or read something other than was meant.
    for query in ["acl", "uploads", "encryption=1"] {
        failed(put(&f, &format!("b?{query}"), &[]).await, 501, "NotImplemented").await;
    }
    for header in ["x-goog-acl", "x-goog-custom-time", "x-goog-encryption-key"] {
        failed(put(&f, "b", &[(header, "x")]).await, 501, "NotImplemented").await;
    }
    failed(f.get(&format!("/{BUCKET}?list-type=2&fetch-owner=true")).await, 501, "NotImplemented")
        .await;
    failed(f.get(&format!("/{BUCKET}/b?uploadId=x")).await, 501, "NotImplemented").await;
    failed(f.get(&format!("/{BUCKET}")).await, 501, "NotImplemented").await;
    let post = f.request(Method::POST, &format!("/{BUCKET}/b")).body("x").send().await.unwrap();
    failed(post, 501, "NotImplemented").await;
    let make = f.request(Method::PUT, "/second").send().await.unwrap();
    failed(make, 501, "NotImplemented").await;
    failed(f.request(Method::PUT, "/second/a").send().await.unwrap(), 404, "NoSuchBucket").await;
    failed(put(&f, "a%0Ab", &[]).await, 400, "InvalidArgument").await;
    failed(put(&f, "a%FF", &[]).await, 400, "InvalidArgument").await;
    assert!(f.emulator.objects(BUCKET).is_empty());

    // The JSON API's paths are never objects.
    for path in ["/storage/v1/nothing", "/upload/a", "/download/storage/v2"] {
        refused(f.request(Method::PUT, path).send().await.unwrap(), 501, "notImplemented").await;
    }
}

#[tokio::test]
async fn faults_befall_it_as_well() {
    let busy = Answer::Status {
        code: 429,
        reason: None,
        retry_after: Some(Duration::from_secs(2)),
        body: None,
    };
    let rule = |operation, answer| Rule::new(operation, answer).named("a").attempt(1);
    let f = Fixture::scripted([
        rule(Operation::Insert, busy),
        rule(Operation::Get, Answer::status(503)),
        rule(Operation::Download, Answer::ResetBefore),
        rule(Operation::Delete, Answer::status(403)),
        Rule::new(Operation::List, Answer::status(500)),
    ])
    .await;
    let refused = put(&f, "a", &[]).await;
    assert_eq!(refused.headers()["retry-after"], "2");
    failed(refused, 429, "SlowDown").await;
    assert_eq!(put(&f, "a", &[]).await.status(), 200);
    let path = format!("/{BUCKET}/a");
    assert_eq!(f.request(Method::HEAD, &path).send().await.unwrap().status(), 503);
    assert!(f.request(Method::GET, &path).send().await.is_err());
    let delete = f.request(Method::DELETE, &path).send().await.unwrap();
    failed(delete, 403, "AccessDenied").await;
    failed(f.get(&format!("/{BUCKET}?list-type=2")).await, 500, "InternalError").await;
    assert_eq!(f.emulator.counters().faults.scripted, 5);
}
