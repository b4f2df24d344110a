//! Which query parameters a method of the JSON API has. One that it does not have is refused, since
//! to pass over it would be to answer another question than was asked.

use crate::answers::ApiError;
use crate::query::Query;

/// What every method takes. None of these changes an answer here: nobody is asked who they are, and
/// there are no access control lists that `projection` could add.
const COMMON: [&str; 11] = [
    "fields",
    "prettyPrint",
    "alt",
    "projection",
    "userProject",
    "key",
    "quotaUser",
    "userIp",
    "access_token",
    "oauth_token",
    "$.xgafv",
];

/// The conditions on the object that is read or written.
pub(crate) const CONDITIONS: [&str; 4] = [
    "ifGenerationMatch",
    "ifGenerationNotMatch",
    "ifMetagenerationMatch",
    "ifMetagenerationNotMatch",
];

/// The parameters of an upload, its conditions apart.
pub(crate) const UPLOAD: [&str; 4] = ["uploadType", "name", "upload_id", "contentEncoding"];

/// The parameters of a listing. Without folders and without versions but the live ones, two of them
/// change nothing.
pub(crate) const LISTING: [&str; 9] = [
    "prefix",
    "delimiter",
    "startOffset",
    "endOffset",
    "maxResults",
    "pageToken",
    "matchGlob",
    "versions",
    "includeFoldersAsPrefixes",
];

/// Refuses parameters other than `own` and those of every method. One that is empty or `false` asks
/// for nothing.
pub(crate) fn only(query: &Query<'_>, own: &[&[&str]]) -> Result<(), ApiError> {
    let known = |name| COMMON.contains(&name) || own.iter().any(|names| names.contains(&name));
    let asks = |value: &str| !value.is_empty() && !value.eq_ignore_ascii_case("false");
    match query.iter().find(|(name, value)| !known(*name) && asks(value)) {
        None => Ok(()),
        Some((name, _)) => Err(ApiError::not_implemented(&format!("the parameter {name:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_not_known_is_named() {
        let check = |text| {
            only(&Query::parse(Some(text)).unwrap(), &[&CONDITIONS, &["generation", "name"]])
        };
        for good in
            ["", "alt=json&generation=1", "ifGenerationMatch=0", "softDeleted=False&filter="]
        {
            assert!(check(good).is_ok(), "{good}");
        }
        let refused = check("name=a&kmsKeyName=%1B").unwrap_err();
        assert_eq!(refused.status, 501);
        assert!(refused.message.contains("\"kmsKeyName\""), "{}", refused.message);
        assert!(check("%1B=1").unwrap_err().message.contains("\\u{1b}"));
    }
}
