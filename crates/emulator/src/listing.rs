//! One page of a listing: prefix, delimiter, offsets and page tokens.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;

use crate::answers::ApiError;
use crate::glob::Glob;
use crate::params;
use crate::query::Query;

/// The most results a page holds, and how many it holds if not told.
const MAX_RESULTS: usize = 1000;

/// What to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ListRequest {
    pub(crate) prefix: String,
    pub(crate) delimiter: String,
    start_offset: String,
    end_offset: Option<String>,
    max_results: usize,
    glob: Option<Glob>,
    after: Option<Position>,
}

/// The last result of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Position {
    Object(String),
    Prefix(String),
}

/// Results in name order; items and prefixes together at most `max_results`.
#[derive(Debug)]
pub(crate) struct Page<V> {
    pub(crate) items: Vec<V>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) next_page_token: Option<String>,
}

impl Position {
    fn to_token(&self) -> String {
        let (kind, name) = match self {
            Self::Object(name) => ('o', name),
            Self::Prefix(name) => ('p', name),
        };
        BASE64URL_NOPAD.encode(format!("{kind}{name}").as_bytes())
    }

    fn from_token(token: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64URL_NOPAD.decode(token.as_bytes()).ok()?).ok()?;
        if let Some(name) = text.strip_prefix('o') {
            return Some(Self::Object(name.to_owned()));
        }
        text.strip_prefix('p').map(|name| Self::Prefix(name.to_owned()))
    }
}

impl ListRequest {
    /// What a query of the JSON API asks for.
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, ApiError> {
        params::only(query, &[&params::LISTING])?;
        let end = query.get("endOffset").filter(|end| !end.is_empty());
        let glob = query.get("matchGlob").filter(|pattern| !pattern.is_empty());
        let delimited = query.get("delimiter").is_some_and(|delimiter| !delimiter.is_empty());
        if glob.is_some() && delimited {
            return Err(ApiError::not_implemented("matchGlob together with a delimiter"));
        }
        Ok(Self {
            glob: glob.map(Glob::parse).transpose()?,
            start_offset: query.get("startOffset").unwrap_or_default().to_owned(),
            end_offset: end.map(str::to_owned),
            ..Self::common(query, "maxResults", "pageToken")?
        })
    }

    /// What a query for buckets asks for.
    pub(crate) fn of_buckets(query: &Query<'_>) -> Result<Self, ApiError> {
        params::only(query, &[&["prefix", "maxResults", "pageToken", "project"]])?;
        Self::common(query, "maxResults", "pageToken")
    }

    /// What a query of the XML API asks for, as `list-type=2` has it.
    pub(crate) fn from_xml_query(query: &Query<'_>) -> Result<Self, ApiError> {
        let mut request = Self::common(query, "max-keys", "continuation-token")?;
        if request.after.is_none() {
            let after = query.get("start-after").filter(|name| !name.is_empty());
            request.after = after.map(|name| Position::Object(name.to_owned()));
        }
        Ok(request)
    }

    /// What both APIs have, by the names that they give to the size of a page and its token.
    fn common(query: &Query<'_>, size: &str, token: &str) -> Result<Self, ApiError> {
        let max_results = match query.number(size)?.map(usize::try_from) {
            None => MAX_RESULTS,
            Some(Ok(number)) if number > 0 => number.min(MAX_RESULTS),
            Some(_) => return Err(ApiError::invalid(format!("{size} is too small"))),
        };
        let token = query.get(token).filter(|token| !token.is_empty());
        let invalid = || ApiError::invalid("Invalid page token.".to_owned());
        Ok(Self {
            prefix: query.get("prefix").unwrap_or_default().to_owned(),
            delimiter: query.get("delimiter").unwrap_or_default().to_owned(),
            max_results,
            after: token.map(|t| Position::from_token(t).ok_or_else(invalid)).transpose()?,
            ..Self::default()
        })
    }

    /// Where to start: the greatest of prefix, offset and page token. `None` where nothing can
    /// follow.
    fn lower_bound(&self) -> Option<Bound<String>> {
        let offset = self.prefix.as_str().max(self.start_offset.as_str());
        match &self.after {
            Some(Position::Object(name)) if name.as_str() >= offset => {
                Some(Bound::Excluded(name.clone()))
            }
            Some(Position::Prefix(prefix)) => {
                let end = prefix_end(prefix)?;
                Some(Bound::Included(if end.as_str() > offset { end } else { offset.to_owned() }))
            }
            _ => Some(Bound::Included(offset.to_owned())),
        }
    }

    /// Collects one page. Without a glob the work grows with the results and the logarithm of the
    /// number of objects, not with the objects passed over.
    pub(crate) fn page<V: Clone>(&self, objects: &BTreeMap<Arc<str>, V>) -> Page<V> {
        let mut page = Page { items: Vec::new(), prefixes: Vec::new(), next_page_token: None };
        let mut last = None;
        let mut lower = self.lower_bound();
        'range: while let Some(bound) = lower.take() {
            let bound = bound.as_ref().map(String::as_str);
            for (name, value) in objects.range::<str, _>((bound, Bound::Unbounded)) {
                let Some(rest) = name.strip_prefix(self.prefix.as_str()) else {
                    break 'range;
                };
                if self.end_offset.as_deref().is_some_and(|end| &**name >= end) {
                    break 'range;
                }
                if self.glob.as_ref().is_some_and(|glob| !glob.matches(name)) {
                    continue;
                }
                if page.items.len() + page.prefixes.len() == self.max_results {
                    page.next_page_token = last.as_ref().map(Position::to_token);
                    break 'range;
                }
                let folded = if self.delimiter.is_empty() {
                    None
                } else {
                    rest.split_once(self.delimiter.as_str())
                };
                if let Some((head, _)) = folded {
                    let prefix = format!("{}{head}{}", self.prefix, self.delimiter);
                    // Jump over everything else that folds into it.
                    lower = prefix_end(&prefix).map(Bound::Included);
                    page.prefixes.push(prefix.clone());
                    last = Some(Position::Prefix(prefix));
                    continue 'range;
                }
                page.items.push(value.clone());
                last = Some(Position::Object(name.to_string()));
            }
        }
        page
    }
}

/// The first text after all that start with `prefix`, if there is one.
fn prefix_end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        let next = match last {
            char::MAX => continue,
            '\u{D7FF}' => '\u{E000}',
            other => char::from_u32(u32::from(other) + 1)?,
        };
        end.push(next);
        return Some(end);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(names: &[&str]) -> BTreeMap<Arc<str>, String> {
        names.iter().map(|name| (Arc::from(*name), (*name).to_owned())).collect()
    }

    /// All pages joined: items, prefixes, number of pages.
    fn walk(names: &[&str], query: &str) -> (Vec<String>, Vec<String>, usize) {
        let objects = objects(names);
        let (mut items, mut prefixes, mut pages) = (Vec::new(), Vec::new(), 0);
        let mut token = None;
        loop {
            let query = match &token {
                None => query.to_owned(),
                Some(token) => format!("{query}&pageToken={token}"),
            };
            let request = ListRequest::from_query(&Query::parse(Some(&query)).unwrap()).unwrap();
            let page = request.page(&objects);
            items.extend(page.items);
            prefixes.extend(page.prefixes);
            pages += 1;
            token = page.next_page_token;
            if token.is_none() {
                return (items, prefixes, pages);
            }
        }
    }

    const NAMES: [&str; 7] = ["a", "a/1", "a/2", "a/b/3", "a0", "b/1", "c"];

    #[test]
    fn prefix_and_offsets_choose() {
        assert_eq!(walk(&NAMES, "").0, NAMES);
        assert_eq!(walk(&NAMES, "prefix=a/").0, ["a/1", "a/2", "a/b/3"]);
        assert_eq!(walk(&NAMES, "startOffset=a/2&endOffset=b/1").0, ["a/2", "a/b/3", "a0"]);
        assert_eq!(walk(&NAMES, "prefix=a/&startOffset=a/2").0, ["a/2", "a/b/3"]);
        assert!(walk(&NAMES, "prefix=x").0.is_empty());
        assert_eq!(
            walk(&NAMES, "matchGlob=a/*&maxResults=1"),
            walk(&NAMES, "matchGlob=a/?&maxResults=1")
        );
        assert_eq!(walk(&NAMES, "matchGlob=**[0-2]&maxResults=1").0, ["a/1", "a/2", "a0", "b/1"]);
        let refused =
            |text| ListRequest::from_query(&Query::parse(Some(text)).unwrap()).unwrap_err();
        for unknown in [
            "filter=x",
            "softDeleted=true",
            "matchGlob=a&delimiter=/",
            "includeTrailingDelimiter=true",
        ] {
            assert_eq!(refused(unknown).status, 501, "{unknown}");
        }
    }

    #[test]
    fn delimiter_folds_into_prefixes() {
        let (items, prefixes, _) = walk(&NAMES, "delimiter=/");
        assert_eq!(
            (items, prefixes),
            (vec!["a".into(), "a0".into(), "c".into()], vec!["a/".into(), "b/".into()])
        );
        let (items, prefixes, _) = walk(&NAMES, "delimiter=/&prefix=a/");
        assert_eq!((items, prefixes), (vec!["a/1".into(), "a/2".into()], vec!["a/b/".into()]));
    }

    #[test]
    fn pages_of_every_size_join_to_the_same() {
        for delimiter in ["", "&delimiter=/"] {
            let (items, prefixes, pages) = walk(&NAMES, &format!("maxResults=1000{delimiter}"));
            assert_eq!(pages, 1);
            let results = items.len() + prefixes.len();
            for size in 1..=results {
                let joined = walk(&NAMES, &format!("maxResults={size}{delimiter}"));
                // No empty page at the end: a token means there is more.
                assert_eq!(joined, (items.clone(), prefixes.clone(), results.div_ceil(size)));
            }
        }
    }

    #[test]
    fn page_size_has_a_cap_and_a_floor() {
        let names: Vec<String> = (0..2_500).map(|index| format!("{index:04}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(walk(&names, "").2, 3);
        assert_eq!(walk(&names, "maxResults=5000").2, 3);
        let refused = |text| ListRequest::from_query(&Query::parse(Some(text)).unwrap()).is_err();
        assert!(refused("maxResults=0") && refused("maxResults=x") && refused("pageToken=!"));
    }

    #[test]
    fn prefix_end_is_the_next_text() {
        assert_eq!(prefix_end("a/").as_deref(), Some("a0"));
        assert_eq!(prefix_end("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(prefix_end("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(prefix_end("\u{10FFFF}"), None);
    }
}
