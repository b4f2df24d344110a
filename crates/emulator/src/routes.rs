//! Which handler answers which path and method.

use http::request::Parts;
use http::{Method, Request};
use hyper::body::Incoming;

use crate::answers::{ApiError, ApiResult, json};
use crate::body::Response;
use crate::call::{App, Call, Content, decode};
use crate::copies::{self, Transfer};
use crate::{batch, buckets, insert, objects, resumable, xml};

/// Answers a request.
pub(crate) async fn answer(app: &App, request: Request<Incoming>) -> Response {
    let (head, body) = request.into_parts();
    let body = Content::Stream(body);
    let path = head.uri.path();
    let first = path.split('/').nth(1).unwrap_or_default();
    // The JSON API's paths come first, as at Google: they are not objects of buckets of these names.
    match first {
        // Boxed, so that the futures of usual requests stay small.
        "batch" => {
            let each = |head: Parts, content| -> batch::Answering<'_> {
                Box::pin(async move { json_api(app, &head, Content::Whole(content)).await })
            };
            let answer = Box::pin(batch::answer(app, &head, body, each)).await;
            answer.unwrap_or_else(ApiError::into_json)
        }
        "storage" | "upload" | "download" | "resumable" => {
            let answer = json_api(app, &head, body).await;
            answer.unwrap_or_else(ApiError::into_json)
        }
        "_emulator" => counters(app, &head).unwrap_or_else(ApiError::into_json),
        _ => xml::answer(app, &head, body).await.unwrap_or_else(xml::refuse),
    }
}

fn counters(app: &App, head: &Parts) -> ApiResult {
    match (head.uri.path(), &head.method) {
        ("/_emulator/counters", &Method::GET) => json(&app.stats.snapshot()),
        _ => Err(ApiError::no_method(head)),
    }
}

/// The three places of the JSON API: resources, uploads, and downloads.
#[derive(Clone, Copy)]
enum Place {
    Storage,
    Upload,
    Download,
}

const PLACES: [(&str, Place); 4] = [
    ("/storage/v1/b", Place::Storage),
    ("/upload/storage/v1/b", Place::Upload),
    // Where `gcloud storage` opens its resumable uploads.
    ("/resumable/upload/storage/v1/b", Place::Upload),
    ("/download/storage/v1/b", Place::Download),
];

/// Answers a request of the JSON API.
pub(crate) async fn json_api(app: &App, head: &Parts, body: Content) -> ApiResult {
    let path = head.uri.path();
    let found = PLACES.into_iter().find_map(|(start, place)| {
        let rest = path.strip_prefix(start)?;
        (rest.is_empty() || rest.starts_with('/')).then_some((place, rest))
    });
    let Some((place, rest)) = found else {
        return Err(ApiError::no_method(head));
    };
    // `/BUCKET`, `/BUCKET/o` or `/BUCKET/o/NAME`, and for what is done with an object what follows
    // its name, which has its slashes percent-encoded.
    let mut parts = rest.strip_prefix('/').unwrap_or(rest).splitn(4, '/');
    let mut next = || parts.next().unwrap_or_default();
    let (bucket, collection, name, action) = (next(), next(), next(), next());
    let call = Call::new(app, head, bucket, if collection == "o" { name } else { "" })?;

    let method = match head.method.as_str() {
        // The server sends no body in answer to it.
        "HEAD" => "GET",
        other => other,
    };
    match (place, bucket, collection, name) {
        _ if !action.is_empty() => match (place, method, collection) {
            (Place::Storage, "POST", "o") => Box::pin(on_object(call, body, action)).await,
            _ => Err(ApiError::no_method(head)),
        },
        (Place::Storage, "", "", "") => match method {
            "GET" => buckets::list(call).await,
            "POST" => buckets::create(call, body).await,
            _ => Err(ApiError::no_method(head)),
        },
        (_, "", ..) => Err(ApiError::no_method(head)),
        (Place::Storage, _, "", "") => match method {
            "GET" => buckets::read(call).await,
            "DELETE" => buckets::delete(call).await,
            _ => Err(ApiError::no_method(head)),
        },
        (Place::Storage, _, "iam" | "storageLayout", _) => match (method, collection, name) {
            ("GET", "iam", "") => buckets::policy(call).await,
            ("GET", "iam", "testPermissions") => buckets::test_permissions(call).await,
            ("GET", "storageLayout", "") => buckets::storage_layout(call).await,
            _ => Err(ApiError::no_method(head)),
        },
        (Place::Storage, _, "o", "") => match method {
            "GET" => objects::list(call).await,
            _ => Err(ApiError::no_method(head)),
        },
        (Place::Storage, _, "o", _) => match method {
            "GET" => objects::read(call).await,
            "DELETE" => objects::delete(call).await,
            "PATCH" | "PUT" => objects::update(call, body).await,
            _ => Err(ApiError::no_method(head)),
        },
        (Place::Upload, _, "o", "") => match method {
            "POST" => insert::upload(call, body).await,
            "PUT" => resumable::receive(call, body).await,
            "DELETE" => resumable::cancel(&call),
            _ => Err(ApiError::no_method(head)),
        },
        (Place::Download, _, "o", _) if !name.is_empty() => match method {
            "GET" => objects::download(call).await,
            _ => Err(ApiError::no_method(head)),
        },
        _ => Err(ApiError::no_method(head)),
    }
}

/// What is done with an object: `compose`, `copyTo/b/BUCKET/o/NAME`, `rewriteTo/b/BUCKET/o/NAME`,
/// `moveTo/o/NAME`.
async fn on_object(call: Call<'_>, body: Content, action: &str) -> ApiResult {
    let mut parts = action.split('/');
    let mut next = || parts.next().unwrap_or_default();
    let (how, bucket, name) = match (next(), next(), next(), next(), next(), next()) {
        ("compose", "", ..) => return copies::compose(call, body).await,
        ("copyTo", "b", bucket, "o", name, "") => (Transfer::Copy, decode(bucket)?, name),
        ("rewriteTo", "b", bucket, "o", name, "") => (Transfer::Rewrite, decode(bucket)?, name),
        ("moveTo", "o", name, "", ..) => (Transfer::Move, call.bucket.clone(), name),
        _ => return Err(ApiError::no_method(call.head)),
    };
    copies::transfer(call, body, how, (&bucket, &decode(name)?)).await
}
