//! Objects made from objects, and other metadata for one that is there.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{BUCKET, Fixture, body, refused};

async fn send(f: &Fixture, method: Method, path: &str, sent: &Value) -> Response {
    let path = format!("/storage/v1/b/{BUCKET}/o/{path}");
    f.request(method, &path).body(sent.to_string()).send().await.unwrap()
}

/// An object with attributes: `a/1`.
async fn fixture(f: &Fixture) -> Value {
    let metadata = json!({
        "name": "a/1", "cacheControl": "no-store", "metadata": {"label": "Coat", "old": "1"}
    });
    body(f.put_multipart("", &metadata, b"123456789").await).await
}

#[tokio::test]
async fn a_patch_changes_metadata_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for f in [Fixture::plain().await, Fixture::in_folder(folder.path()).await] {
        let first = fixture(&f).await;
        let patch = json!({"metadata": {"old": null, "new": "2"}, "cacheControl": null});
        let patched = send(&f, Method::PATCH, "a%2F1?ifMetagenerationMatch=1", &patch).await;
        assert_eq!(patched.status(), 200);
        let patched = body(patched).await;
        assert_eq!(patched["metadata"], json!({"label": "Coat", "new": "2"}));
        assert_eq!(
            (&patched["cacheControl"], &patched["contentType"]),
            (&Value::Null, &json!("image/jpeg"))
        );
        assert_eq!(
            (&patched["generation"], &patched["metageneration"]),
            (&first["generation"], &json!("2"))
        );
        assert_ne!(patched["etag"], first["etag"]);
        assert_eq!(patched["timeCreated"], first["timeCreated"]);
        assert_eq!(body(f.get(&format!("/storage/v1/b/{BUCKET}/o/a%2F1")).await).await, patched);
        assert_eq!(f.content("a/1").unwrap(), b"123456789");

        let stale = send(&f, Method::PATCH, "a%2F1?ifMetagenerationMatch=1", &patch).await;
        refused(stale, 412, "conditionNotMet").await;
        let same = send(&f, Method::PATCH, "a%2F1?ifMetagenerationNotMatch=2", &patch).await;
        refused(same, 412, "conditionNotMet").await;
        refused(send(&f, Method::PATCH, "a%2F1?generation=1", &patch).await, 404, "notFound").await;
        refused(send(&f, Method::PATCH, "none", &patch).await, 404, "notFound").await;
        refused(send(&f, Method::PATCH, "a%2F1", &json!({"metadata": 1})).await, 400, "invalid")
            .await;
        let class = json!({"storageClass": "NEARLINE"});
        refused(send(&f, Method::PATCH, "a%2F1", &class).await, 400, "invalid").await;

        let update = json!({"contentType": "image/png", "name": "a/1"});
        let updated = body(
            send(&f, Method::PUT, "a%2F1?fields=metadata,contentType,metageneration", &update)
                .await,
        )
        .await;
        assert_eq!(updated, json!({"contentType": "image/png", "metageneration": "3"}));
        assert_eq!(f.emulator.counters().inserts, 1);
    }
}

#[tokio::test]
async fn an_object_is_copied_rewritten_and_moved() {
    let folder = tempfile::tempdir().unwrap();
    for f in [Fixture::plain().await, Fixture::in_folder(folder.path()).await] {
        let first = fixture(&f).await;
        let created =
            f.request(Method::POST, "/storage/v1/b?project=p").body(r#"{"name": "second"}"#);
        assert_eq!(created.send().await.unwrap().status(), 200);

        let copy = send(&f, Method::POST, "a%2F1/copyTo/b/second/o/b%2F2", &json!({})).await;
        assert_eq!(copy.status(), 200);
        let copy = body(copy).await;
        assert_eq!((&copy["bucket"], &copy["name"]), (&json!("second"), &json!("b/2")));
        for field in ["md5Hash", "crc32c", "size", "contentType", "cacheControl", "metadata"] {
            assert_eq!(copy[field], first[field], "{field}");
        }
        assert_ne!(copy["generation"], first["generation"]);
        assert_eq!(&f.emulator.object("second", "b/2").unwrap().1[..], b"123456789");

        // What the body names is all that the new object has.
        let sent = json!({"contentType": "image/png", "storageClass": "NEARLINE"});
        let rewritten =
            body(send(&f, Method::POST, &format!("a%2F1/rewriteTo/b/{BUCKET}/o/c"), &sent).await)
                .await;
        assert_eq!(rewritten["kind"], "storage#rewriteResponse");
        assert_eq!(
            (&rewritten["done"], &rewritten["totalBytesRewritten"], &rewritten["objectSize"]),
            (&json!(true), &json!("9"), &json!("9"))
        );
        let resource = &rewritten["resource"];
        assert_eq!(
            (&resource["contentType"], &resource["storageClass"]),
            (&sent["contentType"], &sent["storageClass"])
        );
        assert_eq!(resource["metadata"], Value::Null);

        let to = format!("/copyTo/b/{BUCKET}/o/c");
        let exists =
            send(&f, Method::POST, &format!("a%2F1{to}?ifGenerationMatch=0"), &json!({})).await;
        refused(exists, 412, "conditionNotMet").await;
        for source in ["ifSourceGenerationMatch=1", "ifSourceMetagenerationNotMatch=1"] {
            let changed = send(&f, Method::POST, &format!("a%2F1{to}?{source}"), &json!({})).await;
            refused(changed, 412, "conditionNotMet").await;
        }
        for missing in [
            format!("none{to}"),
            format!("a%2F1{to}?sourceGeneration=1"),
            "a%2F1/copyTo/b/no-such/o/c".to_owned(),
        ] {
            refused(send(&f, Method::POST, &missing, &json!({})).await, 404, "notFound").await;
        }
        let bad =
            send(&f, Method::POST, &format!("a%2F1/copyTo/b/{BUCKET}/o/x%0Ay"), &json!({})).await;
        refused(bad, 400, "invalid").await;

        let moved = body(send(&f, Method::POST, "a%2F1/moveTo/o/d", &json!({})).await).await;
        assert_eq!((&moved["name"], &moved["metadata"]), (&json!("d"), &first["metadata"]));
        assert_eq!((f.content("a/1"), f.content("d").unwrap()), (None, b"123456789".to_vec()));
        let same = send(&f, Method::POST, "d/moveTo/o/d", &json!({})).await;
        assert_eq!((same.status().as_u16(), f.content("d").is_some()), (200, true));
    }
}

#[tokio::test]
async fn objects_are_composed() {
    let folder = tempfile::tempdir().unwrap();
    for f in [Fixture::plain().await, Fixture::in_folder(folder.path()).await] {
        let generation = body(f.put("1", "1234").await).await["generation"].clone();
        f.put("2", "56789").await;
        let compose = async |to: &str, sources: Value| {
            let sent =
                json!({"sourceObjects": sources, "destination": {"contentType": "text/plain"}});
            send(&f, Method::POST, &format!("{to}/compose"), &sent).await
        };
        let sources = json!([{"name": "1", "generation": generation}, {"name": "2"}]);
        let made = body(compose("12", sources).await).await;
        assert_eq!((&made["crc32c"], &made["size"]), (&json!("4waSgw=="), &json!("9")));
        assert_eq!((&made["componentCount"], &made["md5Hash"]), (&json!(2), &Value::Null));
        assert_eq!(made["contentType"], "text/plain");
        assert_eq!(f.content("12").unwrap(), b"123456789");
        let read = f.get(&format!("/storage/v1/b/{BUCKET}/o/12?alt=media")).await;
        assert_eq!(read.headers()["x-goog-hash"], "crc32c=4waSgw==");

        let more = body(compose("122", json!([{"name": "12"}, {"name": "2"}])).await).await;
        assert_eq!(more["componentCount"], 3);
        let stale = json!([{"name": "1", "objectPreconditions": {"ifGenerationMatch": "1"}}]);
        refused(compose("x", stale).await, 412, "conditionNotMet").await;
        refused(compose("x", json!([{"name": "1"}, {"name": "none"}])).await, 404, "notFound")
            .await;
        refused(compose("x", json!([])).await, 400, "invalid").await;
        refused(compose("x", json!(vec![json!({"name": "1"}); 33])).await, 400, "invalid").await;
        let sent = json!({"sourceObjects": [{"name": "1"}]});
        let twice = send(&f, Method::POST, "12/compose?ifGenerationMatch=0", &sent).await;
        refused(twice, 412, "conditionNotMet").await;
        let delete = json!({"sourceObjects": [{"name": "1"}], "deleteSourceObjects": true});
        refused(send(&f, Method::POST, "x/compose", &delete).await, 501, "notImplemented").await;
        assert_eq!(f.content("x"), None);
    }
}
