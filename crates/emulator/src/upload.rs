//! What a client says of the object that it uploads.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::HeaderMap;
use serde::Deserialize;

use crate::answers::ApiError;
use crate::headers;
use crate::names::check_object_name;
use crate::object::{Attributes, Checksums, Declared};
use crate::query::{Preconditions, Query};
use crate::resource::Fields;
use crate::store::NewObject;

/// Custom metadata may take this many bytes, keys and values together.
const MAX_CUSTOM_METADATA: usize = 8 * 1024;

/// The object resource that an uploader sends. Unknown fields are passed over, as Google does with
/// those that cannot be written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UploadMetadata {
    name: Option<String>,
    crc32c: Option<String>,
    md5_hash: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    content_disposition: Option<String>,
    content_language: Option<String>,
    cache_control: Option<String>,
    storage_class: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
}

/// An upload of which everything but the bytes is known and checked.
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
    pub(crate) declared: Declared,
    pub(crate) preconditions: Preconditions,
    /// What the answer holds.
    pub(crate) fields: Fields,
}

impl Upload {
    /// Puts together what the query, the headers and the JSON say.
    pub(crate) fn new(
        query: &Query<'_>,
        headers: &HeaderMap,
        json: &[u8],
    ) -> Result<Self, ApiError> {
        let sent: UploadMetadata = if json.is_empty() {
            UploadMetadata::default()
        } else {
            serde_json::from_slice(json)
                .map_err(|error| ApiError::invalid(format!("Invalid object metadata: {error}")))?
        };
        let mut declared = Declared { crc32c: sent.crc32c, md5: sent.md5_hash };
        declared.add_headers(headers);
        let attributes = Attributes {
            content_type: sent.content_type,
            content_encoding: sent
                .content_encoding
                .or_else(|| query.get("contentEncoding").map(str::to_owned)),
            content_disposition: sent.content_disposition,
            content_language: sent.content_language,
            cache_control: sent.cache_control,
            storage_class: sent.storage_class,
            metadata: sent.metadata.filter(|metadata| !metadata.is_empty()),
        };
        let upload = Self {
            name: query.get("name").map(str::to_owned).or(sent.name).unwrap_or_default(),
            attributes,
            declared,
            preconditions: Preconditions::from_query(query)?,
            fields: Fields::of_object(query.get("fields"))?,
        };
        upload.check()?;
        Ok(upload)
    }

    /// What the headers of an XML API `PUT` say.
    pub(crate) fn from_headers(name: &str, headers: &HeaderMap) -> Result<Self, ApiError> {
        let text = |name| headers::text(headers, name).map(str::to_owned);
        let custom = headers.iter().filter_map(|(name, value)| {
            let key = name.as_str().strip_prefix("x-goog-meta-")?;
            Some((key.to_owned(), value.to_str().ok()?.to_owned()))
        });
        let custom: BTreeMap<_, _> = custom.collect();
        let attributes = Attributes {
            content_type: text("content-type"),
            content_encoding: text("content-encoding"),
            content_disposition: text("content-disposition"),
            content_language: text("content-language"),
            cache_control: text("cache-control"),
            storage_class: text("x-goog-storage-class"),
            metadata: (!custom.is_empty()).then_some(custom),
        };
        let mut declared = Declared::default();
        declared.add_headers(headers);
        let upload = Self {
            name: name.to_owned(),
            attributes,
            declared,
            preconditions: Preconditions::from_headers(headers)?,
            fields: Fields::All,
        };
        upload.check()?;
        Ok(upload)
    }

    fn check(&self) -> Result<(), ApiError> {
        check_object_name(&self.name)?;
        let custom = self.attributes.metadata.iter().flatten();
        if custom.map(|(key, value)| key.len() + value.len()).sum::<usize>() > MAX_CUSTOM_METADATA {
            return Err(ApiError::invalid("custom metadata is larger than 8 KiB".to_owned()));
        }
        Ok(())
    }

    /// The object to store, if the bytes are those that were declared.
    pub(crate) fn object(self, content: Bytes) -> Result<NewObject, ApiError> {
        let checksums = Checksums::of(&content);
        self.declared.check(&checksums, &content)?;
        let Self { name, attributes, preconditions, .. } = self;
        Ok(NewObject { name, attributes, checksums, content, preconditions })
    }
}
