//! The patterns of `matchGlob`
//! (<https://cloud.google.com/storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob>).

use crate::answers::ApiError;

/// The most patterns without braces that one with braces may stand for.
const MOST_ALTERNATIVES: usize = 256;

/// A pattern: `*` is any text without `/`, `**` any text, `**/` at the start of a segment any
/// number of segments, `?` a character but `/`, `[a-z]` and `[!a-z]` sets, `{a,b}` alternatives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Glob {
    alternatives: Vec<Vec<Token>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// A set of characters; the flag says that all others are meant.
    Set(bool, Vec<(char, char)>),
    /// Any character but `/`.
    One,
    /// Any text without `/`.
    Star,
    /// Any text.
    Stars,
    /// Nothing, or any text that ends in `/`.
    Segments,
}

impl Glob {
    pub(crate) fn parse(pattern: &str) -> Result<Self, ApiError> {
        let wrong = || ApiError::invalid(format!("invalid matchGlob: {pattern:?}"));
        let chars: Vec<char> = pattern.chars().collect();
        let expanded = expand(&chars).ok_or_else(wrong)?;
        let tokens = expanded.iter().map(|text| tokens(text).ok_or_else(wrong));
        Ok(Self { alternatives: tokens.collect::<Result<_, _>>()? })
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.alternatives.iter().any(|tokens| fits(tokens, name))
    }
}

/// The patterns without braces that `pattern` stands for; nothing where braces do not fit or where
/// they are too many.
fn expand(pattern: &[char]) -> Option<Vec<Vec<char>>> {
    let Some(open) = pattern.iter().position(|c| matches!(c, '{' | '}')) else {
        return Some(vec![pattern.to_owned()]);
    };
    let (head, rest) = (&pattern[..open], pattern[open..].strip_prefix(&['{'])?);
    let (mut depth, mut from, mut parts) = (0_usize, 0, Vec::new());
    let close = rest.iter().enumerate().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                parts.push(&rest[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        (*c == '}' && from == at + 1).then_some(at)
    })?;
    let mut all = Vec::new();
    for part in parts {
        all.extend(expand(&[head, part, &rest[close + 1..]].concat())?);
        if all.len() > MOST_ALTERNATIVES {
            return None;
        }
    }
    Some(all)
}

fn tokens(pattern: &[char]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let [c, after @ ..] = rest {
        let starts_segment = matches!(tokens.last(), None | Some(Token::Char('/')));
        rest = after;
        tokens.push(match (c, after) {
            ('*', ['*', ..]) => {
                let stars = after.iter().take_while(|c| **c == '*').count();
                rest = &after[stars..];
                match rest.strip_prefix(&['/']) {
                    Some(after) if starts_segment => {
                        rest = after;
                        Token::Segments
                    }
                    _ => Token::Stars,
                }
            }
            ('*', _) => Token::Star,
            ('?', _) => Token::One,
            ('[', _) => {
                let (set, after) = set(after)?;
                rest = after;
                set
            }
            (c, _) => Token::Char(*c),
        });
    }
    Some(tokens)
}

/// The set that `text`, which follows a `[`, begins with, and what follows its `]`.
fn set(text: &[char]) -> Option<(Token, &[char])> {
    let (others, inner) = match text {
        ['!' | '^', inner @ ..] => (true, inner),
        inner => (false, inner),
    };
    // A `]` that comes first is one of the characters.
    let end = 1 + inner.iter().skip(1).position(|c| *c == ']')?;
    let (mut ranges, mut chars) = (Vec::new(), &inner[..end]);
    loop {
        match chars {
            [low, '-', high, rest @ ..] => {
                ranges.push((*low, *high));
                chars = rest;
            }
            [one, rest @ ..] => {
                ranges.push((*one, *one));
                chars = rest;
            }
            [] => return Some((Token::Set(others, ranges), &inner[end + 1..])),
        }
    }
}

/// Whether the tokens fit a whole name: by the set of tokens that may come next, so that the work is
/// at most their number for each character.
fn fits(tokens: &[Token], name: &str) -> bool {
    let mut next = vec![false; tokens.len() + 1];
    enter(tokens, &mut next, 0);
    for c in name.chars() {
        let mut then = vec![false; tokens.len() + 1];
        for (at, token) in tokens.iter().enumerate().filter(|(at, _)| next[*at]) {
            match token {
                Token::Char(wanted) if *wanted == c => enter(tokens, &mut then, at + 1),
                Token::One if c != '/' => enter(tokens, &mut then, at + 1),
                Token::Set(others, ranges) if c != '/' => {
                    let listed = ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
                    if listed != *others {
                        enter(tokens, &mut then, at + 1);
                    }
                }
                Token::Star if c != '/' => enter(tokens, &mut then, at),
                Token::Stars => enter(tokens, &mut then, at),
                Token::Segments => {
                    // Its end may come after a `/` alone.
                    then[at] = true;
                    if c == '/' {
                        enter(tokens, &mut then, at + 1);
                    }
                }
                _ => {}
            }
        }
        if !then.contains(&true) {
            return false;
        }
        next = then;
    }
    next[tokens.len()]
}

/// Marks a token as one that may come next, and those after it that may come instead.
fn enter(tokens: &[Token], next: &mut [bool], at: usize) {
    next[at] = true;
    // What these stand for may be nothing.
    if let Some(Token::Star | Token::Stars | Token::Segments) = tokens.get(at) {
        enter(tokens, next, at + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 8] =
        ["a.jpg", "d/00/x.jpg", "d/00/y.png", "d/01/x.jpg", "d/x.jpg", "d/é", "d/]", "dd"];

    fn chosen(pattern: &str) -> Vec<&'static str> {
        let glob = Glob::parse(pattern).unwrap();
        NAMES.into_iter().filter(|name| glob.matches(name)).collect()
    }

    #[test]
    fn patterns_choose_names() {
        for (pattern, names) in [
            ("*", vec!["a.jpg", "dd"]),
            ("*.jpg", vec!["a.jpg"]),
            ("**.png", vec!["d/00/y.png"]),
            ("**", NAMES.to_vec()),
            ("d/*/x.jpg", vec!["d/00/x.jpg", "d/01/x.jpg"]),
            ("d/**/x.jpg", vec!["d/00/x.jpg", "d/01/x.jpg", "d/x.jpg"]),
            ("**/x.jpg", vec!["d/00/x.jpg", "d/01/x.jpg", "d/x.jpg"]),
            ("d/{00,01}/?.jpg", vec!["d/00/x.jpg", "d/01/x.jpg"]),
            ("d/{0{0,7}/y,x}.{png,jpg}", vec!["d/00/y.png", "d/x.jpg"]),
            ("d/0[1-9]/*", vec!["d/01/x.jpg"]),
            ("d/0[!1]/*.jpg", vec!["d/00/x.jpg"]),
            ("d/?", vec!["d/é", "d/]"]),
            ("d/[]]", vec!["d/]"]),
            ("d?x.jpg", vec![]),
            ("d[^a]x.jpg", vec![]),
            ("d", vec![]),
            ("**/", vec![]),
        ] {
            assert_eq!(chosen(pattern), names, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let many = "{a,b}".repeat(9);
        for bad in ["{a", "a}", "[a", "[", "[]", many.as_str()] {
            assert!(Glob::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn many_stars_cost_little() {
        let glob = Glob::parse(&"*a".repeat(300)).unwrap();
        assert!(!glob.matches(&"a".repeat(250)));
        assert!(glob.matches(&"a".repeat(300)));
    }
}
