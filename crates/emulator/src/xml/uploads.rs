//! Multipart uploads of the XML API: an object in parts, each sent by itself
//! (<https://cloud.google.com/storage/docs/multipart-uploads>).

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use http::StatusCode;
use http::header::ETAG;
use parking_lot::Mutex;

use super::text::{document, element, etag, root, texts};
use crate::answers::{ApiError, ApiResult, status_only};
use crate::call::{Call, Content};
use crate::headers::set;
use crate::media;
use crate::object::{Checksums, Declared};
use crate::query::Preconditions;
use crate::script::Operation;
use crate::store::NewObject;
use crate::upload::Upload;
use crate::uploads::{Part, Parts};

/// An object may have so many parts.
const MOST_PARTS: i64 = 10_000;

/// Every part but the last must have so many bytes.
const SMALLEST_PART: usize = 5 << 20;

/// The upload that a request names, if it is of the object that the request names.
fn find(call: &Call<'_>) -> Result<(u64, Arc<Parts>), ApiError> {
    let id = call.query.get("uploadId").unwrap_or_default();
    call.app.uploads.find(id, &call.bucket, &call.object).ok_or_else(ApiError::no_session)
}

/// `POST /BUCKET/OBJECT?uploads`: begins an upload.
pub(super) async fn begin(call: &Call<'_>) -> ApiResult {
    let upload = Upload::from_headers(&call.object, &call.head.headers)?;
    let work = pin!(async {
        let bucket = call.app.store.bucket(&call.bucket)?.name.clone();
        let fields = [element("Bucket", &bucket), element("Key", &upload.name)];
        let id = call.app.uploads.add(Parts { bucket, upload, by_number: Mutex::default() });
        let fields = [fields.concat(), element("UploadId", &id)];
        Ok(document(root("InitiateMultipartUploadResult", &fields)))
    });
    call.gate(Operation::Session, &call.object, work).await
}

/// `PUT /BUCKET/OBJECT?partNumber=N&uploadId=ID`: a part, which replaces one of the same number.
pub(super) async fn part(call: &Call<'_>, body: Content) -> ApiResult {
    let _in_flight = call.app.stats.insert_in_flight();
    let number = call.query.number("partNumber")?.filter(|n| (1..=MOST_PARTS).contains(n));
    let wrong = || ApiError::invalid(format!("partNumber must be 1 to {MOST_PARTS}"));
    let number = number.ok_or_else(wrong)?;
    let content = call.read(body).await?;
    let work = pin!(async {
        let (_, parts) = find(call)?;
        let checksums = Checksums::of(&content);
        let mut declared = Declared::default();
        declared.add_headers(&call.head.headers);
        declared.check(&checksums, &content)?;
        let etag = format!("\"{}\"", HEXLOWER.encode(&checksums.md5(&content)));
        let mut response = status_only(StatusCode::OK);
        set(&mut response, ETAG, &etag);
        set(&mut response, "x-goog-hash", &checksums.header(&content));
        // A copy of its own size, as in the store.
        let content = Bytes::copy_from_slice(&content);
        parts.by_number.lock().insert(number, Part { content, etag });
        Ok(response)
    });
    call.gate(Operation::Insert, &call.object, work).await
}

/// `POST /BUCKET/OBJECT?uploadId=ID`: makes the object of the parts that the body names.
pub(super) async fn complete(call: &Call<'_>, body: Content) -> ApiResult {
    let body = call.read(body).await?;
    let body = std::str::from_utf8(&body)
        .map_err(|_| ApiError::invalid("the list of parts is not UTF-8".to_owned()))?;
    let work = pin!(async {
        let (number, parts) = find(call)?;
        let chosen = chosen(body, &parts.by_number.lock())?;
        let size = chosen.iter().map(|part| part.content.len()).sum::<usize>();
        if size > call.app.max_body {
            return Err(ApiError::too_large(call.app.max_body));
        }
        let mut content = BytesMut::with_capacity(size);
        for part in &chosen {
            content.extend_from_slice(&part.content);
        }
        let content = content.freeze();
        let bucket = call.app.store.bucket(&call.bucket)?;
        let new = NewObject {
            name: parts.upload.name.clone(),
            attributes: parts.upload.attributes.clone(),
            checksums: Checksums::of(&content),
            components: u32::try_from(chosen.len()).ok(),
            content,
            preconditions: Preconditions::from_headers(&call.head.headers)?,
        };
        let object = call.app.store.put(&bucket, new).await?;
        call.app.uploads.remove(number);
        let fields = [
            element("Location", &format!("http://{}{}", call.host(), call.head.uri.path())),
            element("Bucket", &bucket.name),
            element("Key", &object.name),
            element("ETag", &etag(&object)),
        ];
        let mut response = document(root("CompleteMultipartUploadResult", &fields));
        media::identify(&mut response, &object);
        Ok(response)
    });
    call.gate(Operation::Compose, &call.object, work).await
}

/// The parts that a body names by number and etag, in order.
fn chosen(body: &str, parts: &BTreeMap<i64, Part>) -> Result<Vec<Part>, ApiError> {
    let named = texts(body, "Part");
    let mut chosen: Vec<Part> = Vec::new();
    let mut last = 0;
    for part in named {
        let one = |name| texts(part, name).first().copied().unwrap_or_default();
        let number = one("PartNumber").parse().unwrap_or_default();
        if number <= last {
            return Err(ApiError::bad_part("InvalidPartOrder", "the parts are not in order"));
        }
        last = number;
        let etag = one("ETag").replace("&quot;", "\"").replace("&#34;", "\"");
        let found =
            parts.get(&number).filter(|p| p.etag.trim_matches('"') == etag.trim_matches('"'));
        let missing = || ApiError::bad_part("InvalidPart", "a part was not uploaded");
        let before = chosen.last().map(|part| part.content.len());
        if before.is_some_and(|length| length < SMALLEST_PART) {
            let why = "a part that is not the last has less than 5 MiB";
            return Err(ApiError::bad_part("EntityTooSmall", why));
        }
        chosen.push(found.cloned().ok_or_else(missing)?);
    }
    if chosen.is_empty() {
        return Err(ApiError::bad_part("MalformedCompleteMultipartUploadRequest", "no parts"));
    }
    Ok(chosen)
}

/// `DELETE /BUCKET/OBJECT?uploadId=ID`: gives an upload up.
pub(super) fn abort(call: &Call<'_>) -> ApiResult {
    let (number, _) = find(call)?;
    call.app.uploads.remove(number);
    Ok(status_only(StatusCode::NO_CONTENT))
}
