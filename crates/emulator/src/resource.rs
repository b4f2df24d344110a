//! The object and bucket resources of the JSON API, and the `fields` that select parts of them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::answers::ApiError;
use crate::listing::Page;
use crate::object::Object;
use crate::store::Bucket;

/// What stays as it is in a path: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The fields of an object resource that this emulator knows and that are text, in the order in
/// which they are sent.
const OBJECT_FIELDS: [&str; 20] = [
    "kind",
    "id",
    "selfLink",
    "mediaLink",
    "name",
    "bucket",
    "generation",
    "metageneration",
    "contentType",
    "contentEncoding",
    "contentDisposition",
    "contentLanguage",
    "cacheControl",
    "storageClass",
    "size",
    "md5Hash",
    "crc32c",
    "etag",
    "timeCreated",
    "updated",
];

/// The one field that is a map.
const METADATA: &str = "metadata";

/// The one field that is a number.
const COMPONENTS: &str = "componentCount";

/// The fields of a listing.
const PAGE_FIELDS: [&str; 4] = ["kind", "nextPageToken", "prefixes", "items"];

/// Fields of Google's resource that are never present here; asking for them is no error.
const ABSENT_FIELDS: [&str; 15] = [
    "acl",
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
    Only(Vec<&'static str>),
}

impl Fields {
    fn has(&self, field: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(fields) => fields.contains(&field),
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
            if field == "*" {
                return Ok(Self::All);
            }
            match OBJECT_FIELDS
                .into_iter()
                .chain([METADATA, COMPONENTS])
                .find(|known| *known == field)
            {
                Some(known) => fields.push(known),
                None if ABSENT_FIELDS.contains(&field) => {}
                None => return Err(invalid_field(field)),
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
        let mut items: Option<Vec<&'static str>> = None;
        for part in split_outside_parentheses(expression) {
            let part = part.trim();
            let (field, inner) = match part.split_once(['(', '/']) {
                Some((field, inner)) => (field, Some(inner.strip_suffix(')').unwrap_or(inner))),
                None => (part, None),
            };
            if field == "*" {
                return Ok(list);
            }
            let known = PAGE_FIELDS.into_iter().find(|known| *known == field);
            page.push(known.ok_or_else(|| invalid_field(field))?);
            if field == "items"
                && let Fields::Only(more) = Fields::of_object(inner)?
            {
                items.get_or_insert_default().extend(more);
            }
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

/// An object as the JSON API gives it, with the fields asked for.
pub(crate) struct ObjectResource<'a> {
    host: &'a str,
    bucket: &'a str,
    object: &'a Object,
    fields: &'a Fields,
}

impl<'a> ObjectResource<'a> {
    /// `host` is the authority that links point to.
    pub(crate) fn new(
        host: &'a str,
        bucket: &'a str,
        object: &'a Object,
        fields: &'a Fields,
    ) -> Self {
        Self { host, bucket, object, fields }
    }

    /// One field's value; nothing where the object has none.
    fn value(&self, field: &str) -> Option<Cow<'a, str>> {
        let Self { host, bucket, object, .. } = *self;
        let Object { name, generation, attributes, .. } = object;
        let path = || format!("storage/v1/b/{bucket}/o/{}", utf8_percent_encode(name, SEGMENT));
        let text = |attribute: &'a Option<String>| attribute.as_deref().map(Cow::Borrowed);
        Some(match field {
            "kind" => Cow::Borrowed("storage#object"),
            "id" => format!("{bucket}/{name}/{generation}").into(),
            "selfLink" => format!("http://{host}/{}", path()).into(),
            "mediaLink" => {
                format!("http://{host}/download/{}?generation={generation}&alt=media", path())
                    .into()
            }
            "name" => Cow::Borrowed(name),
            "bucket" => Cow::Borrowed(bucket),
            "generation" => generation.to_string().into(),
            "metageneration" => object.metageneration.to_string().into(),
            "contentType" => return text(&attributes.content_type),
            "contentEncoding" => return text(&attributes.content_encoding),
            "contentDisposition" => return text(&attributes.content_disposition),
            "contentLanguage" => return text(&attributes.content_language),
            "cacheControl" => return text(&attributes.cache_control),
            "storageClass" => {
                Cow::Borrowed(attributes.storage_class.as_deref().unwrap_or("STANDARD"))
            }
            "size" => object.size.to_string().into(),
            "md5Hash" => object.md5_text()?.into(),
            "crc32c" => object.crc32c_text().into(),
            "etag" => object.etag().into(),
            "timeCreated" => rfc3339(object.created).into(),
            "updated" => rfc3339(object.updated).into(),
            _ => return None,
        })
    }
}

impl Serialize for ObjectResource<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in OBJECT_FIELDS.into_iter().filter(|field| self.fields.has(field)) {
            if let Some(value) = self.value(field) {
                map.serialize_entry(field, &value)?;
            }
        }
        if let Some(metadata) = &self.object.attributes.metadata
            && self.fields.has(METADATA)
        {
            map.serialize_entry(METADATA, metadata)?;
        }
        if let Some(components) = self.object.components
            && self.fields.has(COMPONENTS)
        {
            map.serialize_entry(COMPONENTS, &components)?;
        }
        map.end()
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
        host: &'a str,
        bucket: &'a str,
        page: &'a Page<Arc<Object>>,
        fields: &'a ListFields,
    ) -> Self {
        let resource = |object| ObjectResource::new(host, bucket, object, &fields.items);
        let items = if fields.page.has("items") { page.items.as_slice() } else { &[] };
        let items = items.iter().map(|object| resource(object)).collect();
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
        let only = |fields: &[&'static str]| Fields::Only(fields.to_vec());
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
