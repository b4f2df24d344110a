//! The object and bucket resources of the JSON API, and the `fields` that select parts of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::answers::ApiError;
use crate::listing::Page;
use crate::object::Object;
use crate::store::Bucket;

/// What stays as it is in a path: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Every field of an object resource that this emulator knows.
const OBJECT_FIELDS: [&str; 21] = [
    "bucket",
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
    "crc32c",
    "etag",
    "generation",
    "id",
    "kind",
    "md5Hash",
    "mediaLink",
    "metadata",
    "metageneration",
    "name",
    "selfLink",
    "size",
    "storageClass",
    "timeCreated",
    "updated",
];

/// Fields of Google's resource that are never present here; asking for them is no error.
const ABSENT_FIELDS: [&str; 16] = [
    "acl",
    "componentCount",
    "customTime",
    "customerEncryption",
    "eventBasedHold",
    "hardDeleteTime",
    "kmsKeyName",
    "owner",
    "retention",
    "retentionExpirationTime",
    "softDeleteTime",
    "temporaryHold",
    "timeDeleted",
    "timeFinalized",
    "timeStorageClassUpdated",
    "contexts",
];

/// Which fields an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fields {
    All,
    Only(Vec<String>),
}

impl Fields {
    fn has(&self, field: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(fields) => fields.iter().any(|wanted| wanted == field),
        }
    }

    /// The fields of an object: `name,size,crc32c`.
    pub(crate) fn of_object(expression: Option<&str>) -> Result<Self, ApiError> {
        let Some(expression) = expression else {
            return Ok(Self::All);
        };
        let mut fields = Vec::new();
        for part in split_outside_parentheses(expression) {
            // `metadata/key` and `metadata(key)` get the whole of `metadata`.
            let field = part.split(['/', '(']).next().unwrap_or_default().trim();
            match field {
                "*" => return Ok(Self::All),
                _ if OBJECT_FIELDS.contains(&field) => fields.push(field.to_owned()),
                _ if ABSENT_FIELDS.contains(&field) => {}
                _ => return Err(invalid_field(field)),
            }
        }
        Ok(Self::Only(fields))
    }
}

/// Which fields a listing holds: of the page, and of each item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListFields {
    page: Fields,
    items: Fields,
}

impl ListFields {
    /// The fields of a listing: `items(name,size),nextPageToken`.
    pub(crate) fn parse(expression: Option<&str>) -> Result<Self, ApiError> {
        let mut list = Self { page: Fields::All, items: Fields::All };
        let Some(expression) = expression else {
            return Ok(list);
        };
        let mut page = Vec::new();
        let mut items: Option<Vec<String>> = None;
        for part in split_outside_parentheses(expression) {
            let part = part.trim();
            let (field, inner) = match part.split_once(['(', '/']) {
                Some((field, inner)) => (field, Some(inner.strip_suffix(')').unwrap_or(inner))),
                None => (part, None),
            };
            match field {
                "*" => return Ok(list),
                "items" => {
                    if let Fields::Only(more) = Fields::of_object(inner)? {
                        items.get_or_insert_default().extend(more);
                    }
                }
                "kind" | "nextPageToken" | "prefixes" => {}
                _ => return Err(invalid_field(field)),
            }
            page.push(field.to_owned());
        }
        list.page = Fields::Only(page);
        if let Some(items) = items {
            list.items = Fields::Only(items);
        }
        Ok(list)
    }
}

fn invalid_field(field: &str) -> ApiError {
    ApiError::invalid(format!("Invalid field selection {field}"))
}

fn split_outside_parentheses(expression: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    expression
        .split(move |c: char| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .filter(|part| !part.trim().is_empty())
}

/// An object as the JSON API gives it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectResource<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metageneration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_encoding: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_disposition: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_language: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crc32c: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a BTreeMap<String, String>>,
}

impl<'a> ObjectResource<'a> {
    /// `host` is the authority that links point to.
    pub(crate) fn new(host: &str, bucket: &'a str, object: &'a Object, fields: &Fields) -> Self {
        let Object { name, generation, attributes, checksums, .. } = object;
        let path = || format!("storage/v1/b/{bucket}/o/{}", utf8_percent_encode(name, SEGMENT));
        let text =
            |field, value: &'a Option<String>| value.as_deref().filter(|_| fields.has(field));
        let time = rfc3339(object.created);
        ObjectResource {
            kind: fields.has("kind").then_some("storage#object"),
            id: fields.has("id").then(|| format!("{bucket}/{name}/{generation}")),
            self_link: fields.has("selfLink").then(|| format!("http://{host}/{}", path())),
            media_link: fields.has("mediaLink").then(|| {
                format!("http://{host}/download/{}?generation={generation}&alt=media", path())
            }),
            name: fields.has("name").then_some(name),
            bucket: fields.has("bucket").then_some(bucket),
            generation: fields.has("generation").then(|| generation.to_string()),
            metageneration: fields.has("metageneration").then(|| object.metageneration.to_string()),
            content_type: text("contentType", &attributes.content_type),
            content_encoding: text("contentEncoding", &attributes.content_encoding),
            content_disposition: text("contentDisposition", &attributes.content_disposition),
            content_language: text("contentLanguage", &attributes.content_language),
            cache_control: text("cacheControl", &attributes.cache_control),
            storage_class: fields
                .has("storageClass")
                .then_some(attributes.storage_class.as_deref().unwrap_or("STANDARD")),
            size: fields.has("size").then(|| object.size.to_string()),
            md5_hash: fields.has("md5Hash").then(|| checksums.md5_text()),
            crc32c: fields.has("crc32c").then(|| checksums.crc32c_text()),
            etag: fields.has("etag").then(|| object.etag()),
            time_created: fields.has("timeCreated").then(|| time.clone()),
            updated: fields.has("updated").then_some(time),
            metadata: attributes.metadata.as_ref().filter(|_| fields.has("metadata")),
        }
    }
}

/// A page of objects as the JSON API gives it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectList<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    prefixes: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<ObjectResource<'a>>,
}

impl<'a> ObjectList<'a> {
    pub(crate) fn new(
        host: &str,
        bucket: &'a str,
        page: &'a Page<Arc<Object>>,
        fields: &ListFields,
    ) -> Self {
        let resource = |object| ObjectResource::new(host, bucket, object, &fields.items);
        let items = if fields.page.has("items") {
            page.items.iter().map(|object| resource(object)).collect()
        } else {
            Vec::new()
        };
        let token = page.next_page_token.as_deref();
        ObjectList {
            kind: fields.page.has("kind").then_some("storage#objects"),
            next_page_token: token.filter(|_| fields.page.has("nextPageToken")),
            prefixes: if fields.page.has("prefixes") { &page.prefixes } else { &[] },
            items,
        }
    }
}

/// A bucket as the JSON API gives it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BucketResource<'a> {
    kind: &'static str,
    id: &'a str,
    self_link: String,
    name: &'a str,
    project_number: &'static str,
    metageneration: &'static str,
    location: &'static str,
    location_type: &'static str,
    storage_class: &'static str,
    etag: &'static str,
    time_created: String,
    updated: String,
}

impl<'a> BucketResource<'a> {
    pub(crate) fn new(host: &str, bucket: &'a Bucket) -> Self {
        let time = rfc3339(bucket.created);
        BucketResource {
            kind: "storage#bucket",
            id: &bucket.name,
            self_link: format!("http://{host}/storage/v1/b/{}", bucket.name),
            name: &bucket.name,
            project_number: "0",
            metageneration: "1",
            location: "US",
            location_type: "multi-region",
            storage_class: "STANDARD",
            etag: "CAE=",
            time_created: time.clone(),
            updated: time,
        }
    }
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_an_object() {
        let only = |fields: &[&str]| Fields::Only(fields.iter().map(|f| (*f).to_owned()).collect());
        assert_eq!(Fields::of_object(None).unwrap(), Fields::All);
        assert_eq!(
            Fields::of_object(Some("name, size,crc32c")).unwrap(),
            only(&["name", "size", "crc32c"])
        );
        assert_eq!(
            Fields::of_object(Some("metadata/a,updated")).unwrap(),
            only(&["metadata", "updated"])
        );
        assert!(Fields::of_object(Some("name,sizes")).is_err());
    }

    #[test]
    fn fields_of_a_listing() {
        let fields = ListFields::parse(Some("items(name,metadata(a,b)),nextPageToken")).unwrap();
        assert!(fields.items.has("name") && fields.items.has("metadata"));
        assert!(!fields.items.has("size"));
        assert!(fields.page.has("nextPageToken") && !fields.page.has("kind"));
        let fields = ListFields::parse(Some("items/name,items/size,prefixes")).unwrap();
        assert!(fields.items.has("name") && fields.items.has("size"));
        assert!(!fields.items.has("crc32c"));
        assert!(ListFields::parse(Some("things")).is_err());
        assert!(ListFields::parse(Some("items")).unwrap().items.has("crc32c"));
    }
}
