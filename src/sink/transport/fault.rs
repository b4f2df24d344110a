//! What the errors of a transport mean.

use std::error::Error;
use std::io;

use super::super::{Fault, FaultKind};
use crate::http::deepest;

/// The innermost cause of an error, and the kind of the system's error in it.
fn cause(error: &(dyn Error + 'static)) -> (String, Option<io::ErrorKind>) {
    let mut io_kind = None;
    let mut next = Some(error);
    while let Some(error) = next {
        io_kind = error.downcast_ref::<io::Error>().map(io::Error::kind).or(io_kind);
        next = error.source();
    }
    (deepest(error).to_string(), io_kind)
}

/// A connection that was not made; `through` names the proxy it should have gone through.
pub(super) fn unconnected(error: &(dyn Error + 'static), through: Option<&str>) -> Fault {
    let (mut why, io_kind) = cause(error);
    // What rustls says of an answer that is no TLS.
    if why.starts_with("received corrupt message of type InvalidContentType") {
        "its port does not speak TLS; the address of such a service begins with http://"
            .clone_into(&mut why);
    }
    let why = through.map_or(why.clone(), |proxy| format!("through the proxy {proxy}: {why}"));
    match io_kind {
        Some(io::ErrorKind::TimedOut) => Fault::new(FaultKind::Timeout, why),
        _ => Fault::new(FaultKind::Connect, why),
    }
}

/// A request that was sent, or begun, and not answered; `reused` says whether its connection had
/// served others before.
pub(super) fn unanswered(error: &hyper::Error, reused: bool) -> Fault {
    let (why, io_kind) = cause(error);
    let kind = match io_kind {
        Some(io::ErrorKind::TimedOut) => FaultKind::Timeout,
        _ if error.is_parse() => FaultKind::Unparsable,
        _ if reused => FaultKind::Idle,
        _ => FaultKind::Closed,
    };
    Fault::new(kind, why)
}

/// A response that began and broke off.
pub(super) fn cut_off(error: &hyper::Error) -> Fault {
    match cause(error) {
        (why, Some(io::ErrorKind::TimedOut)) => Fault::new(FaultKind::Timeout, why),
        (why, _) => Fault::new(FaultKind::CutOff, format!("the response was cut off: {why}")),
    }
}
