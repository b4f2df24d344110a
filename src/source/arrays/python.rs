//! Literals in Python's notation, as numpy writes them into headers: dictionaries, tuples, lists,
//! strings, whole numbers, `True`, `False` and `None`.

/// Literals may be nested so deep; numpy's headers are three deep.
const DEEPEST: u8 = 16;

/// A literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    String(String),
    Bool(bool),
    Integer(i128),
    None,
    /// A tuple or a list.
    Sequence(Vec<Value>),
    Dict(Vec<(Value, Value)>),
}

impl Value {
    /// The value of a dictionary's key.
    pub(super) fn item(&self, key: &str) -> Option<&Self> {
        let Self::Dict(items) = self else { return None };
        let is_it = |name: &Self| matches!(name, Self::String(name) if name == key);
        items.iter().find(|(name, _)| is_it(name)).map(|(_, value)| value)
    }
}

/// Reads a text that is one literal.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut parser = Parser { text, rest: text };
    let value = parser.value(DEEPEST)?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.wrong()),
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn wrong(&self) -> String {
        format!("is no literal of Python from byte {} on", self.text.len() - self.rest.len())
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    /// Takes the character if it is the next one.
    fn take(&mut self, wanted: char) -> bool {
        self.peek();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes characters as long as they are of a kind.
    fn take_while(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !of(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn value(&mut self, depth: u8) -> Result<Value, String> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.wrong())?;
        match self.peek() {
            Some('{') => self.dict(depth),
            Some('(') => self.sequence('(', ')', depth),
            Some('[') => self.sequence('[', ']', depth),
            Some(quote @ ('\'' | '"')) => {
                self.take(quote);
                let text = self.take_while(|c| c != quote && c != '\\');
                if self.rest.starts_with(quote) && self.take(quote) {
                    Ok(Value::String(text.to_owned()))
                } else {
                    Err(self.wrong())
                }
            }
            Some('-' | '0'..='9') => {
                let negative = self.take('-');
                let digits = self.take_while(|c| c.is_ascii_digit());
                let size: i128 = digits.parse().map_err(|_| self.wrong())?;
                // Python 2 wrote long numbers so.
                let _ = self.rest.starts_with('L') && self.take('L');
                Ok(Value::Integer(if negative { -size } else { size }))
            }
            _ => match self.take_while(char::is_alphabetic) {
                "True" => Ok(Value::Bool(true)),
                "False" => Ok(Value::Bool(false)),
                "None" => Ok(Value::None),
                _ => Err(self.wrong()),
            },
        }
    }

    fn sequence(&mut self, open: char, close: char, depth: u8) -> Result<Value, String> {
        self.take(open);
        let mut values = Vec::new();
        let mut comma = true;
        while !self.take(close) {
            if !comma {
                return Err(self.wrong());
            }
            values.push(self.value(depth)?);
            comma = self.take(',');
        }
        // One value in brackets without a comma is that value.
        if open == '(' && values.len() == 1 && !comma {
            return Ok(values.remove(0));
        }
        Ok(Value::Sequence(values))
    }

    fn dict(&mut self, depth: u8) -> Result<Value, String> {
        self.take('{');
        let mut items = Vec::new();
        let mut comma = true;
        while !self.take('}') {
            if !comma {
                return Err(self.wrong());
            }
            let key = self.value(depth)?;
            if !self.take(':') {
                return Err(self.wrong());
            }
            items.push((key, self.value(depth)?));
            comma = self.take(',');
        }
        Ok(Value::Dict(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_numpy_writes() {
        let header =
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3L, -4,), 'x': [(\"a\", None)]}";
        let value = parse(header).unwrap();
        assert_eq!(value.item("descr"), Some(&Value::String("<f8".to_owned())));
        assert_eq!(value.item("fortran_order"), Some(&Value::Bool(false)));
        let shape = [3, -4].map(Value::Integer).to_vec();
        assert_eq!(value.item("shape"), Some(&Value::Sequence(shape)));
        assert_eq!(value.item("y"), None);
        assert_eq!(parse("(3,)"), Ok(Value::Sequence(vec![Value::Integer(3)])));
        assert_eq!(parse("(3)"), Ok(Value::Integer(3)));
        assert_eq!(parse("()"), Ok(Value::Sequence(Vec::new())));
        assert_eq!(parse("(3)").unwrap().item("x"), None);
    }

    #[test]
    fn refuses_what_is_no_literal() {
        for (text, byte) in [
            ("", 0),
            ("{", 1),
            ("{'a' 1}", 5),
            ("(1 2)", 3),
            ("(,)", 1),
            ("'a", 2),
            ("'a\\n'", 2),
            ("1 1", 2),
            ("--1", 1),
            ("os.system", 2),
            ("7.5", 1),
            ("{1: 2 3: 4}", 6),
        ] {
            let says = format!("is no literal of Python from byte {byte} on");
            assert_eq!(parse(text), Err(says), "{text}");
        }
        assert!(parse(&"(".repeat(9_000)).is_err());
        assert!(parse("340282366920938463463374607431768211456").is_err());
    }

    proptest! {
        /// Any text ends with a value or an error, and what is printed as numbers is read again.
        #[test]
        fn any_text_ends(text in "[-0-9a-z'(),:{}\\[\\]|<> _é]{0,80}", numbers: Vec<i64>) {
            let _ = parse(&text);
            let printed = format!("{numbers:?}");
            let read = numbers.into_iter().map(|n| Value::Integer(n.into())).collect();
            prop_assert_eq!(parse(&printed), Ok(Value::Sequence(read)));
        }
    }
}
