//! Downloads, buckets, listings, and objects kept in a folder.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{BUCKET, Fixture, body, refused};

#[tokio::test]
async fn downloads_whole_and_in_ranges() {
    let f = Fixture::plain().await;
    f.put("a", "0123456789").await;
    for root in ["/storage", "/download/storage"] {
        let path = format!("{root}/v1/b/{BUCKET}/o/a?alt=media");
        let whole = f.get(&path).await;
        assert!(whole.headers()["x-goog-hash"].to_str().unwrap().starts_with("crc32c="));
        assert_eq!(whole.text().await.unwrap(), "0123456789");
        let middle =
            f.request(Method::GET, &path).header("range", "bytes=2-4").send().await.unwrap();
        assert_eq!(middle.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(middle.headers()["content-range"], "bytes 2-4/10");
        assert_eq!(middle.text().await.unwrap(), "234");
        let past = f.request(Method::GET, &path).header("range", "bytes=10-").send().await.unwrap();
        assert_eq!(past.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    }
}

#[tokio::test]
async fn buckets_are_made_found_and_removed() {
    let f = Fixture::plain().await;
    let create = |body: &str| {
        f.request(Method::POST, "/storage/v1/b?project=p").body(body.to_owned()).send()
    };
    let made = body(create(r#"{"name": "second"}"#).await.unwrap()).await;
    assert_eq!((&made["kind"], &made["name"]), (&json!("storage#bucket"), &json!("second")));
    refused(create(r#"{"name": "second"}"#).await.unwrap(), 409, "conflict").await;
    refused(create(r#"{"name": "No/Name"}"#).await.unwrap(), 400, "invalid").await;
    assert_eq!(body(f.get("/storage/v1/b/second").await).await, made);
    refused(f.get("/storage/v1/b/third").await, 404, "notFound").await;
    let all = body(f.get("/storage/v1/b?project=p").await).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let first = body(f.get("/storage/v1/b?project=p&maxResults=1").await).await;
    assert_eq!(
        (first["items"].as_array().unwrap().len(), &first["items"][0]["name"]),
        (1, &json!(BUCKET))
    );
    let token = first["nextPageToken"].as_str().unwrap();
    let rest = body(f.get(&format!("/storage/v1/b?project=p&pageToken={token}")).await).await;
    assert_eq!(rest, json!({"kind": "storage#buckets", "items": [made]}));
    let asked = "permissions=storage.objects.create&permissions=storage.objects.list";
    let path = format!("/storage/v1/b/second/iam/testPermissions?{asked}");
    let granted = body(f.get(&path).await).await;
    assert_eq!(granted["permissions"].as_array().unwrap().len(), 2);
    let policy = body(f.get("/storage/v1/b/second/iam").await).await;
    assert_eq!((&policy["kind"], &policy["bindings"]), (&json!("storage#policy"), &json!([])));
    assert_eq!(policy["resourceId"], "projects/_/buckets/second");
    refused(f.get("/storage/v1/b/third/iam").await, 404, "notFound").await;

    let delete = |name: &str| f.request(Method::DELETE, &format!("/storage/v1/b/{name}")).send();
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
        let page = f.list(&format!("prefix=p/&maxResults=10&{fields}&pageToken={token}")).await;
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), expected);
        assert_eq!(items[0].as_object().unwrap().len(), 3);
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        token = page["nextPageToken"].as_str().unwrap_or_default().to_owned();
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
    let read = body(f.get(&format!("/storage/v1/b/{BUCKET}/o/dir%2Fa.jpg")).await).await;
    assert_eq!((&read["crc32c"], &read["md5Hash"]), (&stored["crc32c"], &stored["md5Hash"]));
    refused(f.put("dir%2Fa.jpg&ifGenerationMatch=0", "x").await, 412, "conditionNotMet").await;
    let incomplete = folder.path().join(".idx2gcs-incomplete");
    assert_eq!(std::fs::read_dir(incomplete).unwrap().count(), 0);
}

/// Names that are no paths, and names that are in each other's way as paths.
const ODD: [&str; 9] =
    ["../a", "/a", "a//b", "a/", "a/../b", "a\0b", "dir", "dir/a.jpg/b", ".idx2gcs-names/x"];

#[tokio::test]
async fn a_folder_holds_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let encode = |name: &str| name.replace('/', "%2F").replace('\0', "%00");
    let long = "x".repeat(1024);
    let names: Vec<&str> = ODD.into_iter().chain([long.as_str()]).collect();
    let f = Fixture::in_folder(folder.path()).await;
    f.put("dir%2Fa.jpg", "pixels").await;
    for name in &names {
        assert_eq!(f.put(&encode(name), name).await.status(), 200, "{name:?}");
    }
    // An object may take the path of a folder that is empty by now, or come after one in its way.
    f.put("y%2Fz", "old").await;
    f.put("y", "apart").await;
    let delete = async |f: &Fixture, name: &str| {
        let path = format!("/storage/v1/b/{BUCKET}/o/{}", encode(name));
        f.request(Method::DELETE, &path).send().await.unwrap().status().as_u16()
    };
    assert_eq!(delete(&f, "y/z").await, 204);
    std::fs::remove_dir(folder.path().join(BUCKET).join("y")).unwrap();
    f.put("y", "on its path").await;
    f.emulator.stop().await;

    // Nothing lies outside, and all of it is there after a restart.
    let outside = folder.path().parent().unwrap().join("a");
    assert!(!outside.exists(), "{}", outside.display());
    let f = Fixture::in_folder(folder.path()).await;
    for name in &names {
        assert_eq!(f.content(name).as_deref(), Some(name.as_bytes()), "{name:?}");
    }
    assert_eq!(f.content("dir/a.jpg").unwrap(), b"pixels");
    assert_eq!(f.content("y").unwrap(), b"on its path");
    assert_eq!(f.emulator.objects(BUCKET).len(), names.len() + 2);
    let stored: Vec<_> = f.emulator.objects(BUCKET).into_iter().map(|object| object.name).collect();
    for name in &stored {
        assert_eq!(delete(&f, name).await, 204, "{name:?}");
    }
    let bucket = f.request(Method::DELETE, &format!("/storage/v1/b/{BUCKET}"));
    assert_eq!(bucket.send().await.unwrap().status(), 204);
    f.emulator.stop().await;
    let f = Fixture::in_folder(folder.path()).await;
    assert!(f.emulator.objects(BUCKET).is_empty());
}
