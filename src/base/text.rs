//! Text made fit for a place: cut to a size, made harmless for a terminal, compared for typos.
//!
//! Nothing here knows colours or columns; widths are in characters unless a name says bytes.

use std::borrow::Cow;

/// The longest prefix of `text` that has at most `bytes_max` bytes and ends between characters.
pub fn prefix(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The longest suffix of `text` that has at most `bytes_max` bytes and starts between characters.
pub fn suffix(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut start = text.len() - bytes_max;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// At most `chars_max` characters, the last of them `…` if something was left out.
pub fn ellipsis(text: &str, chars_max: usize) -> Cow<'_, str> {
    if text.chars().count() <= chars_max {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    Cow::Owned(kept + "…")
}

/// The text on one line: runs of white space and control characters become one blank.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Text from outside that a terminal can take: control characters but tab and line feed are
/// shown as `\x1b` and the like, so that nothing moves the cursor, retitles the window or hides.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if !is_harmful(c) {
            safe.push(c);
        } else if c.is_ascii() {
            safe.push_str(&format!("\\x{:02x}", u32::from(c)));
        } else {
            safe.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        }
    }
    Cow::Owned(safe)
}

/// Control characters, and the marks that turn the direction of what follows.
fn is_harmful(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && c != '\n' && c != '\t'
}

/// The candidate that a person most likely meant by `word`: at most a third of it mistyped.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let distance_max = (word.chars().count() / 3).max(1);
    // A word that differs this much in length is not near, and not worth the time.
    let length = word.chars().count();
    let is_near = |other: &&str| other.chars().count().abs_diff(length) <= distance_max;
    candidates
        .into_iter()
        .filter(is_near)
        .map(|candidate| (distance(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap two neighbours) between two words (the optimal string
/// alignment distance).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for (i, l) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let mut best = rows[i][j] + usize::from(l != r);
            best = best.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && left[i - 1] == *r && *l == right[j - 1] {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_fall_between_characters() {
        for size in 0..8 {
            let text = "aé€b";
            assert!(prefix(text, size).len() <= size);
            assert!(text.starts_with(prefix(text, size)));
            assert!(suffix(text, size).len() <= size);
            assert!(text.ends_with(suffix(text, size)));
        }
        assert_eq!(prefix("aé", 2), "a");
        assert_eq!(suffix("éa", 2), "a");
        assert_eq!(ellipsis("abcd", 3), "ab…");
        assert_eq!(ellipsis("abc", 3), "abc");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line("  a\n\tb\r\n c\x1b[1m "), "a b c [1m");
        assert_eq!(one_line("\n"), "");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(harmless("a\tb\n"), "a\tb\n");
        assert_eq!(
            harmless("a\x1b[2J\r\u{9b}x\u{202e}"),
            "a\\x1b[2J\\x0d\\u{9b}x\\u{202e}"
        );
    }

    #[test]
    fn the_nearest_word_is_close() {
        let words = ["PROVIDER", "MODEL", "TOOLS"];
        assert_eq!(nearest("PROVDIER", words), Some("PROVIDER"));
        assert_eq!(nearest("model", words), Some("MODEL"));
        assert_eq!(nearest("MODLE", words), Some("MODEL"));
        assert_eq!(nearest("xyz", words), None);
    }
}
