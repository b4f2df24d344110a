//! Answers of the XML API as text.

use http::header::{CONTENT_TYPE, HeaderValue};

use crate::answers::ApiError;
use crate::body::{Body, Response};
use crate::object::Object;

const XML: &str = "application/xml; charset=UTF-8";

/// The namespace of every document but a listing.
const SPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// The namespace of a listing.
pub(super) const LISTING_SPACE: &str = "http://doc.s3.amazonaws.com/2006-03-01";

/// 200 with a document.
pub(super) fn document(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(XML));
    response
}

/// The etag of this API. Google's is often the MD5; clients may only compare it.
pub(super) fn etag(object: &Object) -> String {
    format!("\"{}\"", object.etag())
}

/// A refusal in the shape of this API's errors.
pub(crate) fn refuse(error: ApiError) -> Response {
    let fields = [element("Code", error.code), element("Message", &error.message)];
    let shaped = format!("{}<Error>{}</Error>", declaration(), fields.concat());
    error.answer(XML, shaped)
}

/// A document's text: a root with elements in it.
pub(super) fn root(name: &str, elements: &[String]) -> String {
    root_in(SPACE, name, &elements.concat())
}

/// [`root`], in another namespace.
pub(super) fn root_in(space: &str, name: &str, elements: &str) -> String {
    format!("{}<{name} xmlns='{space}'>{elements}</{name}>", declaration())
}

fn declaration() -> &'static str {
    "<?xml version='1.0' encoding='UTF-8'?>"
}

/// An element with text in it.
pub(super) fn element(name: &str, text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if c.is_control() => escaped.push_str(&format!("&#{};", u32::from(c))),
            c => escaped.push(c),
        }
    }
    format!("<{name}>{escaped}</{name}>")
}

/// The texts of all elements of a name that hold text alone, in order.
pub(super) fn texts<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let found = document.split(start.as_str()).skip(1);
    found.filter_map(|rest| rest.split_once(end.as_str())).map(|(text, _)| text.trim()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_written_and_read() {
        assert_eq!(element("Key", "a&<b>\n"), "<Key>a&amp;&lt;b&gt;&#10;</Key>");
        let document = "<A xmlns='x'><P><N>1</N></P><P><N> 2 </N></P><N>3</A>";
        assert_eq!(texts(document, "N"), ["1", "2"]);
        assert!(texts("nonsense", "N").is_empty());
    }
}
