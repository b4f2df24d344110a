//! Which names of objects and buckets Cloud Storage takes.
//!
//! The client has rules of its own, stricter ones. These are written again and not shared, so that
//! a mistake on one side is found by the other.

use std::net::Ipv4Addr;

use crate::answers::ApiError;

/// The longest object name, in bytes of UTF-8.
const LONGEST_OBJECT_NAME: usize = 1024;

/// Refuses object names that Cloud Storage refuses
/// (<https://cloud.google.com/storage/docs/objects#naming>).
pub(crate) fn check_object_name(name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(ApiError::required("Required parameter: name".to_owned()));
    }
    let refused = |why: &str| Err(ApiError::invalid(format!("object name {name:?}: {why}")));
    if name.len() > LONGEST_OBJECT_NAME {
        return refused("must have at most 1024 bytes");
    }
    if name.contains(['\r', '\n']) {
        return refused("must not contain carriage return or line feed");
    }
    if name.starts_with(".well-known/acme-challenge/") || matches!(name, "." | "..") {
        return refused("is reserved");
    }
    Ok(())
}

/// Refuses bucket names that Cloud Storage refuses
/// (<https://cloud.google.com/storage/docs/buckets#naming>).
pub(crate) fn check_bucket_name(name: &str) -> Result<(), ApiError> {
    let refused = |why: &str| Err(ApiError::invalid(format!("bucket name {name:?}: {why}")));
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if !name.bytes().all(|b| plain(b) || matches!(b, b'-' | b'_' | b'.')) {
        return refused("must consist of lower-case letters, digits, -, _ and dots");
    }
    if !name.bytes().next().is_some_and(plain) || !name.bytes().last().is_some_and(plain) {
        return refused("must begin and end with a letter or a digit");
    }
    let longest = if name.contains('.') { 222 } else { 63 };
    if !(3..=longest).contains(&name.len()) {
        return refused("must have 3 to 63 characters, or up to 222 with dots");
    }
    if name.split('.').any(|part| part.is_empty() || part.len() > 63) {
        return refused("must have 1 to 63 characters between dots");
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return refused("must not look like an IP address");
    }
    if name.starts_with("goog") || name.contains("google") || name.contains("g00gle") {
        return refused("must not begin with goog or contain google");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_names_follow_googles_rules() {
        let x = |n| "x".repeat(n);
        for good in ["a", "a/b ä.jpg", "..a", "/a", "a//b", "a/../b", "a\\b", "a\0b", &x(1024)] {
            assert!(check_object_name(good).is_ok(), "{good:?}");
        }
        let challenge = ".well-known/acme-challenge/a";
        for bad in ["", ".", "..", "a\nb", "a\rb", &x(1025), &"ä".repeat(513), challenge] {
            assert!(check_object_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn bucket_names_follow_googles_rules() {
        let x = |n| "x".repeat(n);
        let long = format!("{}.{}.{}.{}", x(63), x(63), x(63), x(30));
        for good in ["demo", "my-bucket", "a_b", "012", "my.domain.example", &x(63), &long] {
            assert!(check_bucket_name(good).is_ok(), "{good}");
        }
        let longer = format!("{long}x");
        let part = format!("{}.a", x(64));
        let bad = ["", "ab", "Upper", "-ab", "ab-", "a b", "a/b", "ä-bucket", "a..b", "10.0.0.1"];
        for bad in
            bad.into_iter().chain(["goog-x", "my-google-x", "g00gle", &x(64), &longer, &part])
        {
            assert!(check_bucket_name(bad).is_err(), "{bad}");
        }
    }
}
