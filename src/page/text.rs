//! Pieces of text and markup that several parts of the page share.

use maud::{Markup, html};

use super::data::Report;

/// `4.6 s`, `12 min 3 s`.
pub(super) fn seconds(elapsed: f64) -> String {
    if elapsed < 60.0 {
        return format!("{elapsed:.1} s");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = elapsed.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours} h {minutes} min")
    } else {
        format!("{minutes} min {seconds} s")
    }
}

/// Text of the data, which may be in any script: its direction stays its own.
pub(super) fn name(text: &str) -> Markup {
    html! { bdi { (text) } }
}

/// A path or a URL, which may be broken anywhere.
pub(super) fn address(text: &str) -> Markup {
    html! { code.address { bdi { (text) } } }
}

/// A class' title, of which nothing may be known.
pub(super) fn class_name(report: &Report, number: u32) -> Markup {
    html! { @if let Some(class) = report.class(number) { (name(class.title())) } }
}

/// A table that scrolls in a box of its own where it is wider than the page.
pub(super) fn table(caption: &str, head: &[&str], body: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr { @for heading in head { th scope="col" { (heading) } } } }
                tbody { (body) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_people_say_them() {
        let texts = [0.04, 59.9, 60.0, 723.4, 7325.0].map(seconds);
        assert_eq!(texts, ["0.0 s", "59.9 s", "1 min 0 s", "12 min 3 s", "2 h 2 min"]);
    }
}
