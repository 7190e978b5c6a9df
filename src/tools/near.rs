//! The lines of a file that are most like some that are not there, and what is different about
//! them that is hard to see, so that a model can correct itself without reading the file again.

use crate::base::text::ellipsis;
use similar::Algorithm;

/// Comparisons of lines that an answer is worth: some tens of milliseconds.
const COMPARED_MAX: usize = 10_000_000;

/// Letter by letter comparisons are dearer.
const DIFFED_MAX: usize = 2_000;

/// Below this share of common letters two lines are not alike.
const RATIO_MIN: f32 = 0.6;

const SHOWN_LINES_MAX: usize = 8;
const SHOWN_CHARS_MAX: usize = 200;

/// The lines of `text` that are most like those of `old`, numbered, and a line on what is different
/// about them that does not meet the eye; `None` if none are like it.
pub fn lines(text: &str, old: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let wanted: Vec<&str> = old.lines().collect();
    let start = same_place(&lines, &wanted).or_else(|| alike_place(&lines, &wanted))?;
    let count = wanted.len().min(SHOWN_LINES_MAX);
    let shown: Vec<String> = lines[start..]
        .iter()
        .take(count)
        .enumerate()
        .map(|(index, line)| {
            let line = ellipsis(line, SHOWN_CHARS_MAX);
            format!("{}\t{line}", start + index + 1)
        })
        .collect();
    let hint = hint(&lines[start..], &wanted, start + 1)
        .or_else(|| line_end_hint(text, old, start + wanted.len() >= lines.len()));
    let hint = hint.map_or(String::new(), |hint| format!("\n[{hint}]"));
    Some(shown.join("\n") + &hint)
}

/// What is different between lines that look the same, for the first pair that differs. `number`
/// is that of the first line.
fn hint(lines: &[&str], wanted: &[&str], number: usize) -> Option<String> {
    let mut pairs = (number..).zip(lines.iter().zip(wanted));
    let (number, (line, wanted)) = pairs.find(|(_, (line, wanted))| line != wanted)?;
    let (ends, starts) = (line.trim_end(), line.trim_start());
    let pair =
        |line: &str, wanted: &str| format!("{} there, {} in old", blanks(line), blanks(wanted));
    if ends == wanted.trim_end() {
        let pair = pair(&line[ends.len()..], &wanted[ends.len()..]);
        return Some(format!("line {number} ends with {pair}"));
    }
    if starts == wanted.trim_start() {
        let indent = |line: &str| line.len() - starts.len();
        let pair = pair(&line[..indent(line)], &wanted[..indent(wanted)]);
        return Some(format!("line {number} begins with {pair}"));
    }
    if let Some((digits, rest)) = wanted.split_once('\t')
        && rest == *line
        && digits.trim().parse::<u64>().is_ok()
    {
        return Some("old begins with a line number, which is not part of the file".to_owned());
    }
    if line.split_whitespace().eq(wanted.split_whitespace()) {
        return Some(format!("line {number} has other white space than old"));
    }
    let (there, given) = line.chars().zip(wanted.chars()).find(|(a, b)| a != b)?;
    let code = |c: char| format!("{c} (U+{:04X})", u32::from(c));
    (!there.is_ascii() || !given.is_ascii()).then(|| {
        format!(
            "line {number} has {} where old has {}",
            code(there),
            code(given)
        )
    })
}

/// What is different about the line ends of lines that are the same.
fn line_end_hint(text: &str, old: &str, is_at_end: bool) -> Option<String> {
    let words = if old.contains('\r') {
        "old has carriage returns that are not there; without any it fits all line ends"
    } else if is_at_end && old.ends_with('\n') && !text.ends_with('\n') {
        "the last line of the file has no line end"
    } else {
        return None;
    };
    Some(words.to_owned())
}

/// White space in words.
fn blanks(text: &str) -> String {
    let count = |c: char, name: &str| match text.matches(c).count() {
        0 => None,
        1 => Some(format!("1 {name}")),
        count => Some(format!("{count} {name}s")),
    };
    let other = |c: &char| !matches!(c, ' ' | '\t');
    let other = text.chars().find(other);
    let other = other.map(|c| format!("U+{:04X}", u32::from(c)));
    let parts: Vec<String> = [count('\t', "tab"), count(' ', "space"), other]
        .into_iter()
        .flatten()
        .collect();
    match parts.is_empty() {
        true => "nothing".to_owned(),
        false => parts.join(" and "),
    }
}

/// The place where the most lines are the same but for white space at their ends.
fn same_place(lines: &[&str], wanted: &[&str]) -> Option<usize> {
    if lines.len().saturating_mul(wanted.len()) > COMPARED_MAX {
        return None;
    }
    let is_same = |(line, wanted): (&&str, &&str)| {
        let wanted = wanted.trim();
        !wanted.is_empty() && line.trim() == wanted
    };
    let same = |start: usize| {
        lines[start..]
            .iter()
            .zip(wanted)
            .filter(|pair| is_same(*pair))
            .count()
    };
    // The first of equals: `max_by_key` takes the last, so the search goes upward.
    let best = (0..lines.len()).rev().max_by_key(|start| same(*start))?;
    (same(best) > 0).then_some(best)
}

/// The place where the first line that is not blank is most alike.
fn alike_place(lines: &[&str], wanted: &[&str]) -> Option<usize> {
    let (offset, wanted) = wanted
        .iter()
        .enumerate()
        .find(|(_, line)| !line.trim().is_empty())?;
    let wanted = wanted.trim();
    let is_close_in_length =
        |line: &str| line.len() / 2 <= wanted.len() && wanted.len() / 2 <= line.len();
    let (ratio, index) = lines
        .iter()
        .enumerate()
        .map(|(index, line)| (line.trim(), index))
        .filter(|(line, _)| line.len() <= SHOWN_CHARS_MAX * 2 && is_close_in_length(line))
        .take(DIFFED_MAX)
        .map(|(line, index)| (likeness(line, wanted), index))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    (ratio >= RATIO_MIN).then(|| index.saturating_sub(offset))
}

/// The share of letters that two lines have in common.
///
/// By slices, not by the crate's `TextDiff`, which links every algorithm that it knows.
fn likeness(line: &str, wanted: &str) -> f32 {
    let line: Vec<char> = line.chars().collect();
    let wanted: Vec<char> = wanted.chars().collect();
    let steps = similar::capture_diff_slices(Algorithm::Myers, &line, &wanted);
    similar::diff_ratio(&steps, line.len(), wanted.len())
}
