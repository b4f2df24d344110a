//! Why a name or a template cannot be used.

/// The tokens of templates.
const TOKENS: &str =
    "{index}, {index:05}, {label}, {label:02}, {class}, {partition}, {hash}, {hash:2}, {ext}";

/// Why a name or a template cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// A token that means nothing.
    #[error("unknown token {{{0}}}; known are {TOKENS}")]
    UnknownToken(String),
    /// `{` without `}`, or the other way round.
    #[error("a brace is not closed or not opened; tokens are {TOKENS}")]
    Brace,
    /// Two images could get the same name.
    #[error("two images can get one name: {0}")]
    NotUnique(&'static str),
    /// A name that Google Cloud Storage or a folder cannot hold.
    #[error("{0}")]
    Refused(String),
}
