//! What a write changed, for a person: numbered lines, `41 - old` and `41 + new`.

use crate::base::clock;
use crate::base::text;
use similar::Algorithm;
use similar::DiffOp;
use std::ops::Range;
use std::time::Duration;

/// More than a screen of changes is not read line by line.
const LINES_MAX: usize = 40;

/// A wider line is no use in a list of changes.
const LINE_CHARS_MAX: usize = 200;

/// A better diff is not worth a longer wait; past this it is a coarser one.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// The differences between two versions of files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    added: usize,
    removed: usize,
    files: Vec<Section>,
}

/// The changed lines of a file, as many as are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    name: String,
    /// The number of the first line that was compared.
    first_line: usize,
    lines: Vec<String>,
}

impl Changes {
    /// What leads from `old` to `new` in the file `name`.
    pub fn of(name: &str, old: &[u8], new: &[u8]) -> Changes {
        let mut changes = Changes::default();
        changes.add(name, old, new);
        changes
    }

    /// Adds what leads from `old` to `new` in the file `name`.
    pub fn add(&mut self, name: &str, old: &[u8], new: &[u8]) {
        // Most of a large file is the same, and a list of its lines would be larger still.
        let (same, old, new) = differing(old, new);
        let first_line = 1 + same.iter().filter(|byte| **byte == b'\n').count();
        let old: Vec<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
        let new: Vec<&[u8]> = new.split_inclusive(|byte| *byte == b'\n').collect();
        let deadline = clock::now().checked_add(WAIT_MAX);
        let steps = similar::capture_diff_slices_deadline(Algorithm::Myers, &old, &new, deadline);
        let mut section = Section {
            name: name.to_owned(),
            first_line,
            lines: Vec::new(),
        };
        for step in steps {
            if !matches!(step, DiffOp::Equal { .. }) {
                self.removed += step.old_range().len();
                self.added += step.new_range().len();
                section.show('-', &old, step.old_range());
                section.show('+', &new, step.new_range());
            }
        }
        self.files.push(section);
    }

    /// `+1 -1`.
    pub fn summary(&self) -> String {
        format!("+{} -{}", self.added, self.removed)
    }

    /// The lines, under the names of their files if there are several, and how many more there are.
    pub fn detail(&self) -> String {
        let mut shown = Vec::new();
        let mut room = LINES_MAX;
        for Section { name, lines, .. } in &self.files {
            if self.files.len() > 1 && room > 0 {
                shown.push(name.clone());
            }
            let count = lines.len().min(room);
            shown.extend_from_slice(&lines[..count]);
            room -= count;
        }
        let more = self.added + self.removed - (LINES_MAX - room);
        if more > 0 {
            shown.push(format!("[and {more} more]"));
        }
        shown.join("\n")
    }
}

impl Section {
    fn show(&mut self, sign: char, lines: &[&[u8]], range: Range<usize>) {
        for index in range {
            if self.lines.len() == LINES_MAX {
                return;
            }
            let line = String::from_utf8_lossy(lines[index]);
            let line = text::ellipsis(line.trim_end(), LINE_CHARS_MAX);
            let number = self.first_line + index;
            self.lines.push(format!("{number} {sign} {line}"));
        }
    }
}

/// What both have in common at the start, and then each without that and without what they have in
/// common at the end; all are whole lines.
fn differing<'a>(old: &'a [u8], new: &'a [u8]) -> (&'a [u8], &'a [u8], &'a [u8]) {
    let pairs = old.iter().zip(new);
    let same = pairs.take_while(|(left, right)| left == right).count();
    let line_end = old[..same].iter().rposition(|byte| *byte == b'\n');
    let (same, old) = old.split_at(line_end.map_or(0, |end| end + 1));
    let new = &new[same.len()..];

    let pairs = old.iter().rev().zip(new.iter().rev());
    let tail = pairs.take_while(|(left, right)| left == right).count();
    // The first line of the common end may have another beginning.
    let common = &old[old.len() - tail..];
    let line_end = common.iter().position(|byte| *byte == b'\n');
    let tail = line_end.map_or(0, |end| common.len() - end - 1);
    (same, &old[..old.len() - tail], &new[..new.len() - tail])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_number_that_they_have_in_their_version() {
        let changes = Changes::of("f", b"a\nb\nc\nd\n", b"a\nB\nc\nd\ne\n");
        assert_eq!(changes.summary(), "+2 -1");
        assert_eq!(changes.detail(), "2 - b\n2 + B\n5 + e");
        assert_eq!(Changes::of("f", b"a\n", b"a\n").detail(), "");
        assert_eq!(Changes::of("f", b"a\na\n", b"a\n").detail(), "2 - a");
        assert_eq!(
            Changes::of("f", b"xa\nb", b"ya\nb").detail(),
            "1 - xa\n1 + ya"
        );
        assert_eq!(
            Changes::of("f", b"a\nb", b"a\nb\n").detail(),
            "2 - b\n2 + b"
        );
    }

    #[test]
    fn many_lines_are_counted_but_not_shown() {
        let new: String = (0..1000).map(|n| format!("{n}\n")).collect();
        let mut changes = Changes::of("f", b"a\n", b"");
        changes.add("g", b"", new.as_bytes());
        changes.add("h", b"", b"b\n");
        let detail = changes.detail();
        assert!(detail.starts_with("f\n1 - a\ng\n1 + 0\n"), "{detail}");
        assert!(detail.ends_with("\n39 + 38\n[and 962 more]"), "{detail}");
        assert_eq!(changes.summary(), "+1001 -1");
    }
}
