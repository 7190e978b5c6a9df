//! How wide text is on a terminal (UAX #11), and text cut to a width.
//!
//! Control characters have no width of their own: make text harmless, and one line, before.

use std::borrow::Cow;
use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

/// Columns that `text` takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// As much of `text` as fits into `columns_max`; `cut` is its end where something was left out.
pub fn fit<'a>(text: &'a str, columns_max: usize, cut: &str) -> Cow<'a, str> {
    if columns(text) <= columns_max {
        return Cow::Borrowed(text);
    }
    let room = columns_max.saturating_sub(columns(cut));
    let mut used = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        end = at + c.len_utf8();
    }
    Cow::Owned(format!("{}{cut}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, columns_max: usize, expected: &str) {
        let fitted = fit(text, columns_max, "…");
        assert_eq!(fitted, expected);
        assert!(columns(&fitted) <= columns_max.max(1));
    }

    #[test]
    fn text_is_cut_between_columns() {
        check("abc", 3, "abc");
        check("abcd", 3, "ab…");
        check("日本語", 6, "日本語");
        check("日本語", 5, "日本…");
        check("日本語", 4, "日…");
        check("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…");
        check("abc", 0, "…");
        check("", 0, "");
    }
}
