//! Uploads of every kind, preconditions and checksums.

use reqwest::{Method, Response};
use serde_json::json;

use super::{BUCKET, Fixture, body, refused};

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

    let read = f.get(&format!("/storage/v1/b/{BUCKET}/o/dir%2Fa%20b.txt")).await;
    assert_eq!(body(read).await, object);
    for link in ["selfLink", "mediaLink"] {
        let link = object[link].as_str().unwrap();
        assert_eq!(f.client.get(link).send().await.unwrap().status(), 200, "{link}");
    }
    let next = body(f.put("dir%2Fa+b.txt", "2").await).await;
    assert!(next["generation"].as_str().unwrap().parse::<i64>().unwrap() > generation);
    let counters = f.emulator.counters();
    assert_eq!((counters.inserts, counters.overwrites, counters.bytes_stored), (2, 1, 10));
    let served = body(f.get("/_emulator/counters").await).await;
    assert_eq!(served["inserts"], 2);
    f.emulator.stop().await;
}

#[tokio::test]
async fn multipart_upload_keeps_metadata() {
    let f = Fixture::plain().await;
    let metadata = json!({"name": "a.jpg", "crc32c": "4waSgw==", "metadata": {"label": "Coat"}});
    let response = f.put_multipart("&ifGenerationMatch=0", &metadata, b"123456789").await;
    assert_eq!(response.status(), 200);
    let object = body(response).await;
    assert_eq!(object["contentType"], "image/jpeg");
    assert_eq!(object["metadata"]["label"], "Coat");
    let (info, content) = f.emulator.object(BUCKET, "a.jpg").unwrap();
    assert_eq!((info.crc32c, &content[..]), (0xe306_9283, &b"123456789"[..]));

    let partial = f.put_multipart("&fields=name,size,crc32c", &json!({"name": "b"}), b"").await;
    assert_eq!(body(partial).await, json!({"name": "b", "size": "0", "crc32c": "AAAAAA=="}));

    let no_boundary =
        f.request(Method::POST, &format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart"));
    refused(no_boundary.body("x").send().await.unwrap(), 400, "invalid").await;
    refused(f.put_multipart("", &json!({"name": 7}), b"").await, 400, "invalid").await;
    refused(f.put_multipart("", &json!({}), b"").await, 400, "required").await;
}

#[tokio::test]
async fn resumable_upload_in_chunks() {
    let f = Fixture::plain().await;
    let open = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&ifGenerationMatch=0");
    let metadata = json!({"name": "big.bin", "contentType": "image/png"}).to_string();
    let opened = f.request(Method::POST, &open).body(metadata).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    let session = opened.headers()["location"].to_str().unwrap().to_owned();
    let send = |range: &str, chunk: Vec<u8>| {
        f.client.put(&session).header("content-range", range).body(chunk).send()
    };
    let kept = |response: &Response| {
        response.headers().get("range").map(|range| range.to_str().unwrap().to_owned())
    };
    let content: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    let (first, last) = content.split_at(262_144);

    let status = send("bytes */*", vec![]).await.unwrap();
    assert_eq!((status.status().as_u16(), kept(&status)), (308, None));
    let uneven = send("bytes 0-99/*", vec![0; 100]).await.unwrap();
    refused(uneven, 400, "invalid").await;
    let endless = format!("bytes 0-{}/*", u64::MAX);
    refused(send(&endless, vec![0; 100]).await.unwrap(), 400, "invalid").await;
    let part = send("bytes 0-262143/*", first.to_vec()).await.unwrap();
    assert_eq!((part.status().as_u16(), kept(&part)), (308, Some("bytes=0-262143".to_owned())));
    let status = send("bytes */300000", vec![]).await.unwrap();
    assert_eq!((status.status().as_u16(), kept(&status)), (308, Some("bytes=0-262143".to_owned())));
    let done = send("bytes 262144-299999/300000", last.to_vec()).await.unwrap();
    assert_eq!(done.status(), 200);
    let object = body(done).await;
    assert_eq!((&object["size"], &object["contentType"]), (&json!("300000"), &json!("image/png")));
    assert_eq!(f.content("big.bin").unwrap(), content);
    // The answer may have got lost: asking again gets it again.
    let again = send("bytes */300000", vec![]).await.unwrap();
    assert_eq!(body(again).await, object);
    assert_eq!(f.emulator.counters().inserts, 1);

    let unknown = f.client.put(session.replace("session-", "other-")).body("x").send().await;
    refused(unknown.unwrap(), 404, "notFound").await;
}

#[tokio::test]
async fn preconditions_guard_writes_reads_and_deletes() {
    let f = Fixture::plain().await;
    let first = body(f.put("a&ifGenerationMatch=0", "1").await).await;
    let generation = first["generation"].as_str().unwrap();
    refused(f.put("a&ifGenerationMatch=0", "2").await, 412, "conditionNotMet").await;
    refused(f.put("a&ifGenerationMatch=1", "2").await, 412, "conditionNotMet").await;
    let not = f.put(&format!("a&ifGenerationNotMatch={generation}"), "2").await;
    refused(not, 412, "conditionNotMet").await;
    refused(f.put("a&ifMetagenerationMatch=2", "2").await, 412, "conditionNotMet").await;
    refused(f.put("b&ifMetagenerationMatch=1", "2").await, 412, "conditionNotMet").await;
    refused(f.put("a&ifGenerationMatch=x", "2").await, 400, "invalid").await;
    assert_eq!(f.content("a").unwrap(), b"1");
    assert_eq!(f.emulator.counters().precondition_failed, 5);

    let path = format!("/storage/v1/b/{BUCKET}/o/a");
    let hit = f.get(&format!("{path}?ifGenerationMatch={generation}")).await;
    assert_eq!(hit.status(), 200);
    refused(f.get(&format!("{path}?ifGenerationMatch=1")).await, 412, "conditionNotMet").await;
    let same = f.get(&format!("{path}?ifGenerationNotMatch={generation}")).await;
    assert_eq!(same.status(), 304);
    refused(f.get(&format!("{path}?generation=1")).await, 404, "notFound").await;

    let delete = |query: &str| f.request(Method::DELETE, &format!("{path}{query}")).send();
    refused(delete("?ifGenerationMatch=1").await.unwrap(), 412, "conditionNotMet").await;
    assert_eq!(f.put(&format!("a&ifGenerationMatch={generation}"), "3").await.status(), 200);
    assert_eq!(delete("?ifMetagenerationMatch=1").await.unwrap().status(), 204);
    refused(delete("").await.unwrap(), 404, "notFound").await;
}

#[tokio::test]
async fn one_of_many_racing_creations_wins() {
    let folder = tempfile::tempdir().unwrap();
    for f in [Fixture::plain().await, Fixture::in_folder(folder.path()).await] {
        let puts = (0..16).map(|_| f.put("same&ifGenerationMatch=0", "x"));
        let answers = futures::future::join_all(puts).await;
        let stored = answers.iter().filter(|answer| answer.status() == 200).count();
        let lost = answers.iter().filter(|answer| answer.status() == 412).count();
        assert_eq!((stored, lost), (1, 15));
        assert_eq!(f.emulator.counters().overwrites, 0);
    }
}

#[tokio::test]
async fn wrong_checksums_and_names_store_nothing() {
    let f = Fixture::plain().await;
    for wrong in [json!({"name": "a", "crc32c": "AAAAAA=="}), json!({"name": "a", "md5Hash": "?"})]
    {
        refused(f.put_multipart("", &wrong, b"123456789").await, 400, "invalid").await;
    }
    let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=a");
    let with_hash =
        |hash| f.request(Method::POST, &path).header("x-goog-hash", hash).body("123456789");
    refused(with_hash("crc32c=AAAAAA==").send().await.unwrap(), 400, "invalid").await;
    let right = with_hash("crc32c=4waSgw==,md5=JfnnlDI7RTiF9RgfG2JNCw==").send().await.unwrap();
    assert_eq!(right.status(), 200);

    refused(f.put("a%0Ab", "x").await, 400, "invalid").await;
    refused(f.put(&"x".repeat(1025), "x").await, 400, "invalid").await;
    refused(f.put("", "x").await, 400, "required").await;
    assert_eq!(f.emulator.objects(BUCKET).len(), 1);
    let upload = f.request(Method::POST, "/upload/storage/v1/b/no-such/o?uploadType=media&name=a");
    refused(upload.body("x").send().await.unwrap(), 404, "notFound").await;
}
