//! Query parameters and the preconditions among them.

use std::borrow::Cow;

use http::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use percent_encoding::percent_decode_str;

use crate::answers::ApiError;
use crate::headers;

/// The decoded query parameters of one request, in order.
#[derive(Debug, Default)]
pub(crate) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Decodes `a=b&c=d`, where `+` is a space as in HTML forms. Bytes that are not UTF-8 are an
    /// error.
    pub(crate) fn parse(raw: Option<&'a str>) -> Result<Self, ApiError> {
        let raw = raw.unwrap_or_default();
        if percent_decode_str(raw).decode_utf8().is_err() {
            return Err(ApiError::invalid("query parameters must be UTF-8".to_owned()));
        }
        Ok(Self(form_urlencoded::parse(raw.as_bytes()).collect()))
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// Every parameter with its value, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// All values of a repeated parameter.
    pub(crate) fn all<'b>(&'b self, key: &'b str) -> impl Iterator<Item = &'b str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// A parameter that must be a whole number where it is given.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, ApiError> {
        self.get(key).map(|text| whole_number(key, text)).transpose()
    }

    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        let owned = |(key, value): (Cow<'_, str>, Cow<'_, str>)| (key.into(), value.into());
        self.0.into_iter().map(owned).collect()
    }
}

fn whole_number(key: &str, text: &str) -> Result<i64, ApiError> {
    let wrong = || ApiError::invalid(format!("invalid value for {key}: '{text}' is not a number"));
    text.parse().map_err(|_| wrong())
}

fn header_number(headers: &HeaderMap, name: &str) -> Result<Option<i64>, ApiError> {
    headers::text(headers, name).map(|text| whole_number(name, text)).transpose()
}

/// Conditions on the live generation under which a request is carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_field_names)] // Named as the parameters are.
pub(crate) struct Preconditions {
    generation_match: Option<i64>,
    generation_not_match: Option<i64>,
    metageneration_match: Option<i64>,
    metageneration_not_match: Option<i64>,
}

/// How a set of preconditions came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    /// A `…Match` did not hold: 412.
    Failed,
    /// A `…NotMatch` did not hold: 304 for reads, 412 for writes.
    NotModified,
}

impl Preconditions {
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            generation_match: query.number("ifGenerationMatch")?,
            generation_not_match: query.number("ifGenerationNotMatch")?,
            metageneration_match: query.number("ifMetagenerationMatch")?,
            metageneration_not_match: query.number("ifMetagenerationNotMatch")?,
        })
    }

    /// What a copy asks of its source.
    pub(crate) fn of_source(query: &Query<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            generation_match: query.number("ifSourceGenerationMatch")?,
            generation_not_match: query.number("ifSourceGenerationNotMatch")?,
            metageneration_match: query.number("ifSourceMetagenerationMatch")?,
            metageneration_not_match: query.number("ifSourceMetagenerationNotMatch")?,
        })
    }

    /// The generation that an XML API copy wants of its source, and what else it asks of it.
    pub(crate) fn of_source_headers(headers: &HeaderMap) -> Result<(Option<i64>, Self), ApiError> {
        let number = |name| header_number(headers, name);
        let conditions = Self {
            generation_match: number("x-goog-copy-source-if-generation-match")?,
            metageneration_match: number("x-goog-copy-source-if-metageneration-match")?,
            ..Self::default()
        };
        Ok((number("x-goog-copy-source-generation")?, conditions))
    }

    /// That the live generation is the one named, where one is.
    pub(crate) fn generation(wanted: Option<i64>) -> Self {
        Self { generation_match: wanted, ..Self::default() }
    }

    /// What the headers of the XML API ask for; it has no `…NotMatch`.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, ApiError> {
        let number = |name| header_number(headers, name);
        Ok(Self {
            generation_match: number("x-goog-if-generation-match")?,
            metageneration_match: number("x-goog-if-metageneration-match")?,
            ..Self::default()
        })
    }

    /// Judges against the live `(generation, metageneration)`, `None` where there is no live
    /// object. Generation 0 stands for "no live object".
    pub(crate) fn judge(&self, live: Option<(i64, i64)>) -> Verdict {
        let generation = live.map_or(0, |(generation, _)| generation);
        let metageneration = live.map(|(_, metageneration)| metageneration);
        if self.generation_match.is_some_and(|wanted| wanted != generation)
            || self.metageneration_match.is_some_and(|wanted| Some(wanted) != metageneration)
        {
            return Verdict::Failed;
        }
        if self.generation_not_match == Some(generation)
            || (self.metageneration_not_match.is_some()
                && self.metageneration_not_match == metageneration)
        {
            return Verdict::NotModified;
        }
        Verdict::Holds
    }
}

/// Follows `If-Match` and `If-None-Match`, whose etags stand in quotes or not.
pub(crate) fn check_etag(headers: &HeaderMap, etag: &str) -> Result<(), ApiError> {
    let is = |named: &str| named.trim().trim_matches('"') == etag;
    let named = |list: &str| list == "*" || list.split(',').any(is);
    if headers::text(headers, IF_MATCH).is_some_and(|list| !named(list)) {
        return Err(ApiError::condition_not_met());
    }
    if headers::text(headers, IF_NONE_MATCH).is_some_and(named) {
        return Err(ApiError::not_modified());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(query: &str, live: Option<(i64, i64)>) -> Verdict {
        Preconditions::from_query(&Query::parse(Some(query)).unwrap()).unwrap().judge(live)
    }

    #[test]
    fn decodes_forms() {
        let query =
            Query::parse(Some("name=a+b%2Fc%2B%C3%A4&x&permissions=1&permissions=2")).unwrap();
        assert_eq!(query.get("name"), Some("a b/c+ä"));
        assert_eq!(query.get("x"), Some(""));
        assert_eq!(query.all("permissions").collect::<Vec<_>>(), ["1", "2"]);
        assert!(Query::parse(Some("name=%FF")).is_err());
        assert!(query.number("name").is_err());
        assert_eq!(query.number("absent").unwrap(), None);
    }

    #[test]
    fn preconditions_follow_the_live_generation() {
        use Verdict::{Failed, Holds, NotModified};
        let live = Some((42, 1));
        assert_eq!(judge("", live), Holds);
        assert_eq!(judge("ifGenerationMatch=0", None), Holds);
        assert_eq!(judge("ifGenerationMatch=0", live), Failed);
        assert_eq!(judge("ifGenerationMatch=42", live), Holds);
        assert_eq!(judge("ifGenerationMatch=41", live), Failed);
        assert_eq!(judge("ifGenerationMatch=42", None), Failed);
        assert_eq!(judge("ifGenerationNotMatch=0", None), NotModified);
        assert_eq!(judge("ifGenerationNotMatch=0", live), Holds);
        assert_eq!(judge("ifGenerationNotMatch=42", live), NotModified);
        assert_eq!(judge("ifMetagenerationMatch=1", live), Holds);
        assert_eq!(judge("ifMetagenerationMatch=2", live), Failed);
        assert_eq!(judge("ifMetagenerationMatch=1", None), Failed);
        assert_eq!(judge("ifMetagenerationNotMatch=1", live), NotModified);
        assert_eq!(judge("ifMetagenerationNotMatch=1", None), Holds);
    }
}
