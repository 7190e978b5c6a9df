//! The lines of a file that are most like some that are not there, so that a model can correct
//! itself without reading the file again.

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

/// The lines of `text` that are most like those of `wanted`, numbered; `None` if none are.
pub fn lines(text: &str, wanted: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let wanted: Vec<&str> = wanted.lines().collect();
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
    Some(shown.join("\n"))
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
