//! The two parts of a `multipart/related` upload (RFC 2387, RFC 2046).

use memchr::{memchr, memmem};
use thiserror::Error;

/// Metadata and media of one upload, borrowed from the request's body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Related<'a> {
    /// The JSON of the first part.
    pub(crate) metadata: &'a [u8],
    /// The `Content-Type` of the second part.
    pub(crate) media_type: Option<&'a str>,
    /// The bytes of the second part.
    pub(crate) media: &'a [u8],
}

/// Why a body is not the two parts it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum MultipartError {
    #[error("the Content-Type names no multipart boundary of 1 to 70 characters")]
    NoBoundary,
    #[error("the body does not start with its boundary")]
    NoStart,
    #[error("a part has no empty line after its headers")]
    UnfinishedHeaders,
    #[error("a part has no boundary after it: the body is cut off")]
    UnfinishedPart,
    #[error("the body has fewer than two parts")]
    TooFewParts,
    #[error("the body has more than two parts")]
    TooManyParts,
}

/// The boundary that a `Content-Type` such as `multipart/related; boundary="x"` names.
pub(crate) fn boundary(content_type: &str) -> Result<&str, MultipartError> {
    let mut parameters = content_type.split(';');
    let kind = parameters.next().unwrap_or_default().trim();
    if !kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/")) {
        return Err(MultipartError::NoBoundary);
    }
    for parameter in parameters {
        let Some((key, value)) = parameter.split_once('=') else {
            continue;
        };
        if key.trim().eq_ignore_ascii_case("boundary") {
            let value = value.trim();
            // Some clients quote with apostrophes, which Google accepts.
            let unquoted = ['"', '\''].into_iter().find_map(|quote| {
                value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote))
            });
            let value = unquoted.unwrap_or(value);
            if (1..=70).contains(&value.len()) {
                return Ok(value);
            }
        }
    }
    Err(MultipartError::NoBoundary)
}

/// Takes a body apart. Never panics, whatever the bytes.
pub(crate) fn parse<'a>(boundary: &str, body: &'a [u8]) -> Result<Related<'a>, MultipartError> {
    // A delimiter has a line break before it, but for one at the beginning.
    let delimiter = [b"\n--", boundary.as_bytes()].concat();
    let start = first_line(&delimiter, body).ok_or(MultipartError::NoStart)?;
    let Tail::Part(rest) = tail(start) else {
        return Err(MultipartError::TooFewParts);
    };

    let (_, metadata_and_rest) = headers(rest)?;
    let (metadata, rest) = until(&delimiter, metadata_and_rest)?;
    let Tail::Part(rest) = tail(rest) else {
        return Err(MultipartError::TooFewParts);
    };

    let (media_headers, media_and_rest) = headers(rest)?;
    let (media, rest) = until(&delimiter, media_and_rest)?;
    match tail(rest) {
        Tail::End => {
            Ok(Related { metadata, media_type: header(media_headers, "content-type"), media })
        }
        Tail::Part(_) => Err(MultipartError::TooManyParts),
    }
}

/// One part of a body, borrowed from it.
pub(crate) struct Part<'a> {
    pub(crate) headers: &'a [u8],
    pub(crate) content: &'a [u8],
}

/// All parts of a body, however many.
pub(crate) fn parts<'a>(boundary: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, MultipartError> {
    let delimiter = [b"\n--", boundary.as_bytes()].concat();
    let mut rest = first_line(&delimiter, body).ok_or(MultipartError::NoStart)?;
    let mut parts = Vec::new();
    while let Tail::Part(part) = tail(rest) {
        let (headers, content_and_rest) = headers(part)?;
        let (content, after) = until(&delimiter, content_and_rest)?;
        parts.push(Part { headers, content });
        rest = after;
    }
    Ok(parts)
}

/// What follows a delimiter: another part, or the end of the body.
enum Tail<'a> {
    Part(&'a [u8]),
    End,
}

fn tail(after_delimiter: &[u8]) -> Tail<'_> {
    if after_delimiter.starts_with(b"--") {
        return Tail::End;
    }
    // The rest of the delimiter's line is padding.
    match memchr(b'\n', after_delimiter) {
        Some(end) => Tail::Part(&after_delimiter[end + 1..]),
        None => Tail::End,
    }
}

/// What follows the first delimiter, which may have a preamble before it.
fn first_line<'a>(delimiter: &[u8], body: &'a [u8]) -> Option<&'a [u8]> {
    until(delimiter, body).ok().map(|(_, rest)| rest)
}

/// The header lines of a part, and what follows the empty line after them.
pub(crate) fn headers(part: &[u8]) -> Result<(&[u8], &[u8]), MultipartError> {
    let mut at = 0;
    loop {
        let rest = &part[at..];
        let end = memchr(b'\n', rest).ok_or(MultipartError::UnfinishedHeaders)?;
        if matches!(&rest[..end], b"" | b"\r") {
            return Ok((&part[..at], &rest[end + 1..]));
        }
        at += end + 1;
    }
}

/// What stands before the next line that starts with the delimiter, without its line break, and
/// what follows the delimiter.
fn until<'a>(delimiter: &[u8], bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), MultipartError> {
    // An empty part: its delimiter follows the empty line at once.
    if let Some(rest) = bytes.strip_prefix(&delimiter[1..]) {
        return Ok((&[], rest));
    }
    let at = memmem::find(bytes, delimiter).ok_or(MultipartError::UnfinishedPart)?;
    let content = &bytes[..at];
    Ok((content.strip_suffix(b"\r").unwrap_or(content), &bytes[at + delimiter.len()..]))
}

/// The value of a header; `name` in lower case.
pub(crate) fn header<'a>(headers: &'a [u8], name: &str) -> Option<&'a str> {
    std::str::from_utf8(headers).ok()?.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(media: &[u8]) -> Vec<u8> {
        let head = "--B\r\nContent-Type: application/json\r\n\r\n{\"name\":\"a\"}\r\n\
                    --B\r\ncontent-type: image/jpeg\r\n\r\n";
        [head.as_bytes(), media, b"\r\n--B--\r\n"].concat()
    }

    #[test]
    fn takes_two_parts_apart() {
        for media in [&b"\xff\xd8pixels\r\n\n--A\r\n"[..], b"", b"\r\n", b"\r"] {
            let body = body(media);
            let related = parse("B", &body).unwrap();
            assert_eq!(related.metadata, b"{\"name\":\"a\"}");
            assert_eq!(related.media_type, Some("image/jpeg"));
            assert_eq!(related.media, media);
        }
    }

    #[test]
    fn takes_line_feeds_preambles_and_headerless_parts() {
        let body = b"preamble\n--B \n\n{}\n--B\n\nx\n--B--";
        let related = parse("B", body).unwrap();
        assert_eq!((related.metadata, related.media), (&b"{}"[..], &b"x"[..]));
        assert_eq!(related.media_type, None);
        // As the Python client frames it.
        let body = b"--==0==\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{}\r\n\
            --==0==\r\ncontent-type: text/plain\r\n\r\nhi\r\n--==0==--";
        assert_eq!(parse("==0==", body).unwrap().media, b"hi");
    }

    #[test]
    fn names_what_is_wrong() {
        let whole = body(b"media");
        let cut = |at: usize| parse("B", &whole[..at]).unwrap_err();
        assert_eq!(cut(0), MultipartError::NoStart);
        assert_eq!(cut(20), MultipartError::UnfinishedHeaders);
        assert_eq!(cut(whole.len() - 9), MultipartError::UnfinishedPart);
        assert_eq!(parse("C", &whole).unwrap_err(), MultipartError::NoStart);
        assert_eq!(parse("B", b"--B\r\n\r\n{}\r\n--B--").unwrap_err(), MultipartError::TooFewParts);
        let three = b"--B\r\n\r\n{}\r\n--B\r\n\r\nx\r\n--B\r\n\r\ny\r\n--B--";
        assert_eq!(parse("B", three).unwrap_err(), MultipartError::TooManyParts);
    }

    #[test]
    fn finds_the_boundary() {
        assert_eq!(boundary("multipart/related; boundary=x"), Ok("x"));
        assert_eq!(boundary("Multipart/Related; charset=a; Boundary=\"a b\""), Ok("a b"));
        assert_eq!(boundary("multipart/related; boundary='==1=='"), Ok("==1=="));
        for bad in
            ["", "multipart/related", "text/plain; boundary=x", "multipart/related; boundary="]
        {
            assert_eq!(boundary(bad), Err(MultipartError::NoBoundary), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parts_or_an_error(
            name in "\\PC{0,8}",
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = boundary(&name);
            let _ = parse(&name, &bytes);
        }

        // Bytes that look like a body reach the deeper branches.
        #[test]
        fn near_bodies_are_parts_or_an_error(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("--B"), Just("--"), Just("\r\n"), Just("\n"), Just("\r"), Just("{}"),
                    Just("content-type:"), Just(" x"),
                ],
                0..24,
            ),
        ) {
            let _ = parse("B", pieces.concat().as_bytes());
        }

        #[test]
        fn what_was_framed_comes_back(media in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assume!(!media.windows(4).any(|window| window == b"\n--B"));
            prop_assume!(!media.starts_with(b"--B"));
            let body = body(&media);
            prop_assert_eq!(parse("B", &body).unwrap().media, &media[..]);
        }
    }
}
