//! How numbers and foreign names are written for people.

use std::borrow::Cow;

/// A number with commas: `70,000`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate without its fraction: `15,302`. What is below zero, or no number, is 0.
pub(crate) fn rounded(n: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    thousands(n.round() as u64)
}

/// Milliseconds with as many digits as matter: `0.8`, `12`, `1,204`.
pub(crate) fn short(ms: f64) -> String {
    if ms < 9.95 { format!("{ms:.1}") } else { rounded(ms) }
}

/// A number of bytes in decimal units: `999 B`, `1.50 kB`, `46.13 MB`.
pub(crate) fn bytes(n: u64) -> String {
    let (mut amount, mut unit) = (n as f64, "B");
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if amount < 1000.0 {
            break;
        }
        (amount, unit) = (amount / 1000.0, larger);
    }
    if unit == "B" { format!("{n} B") } else { format!("{amount:.2} {unit}") }
}

/// Whether a character can change how the text around it is drawn, or end the line: control
/// characters (ESC, and U+009B, which begins a terminal's commands too), line and paragraph
/// separators, and the marks that turn the direction of writing
/// (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A foreign text, such as a name in an archive or a service's message, as one line that is safe to
/// print: each unsafe character as an escape such as `\n` or `\u{1b}`.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unsafe(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe.into()
}

/// The same JSON with unsafe characters as escapes such as `\u009b`; line ends between values stay.
pub(crate) fn shown_json(json: &str) -> Cow<'_, str> {
    let is_unsafe = |c: char| c != '\n' && is_unsafe(c);
    if !json.contains(is_unsafe) {
        return json.into();
    }
    let mut safe = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        // All unsafe characters are below U+10000.
        if is_unsafe(c) { safe.push_str(&format!("\\u{:04x}", u32::from(c))) } else { safe.push(c) }
    }
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (70_000, "70,000"),
            (999_999, "999,999"),
            (4_294_967_295, "4,294,967,295"),
        ] {
            assert_eq!(thousands(n), text);
        }
        assert_eq!([rounded(15_301.6), rounded(0.4), rounded(-1.0)], ["15,302", "0", "0"]);
        assert_eq!(rounded(f64::NAN), "0");
        assert_eq!(
            [short(0.84), short(9.94), short(9.95), short(1204.4)],
            ["0.8", "9.9", "10", "1,204"]
        );
    }

    #[test]
    fn bytes_have_decimal_units() {
        for (n, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (46_130_000, "46.13 MB"),
            (1_000_000_000, "1.00 GB"),
            (u64::MAX, "18.45 EB"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn foreign_text_is_one_line_that_commands_nothing() {
        for (text, safe) in [
            ("Bottes d'été 👢 حقيبة", "Bottes d'été 👢 حقيبة"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{9b}31mred", "\\u{9b}31mred"),
            ("a\r\nb\tc\u{7f}", "a\\r\\nb\\tc\\u{7f}"),
            ("fdp.\u{202e}gpj", "fdp.\\u{202e}gpj"),
            (
                "\u{2066}a\u{2069}\u{200f}\u{61c}\u{2028}",
                "\\u{2066}a\\u{2069}\\u{200f}\\u{61c}\\u{2028}",
            ),
        ] {
            assert_eq!(shown(text), safe);
        }
        let foreign = "\u{9b}31m\u{202e}\u{1b}é\n";
        let json = serde_json::to_string_pretty(&[foreign]).unwrap();
        let safe = shown_json(&json);
        assert_eq!(safe, "[\n  \"\\u009b31m\\u202e\\u001bé\\n\"\n]");
        assert_eq!(serde_json::from_str::<Vec<String>>(&safe).unwrap(), [foreign]);
        // Joiners make characters of several; they stay.
        assert_eq!(shown("👩\u{200d}🚀"), "👩\u{200d}🚀");
    }
}
