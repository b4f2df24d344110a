//! What Google Cloud Storage and folders accept as names.

use super::error::NameError;

/// The longest object name that Google Cloud Storage takes, in bytes of UTF-8
/// (<https://cloud.google.com/storage/docs/objects#naming>).
const LONGEST_NAME: usize = 1024;

/// Checks a whole object name, prefix included.
///
/// By Google's rules it has 1 to 1024 bytes of UTF-8, no CR or LF, is not `.` or `..`, and not
/// `.well-known/acme-challenge/…` (<https://cloud.google.com/storage/docs/objects#naming>). Beyond them
/// it has nothing that would leave the prefix or the folder, or read badly there: an empty segment, `.`,
/// `..`, a backslash and control characters.
///
/// # Errors
/// Why the name is refused.
pub(crate) fn check_object_name(name: &str) -> Result<(), NameError> {
    let refused = |why: String| Err(NameError::Refused(why));
    if name.is_empty() {
        return refused("the object name is empty".to_owned());
    }
    if name.len() > LONGEST_NAME {
        return refused(format!(
            "the object name can take {} bytes; Google Cloud Storage allows {LONGEST_NAME}",
            name.len()
        ));
    }
    if name.starts_with(".well-known/acme-challenge/") || matches!(name, "." | "..") {
        return refused(format!("Google Cloud Storage reserves the name {name:?}"));
    }
    if let Some(c) = name.chars().find(|c| c.is_control() || *c == '\\') {
        return refused(format!("the object name {name:?} has the character {c:?}"));
    }
    match name.split('/').find(|segment| matches!(*segment, "" | "." | "..")) {
        None => Ok(()),
        Some("") => refused(format!("the object name {name:?} has an empty part between slashes")),
        Some(dots) => refused(format!("the object name {name:?} has the part {dots:?}")),
    }
}

/// Checks a part between slashes of a file's name, so that it can be used on any system
/// (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
///
/// # Errors
/// Why Windows refuses it.
pub(super) fn check_file_name(part: impl AsRef<str>) -> Result<(), NameError> {
    const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];
    let part = part.as_ref();
    let refused = |why: String| Err(NameError::Refused(format!("the part {part:?} {why}")));
    if let Some(c) = part.chars().find(|c| r#":*?"<>|"#.contains(*c)) {
        return refused(format!("has the character {c:?}, which Windows refuses in file names"));
    }
    if part.ends_with(['.', ' ']) {
        return refused("ends with a dot or a blank, which Windows cuts off".to_owned());
    }
    let name = part.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let number = name.strip_prefix("COM").or_else(|| name.strip_prefix("LPT"));
    if DEVICES.contains(&&*name)
        || number.is_some_and(|n| n.len() == 1 && n != "0" && n.parse::<u8>().is_ok())
    {
        return refused("is the name of a device on Windows".to_owned());
    }
    Ok(())
}

/// Checks a bucket name by Google's rules (<https://cloud.google.com/storage/docs/buckets#naming>).
///
/// # Errors
/// The rule that it breaks.
#[cfg(any(feature = "cli", test))]
pub(crate) fn check_bucket_name(name: &str) -> Result<(), NameError> {
    let refused = |why: &str| Err(NameError::Refused(format!("bucket name {name:?}: {why}")));
    let parts: Vec<&str> = name.split('.').collect();
    let longest = if parts.len() > 1 { 222 } else { 63 };
    if !(3..=longest).contains(&name.len()) || parts.iter().any(|part| part.len() > 63) {
        return refused("must have 3 to 63 characters, or 222 with dots and 63 between them");
    }
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if !name.bytes().all(|b| plain(b) || matches!(b, b'-' | b'_' | b'.')) {
        return refused("must consist of lower-case letters, digits, -, _ and dots");
    }
    if !name.bytes().next().is_some_and(plain) || !name.bytes().last().is_some_and(plain) {
        return refused("must begin and end with a letter or a digit");
    }
    if parts.contains(&"") {
        return refused("must not have two dots in a row");
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
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
    fn knows_the_object_rules() {
        for good in ["a", "a/b ä.jpg", ".hidden", "..a", &"x".repeat(1024)] {
            assert_eq!(check_object_name(good), Ok(()), "{good}");
        }
        let too_long = ["x".repeat(1025), "ä".repeat(513)];
        let bad =
            ["", ".", "..", "a\nb", "a\rb", ".well-known/acme-challenge/a", "/a", "a/", "a//b"];
        let bad = bad.into_iter().chain(["a/../b", "./a", "a\\b", "a\0b"]);
        for bad in bad.chain(too_long.iter().map(String::as_str)) {
            assert!(check_object_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn knows_the_bucket_rules() {
        for good in ["demo", "my-bucket", "a_b", "012", "my.domain.example", &"x".repeat(63)] {
            assert_eq!(check_bucket_name(good), Ok(()), "{good}");
        }
        let part = "x".repeat(63);
        let longest = format!("{part}.{part}.{part}.{}", "x".repeat(30));
        assert_eq!((longest.len(), check_bucket_name(&longest)), (222, Ok(())));
        for bad in [
            "",
            "ab",
            "Upper",
            "-ab",
            "ab-",
            "a b",
            "a..b",
            "10.0.0.1",
            "goog-x",
            "my-google-x",
            "a/b",
            "ä-bucket",
            &"x".repeat(64),
            &format!("{longest}x"),
            &format!("x{part}.example"),
        ] {
            assert!(check_bucket_name(bad).is_err(), "{bad}");
        }
    }
}
