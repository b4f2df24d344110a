//! Requests that a web page makes without its reader's knowledge.
//!
//! A page from anywhere can make a browser send a `POST` to loopback, and the emulator asks nobody
//! for credentials. Browsers name the page's origin in such requests. A page whose own name leads to
//! loopback (DNS rebinding) has the emulator's origin, but that name stands in `Host`.

use std::net::IpAddr;

use http::Request;
use http::header::{HOST, ORIGIN};

use crate::answers::ApiError;
use crate::headers;

/// Refuses requests of other origins and, unless `any_host`, those addressed to a name that is not
/// loopback's.
pub(crate) fn check<B>(request: &Request<B>, any_host: bool) -> Result<(), ApiError> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = authority.or_else(|| headers::text(request.headers(), HOST));
    if let Some(host) = host
        && !any_host
        && !is_loopback(host)
    {
        return Err(ApiError::forbidden(format!(
            "This emulator serves loopback only, and the host {host:?} is not: allow remote access \
             explicitly."
        )));
    }
    if let Some(origin) = request.headers().get(ORIGIN)
        && origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://")) != host
    {
        return Err(ApiError::forbidden(format!(
            "Pages of other origins, such as {origin:?}, may not use this emulator."
        )));
    }
    Ok(())
}

/// Whether `host`, with its port or without, is a name or an address of loopback.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.is_loopback();
    }
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_names_and_addresses() {
        for good in
            ["127.0.0.1:4443", "127.0.0.1", "127.1.2.3", "[::1]:80", "LOCALHOST:1", "b.localhost"]
        {
            assert!(is_loopback(good), "{good}");
        }
        for bad in
            ["", "example.com:4443", "localhost.example.com", "10.0.0.1", "[::2]", "a:127.0.0.1"]
        {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
