//! The object resource as a client sends it: whole with an upload, a copy or an update, in part with
//! a `PATCH`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answers::ApiError;
use crate::object::Attributes;

/// Custom metadata may take this many bytes, keys and values together.
const MAX_CUSTOM_METADATA: usize = 8 * 1024;

/// What a client sends. Unknown fields are passed over, as Google does with those that cannot be
/// written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ObjectMetadata {
    pub(crate) name: Option<String>,
    pub(crate) crc32c: Option<String>,
    pub(crate) md5_hash: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    content_disposition: Option<String>,
    content_language: Option<String>,
    cache_control: Option<String>,
    storage_class: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
    // What could be written and is not here.
    acl: Option<Value>,
    contexts: Option<Value>,
    custom_time: Option<Value>,
    event_based_hold: Option<Value>,
    kms_key_name: Option<Value>,
    retention: Option<Value>,
    temporary_hold: Option<Value>,
}

/// The fields of [`ObjectMetadata`] that could be written and are not here.
const ABSENT: [&str; 7] =
    ["acl", "contexts", "customTime", "eventBasedHold", "kmsKeyName", "retention", "temporaryHold"];

impl ObjectMetadata {
    /// Reads the JSON; none, or `null` as Go's client sends, is the same as an empty resource.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, ApiError> {
        let json = json.trim_ascii();
        if matches!(json, b"" | b"null") {
            return Ok(Self::default());
        }
        // Serde would take an array for the fields in their order.
        if !json.starts_with(b"{") {
            return Err(ApiError::invalid("Invalid object metadata: no JSON object".to_owned()));
        }
        let sent: Self = serde_json::from_slice(json).map_err(|error| invalid(&error))?;
        sent.check()?;
        Ok(sent)
    }

    /// Refuses what is not here.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let values = [
            &self.acl,
            &self.contexts,
            &self.custom_time,
            &self.event_based_hold,
            &self.kms_key_name,
            &self.retention,
            &self.temporary_hold,
        ];
        let asked =
            ABSENT.into_iter().zip(values).find(|(_, value)| value.as_ref().is_some_and(asks));
        asked.map_or(Ok(()), |(field, _)| Err(absent(field)))
    }

    /// The attributes; what is not sent is not set.
    pub(crate) fn attributes(self) -> Attributes {
        Attributes {
            content_type: self.content_type,
            content_encoding: self.content_encoding,
            content_disposition: self.content_disposition,
            content_language: self.content_language,
            cache_control: self.cache_control,
            storage_class: self.storage_class,
            metadata: self.metadata.filter(|metadata| !metadata.is_empty()),
        }
    }
}

/// What a `PUT` of a resource makes of an object's attributes. The storage class changes with a
/// rewrite alone.
pub(crate) fn replaced(live: &Attributes, json: &[u8]) -> Result<Attributes, ApiError> {
    let mut attributes = ObjectMetadata::parse(json)?.attributes();
    check_class(live, attributes.storage_class.as_deref())?;
    attributes.storage_class.clone_from(&live.storage_class);
    check_custom(&attributes)?;
    Ok(attributes)
}

/// What a `PATCH` makes of an object's attributes: fields that are not sent stay, `null` removes one,
/// and custom metadata is changed key by key.
pub(crate) fn patched(live: &Attributes, json: &[u8]) -> Result<Attributes, ApiError> {
    let sent: Map<String, Value> = match json.trim_ascii() {
        b"" | b"null" => Map::new(),
        json => serde_json::from_slice(json).map_err(|error| invalid(&error))?,
    };
    let mut new = live.clone();
    for (field, value) in &sent {
        let slot = match field.as_str() {
            "contentType" => &mut new.content_type,
            "contentEncoding" => &mut new.content_encoding,
            "contentDisposition" => &mut new.content_disposition,
            "contentLanguage" => &mut new.content_language,
            "cacheControl" => &mut new.cache_control,
            "storageClass" => {
                check_class(live, value.as_str())?;
                continue;
            }
            "metadata" => {
                patch_custom(&mut new.metadata, value)?;
                continue;
            }
            other => match ABSENT.into_iter().find(|field| *field == other && asks(value)) {
                Some(field) => return Err(absent(field)),
                None => continue,
            },
        };
        *slot = text(field, value)?;
    }
    check_custom(&new)?;
    Ok(new)
}

fn patch_custom(
    metadata: &mut Option<BTreeMap<String, String>>,
    value: &Value,
) -> Result<(), ApiError> {
    let changes = match value {
        Value::Null => {
            *metadata = None;
            return Ok(());
        }
        Value::Object(changes) => changes,
        _ => return Err(wrong_type("metadata")),
    };
    let mut custom = metadata.take().unwrap_or_default();
    for (key, value) in changes {
        match text(key, value)? {
            Some(value) => custom.insert(key.clone(), value),
            None => custom.remove(key),
        };
    }
    *metadata = (!custom.is_empty()).then_some(custom);
    Ok(())
}

/// Refuses more custom metadata than Google takes.
pub(crate) fn check_custom(attributes: &Attributes) -> Result<(), ApiError> {
    let custom = attributes.metadata.iter().flatten();
    if custom.map(|(key, value)| key.len() + value.len()).sum::<usize>() > MAX_CUSTOM_METADATA {
        return Err(ApiError::invalid("custom metadata is larger than 8 KiB".to_owned()));
    }
    Ok(())
}

fn check_class(live: &Attributes, wanted: Option<&str>) -> Result<(), ApiError> {
    let class = live.storage_class.as_deref().unwrap_or("STANDARD");
    if wanted.is_none_or(|wanted| wanted == class) {
        return Ok(());
    }
    Err(ApiError::invalid("the storage class of an object changes with a rewrite alone".to_owned()))
}

fn text(field: &str, value: &Value) -> Result<Option<String>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(wrong_type(field)),
    }
}

/// Whether a field's value asks for anything.
fn asks(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

fn absent(field: &str) -> ApiError {
    ApiError::not_implemented(&format!("the field '{field}' of an object"))
}

fn wrong_type(field: &str) -> ApiError {
    ApiError::invalid(format!("Invalid object metadata: {field:?} has a value of another type"))
}

fn invalid(error: &serde_json::Error) -> ApiError {
    ApiError::invalid(format!("Invalid object metadata: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Attributes {
        let metadata = [("a", "1"), ("b", "2")].map(|(key, value)| (key.into(), value.into()));
        Attributes {
            content_type: Some("image/jpeg".into()),
            cache_control: Some("no-store".into()),
            metadata: Some(metadata.into()),
            ..Attributes::default()
        }
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        let sent = br#"{"cacheControl": null, "contentLanguage": "en", "etag": "x",
                        "metadata": {"a": null, "c": "3"}}"#;
        let metadata = [("b", "2"), ("c", "3")].map(|(key, value)| (key.into(), value.into()));
        let expected = Attributes {
            cache_control: None,
            content_language: Some("en".into()),
            metadata: Some(metadata.into()),
            ..live()
        };
        assert_eq!(patched(&live(), sent).unwrap(), expected);
        assert_eq!(patched(&live(), b"").unwrap(), live());
        assert_eq!(patched(&live(), b"null").unwrap(), live());
        assert_eq!(ObjectMetadata::parse(b" null\n").unwrap().attributes(), Attributes::default());
        assert_eq!(patched(&live(), br#"{"metadata": null}"#).unwrap().metadata, None);
    }

    #[test]
    fn an_update_sets_nothing_else() {
        let sent = br#"{"contentType": "image/png"}"#;
        let content_type = Some("image/png".into());
        assert_eq!(
            replaced(&live(), sent).unwrap(),
            Attributes { content_type, ..Attributes::default() }
        );
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let long = format!(r#"{{"metadata": {{"a": "{}"}}}}"#, "x".repeat(9_000));
        for (sent, status) in [
            (r#"{"customTime": "2026-01-01T00:00:00Z"}"#, 501),
            (r#"{"temporaryHold": true}"#, 501),
            (r#"{"acl": [{"entity": "allUsers"}]}"#, 501),
            (r#"{"storageClass": "NEARLINE"}"#, 400),
            (r#"{"contentType": 7}"#, 400),
            (r#"{"metadata": {"a": 7}}"#, 400),
            ("[]", 400),
            (&long, 400),
        ] {
            assert_eq!(patched(&live(), sent.as_bytes()).unwrap_err().status, status, "{sent}");
            assert_eq!(replaced(&live(), sent.as_bytes()).unwrap_err().status, status, "{sent}");
        }
        let nothing = br#"{"acl": [], "temporaryHold": false, "retention": null}"#;
        assert_eq!(patched(&live(), nothing).unwrap(), live());
        assert!(replaced(&live(), nothing).is_ok());
    }
}
