//! What a client says of the object that it uploads.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::HeaderMap;

use crate::answers::ApiError;
use crate::headers;
use crate::metadata::{ObjectMetadata, check_custom};
use crate::names::check_object_name;
use crate::object::{Attributes, Checksums, Declared};
use crate::params;
use crate::query::{Preconditions, Query};
use crate::resource::Fields;
use crate::store::NewObject;

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
        params::only(query, &[&params::CONDITIONS, &params::UPLOAD])?;
        let mut sent = ObjectMetadata::parse(json)?;
        let mut declared = Declared { crc32c: sent.crc32c.take(), md5: sent.md5_hash.take() };
        declared.add_headers(headers);
        let name = query.get("name").map(str::to_owned).or(sent.name.take()).unwrap_or_default();
        let mut attributes = sent.attributes();
        if attributes.content_encoding.is_none() {
            attributes.content_encoding = query.get("contentEncoding").map(str::to_owned);
        }
        let upload = Self {
            name,
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
        check_custom(&self.attributes)
    }

    /// The object to store, if the bytes are those that were declared.
    pub(crate) fn object(self, content: Bytes) -> Result<NewObject, ApiError> {
        let checksums = Checksums::of(&content);
        self.declared.check(&checksums, &content)?;
        let Self { name, attributes, preconditions, .. } = self;
        Ok(NewObject { name, attributes, checksums, components: None, content, preconditions })
    }
}
