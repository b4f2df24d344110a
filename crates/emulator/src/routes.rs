//! Which handler answers which path and method.

use http::request::Parts;
use http::{Method, Request};
use hyper::body::Incoming;

use crate::answers::{ApiError, ApiResult, json};
use crate::body::Response;
use crate::call::{App, Call};
use crate::{buckets, insert, objects, resumable, xml};

/// Answers a request.
pub(crate) async fn answer(app: &App, request: Request<Incoming>) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let first = path.split('/').nth(1).unwrap_or_default();
    // The JSON API's paths come first, as at Google: they are not objects of buckets of these names.
    match first {
        "storage" | "upload" | "download" => {
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
        ("/_emulator/counters", _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::no_route()),
    }
}

/// The three places of the JSON API: resources, uploads, and downloads.
#[derive(Clone, Copy)]
enum Place {
    Storage,
    Upload,
    Download,
}

const PLACES: [(&str, Place); 3] = [
    ("/storage/v1/b", Place::Storage),
    ("/upload/storage/v1/b", Place::Upload),
    ("/download/storage/v1/b", Place::Download),
];

async fn json_api(app: &App, head: &Parts, body: Incoming) -> ApiResult {
    let path = head.uri.path();
    let found = PLACES.into_iter().find_map(|(start, place)| {
        let rest = path.strip_prefix(start)?;
        (rest.is_empty() || rest.starts_with('/')).then_some((place, rest))
    });
    let Some((place, rest)) = found else {
        return Err(ApiError::no_route());
    };
    // `/BUCKET`, `/BUCKET/COLLECTION` or `/BUCKET/COLLECTION/NAME`, the name with slashes or without.
    let mut parts = rest.strip_prefix('/').unwrap_or(rest).splitn(3, '/');
    let mut next = || parts.next().unwrap_or_default();
    let (bucket, collection, name) = (next(), next(), next());
    let call = Call::new(app, head, bucket, if collection == "o" { name } else { "" })?;

    let method = match head.method.as_str() {
        // The server sends no body in answer to it.
        "HEAD" => "GET",
        other => other,
    };
    match (place, bucket, collection, name) {
        (Place::Storage, "", "", "") => match method {
            "GET" => buckets::list(call).await,
            "POST" => buckets::create(call, body).await,
            _ => Err(ApiError::method_not_allowed()),
        },
        (_, "", ..) => Err(ApiError::no_route()),
        (Place::Storage, _, "", "") => match method {
            "GET" => buckets::read(call).await,
            "DELETE" => buckets::delete(call).await,
            _ => Err(ApiError::method_not_allowed()),
        },
        (Place::Storage, _, "iam" | "storageLayout", _) => match (method, collection, name) {
            ("GET", "iam", "") => buckets::policy(call).await,
            ("GET", "iam", "testPermissions") => buckets::test_permissions(call).await,
            ("GET", "storageLayout", "") => buckets::storage_layout(call).await,
            (_, "iam", "" | "testPermissions") | (_, "storageLayout", "") => {
                Err(ApiError::method_not_allowed())
            }
            _ => Err(ApiError::no_route()),
        },
        (Place::Storage, _, "o", "") => match method {
            "GET" => objects::list(call).await,
            _ => Err(ApiError::method_not_allowed()),
        },
        (Place::Storage, _, "o", _) => match method {
            "GET" => objects::read(call).await,
            "DELETE" => objects::delete(call).await,
            _ => Err(ApiError::method_not_allowed()),
        },
        (Place::Upload, _, "o", "") => match method {
            "POST" => insert::upload(call, body).await,
            "PUT" => resumable::receive(call, body).await,
            "DELETE" => resumable::cancel(&call),
            _ => Err(ApiError::method_not_allowed()),
        },
        (Place::Download, _, "o", _) if !name.is_empty() => match method {
            "GET" => objects::download(call).await,
            _ => Err(ApiError::method_not_allowed()),
        },
        _ => Err(ApiError::no_route()),
    }
}
