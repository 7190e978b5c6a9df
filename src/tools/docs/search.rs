//! Finds the sections of texts that say most about some words. Pure.
//!
//! A section is a heading with what stands below it, or some lines where there are no headings. It
//! is worth more the more of the words it has, most of all in its heading or in the name of an
//! option that it tells of; how often counts little.

use crate::base::text;
use crate::tools::Answer;
use crate::tools::Refusal;

/// Sections in an answer.
const SECTIONS_MAX: usize = 8;

/// As much as an answer shows, and as much of one section.
const SHOWN_BYTES_MAX: usize = 16 * 1024;
const SECTION_BYTES_MAX: usize = 3 * 1024;

/// A section without headings inside is cut after so many lines.
const SECTION_LINES_MAX: usize = 24;

/// Words of a query that count.
const WORDS_MAX: usize = 12;

/// Headings that are listed where nothing fits.
const HEADINGS_MAX: usize = 40;

/// What is looked for, and what was found.
pub struct Search {
    /// In lower case.
    words: Vec<String>,
    /// The best so far, best first.
    found: Vec<Section>,
    /// Texts that were looked through.
    texts: usize,
}

/// A part of a text.
struct Section {
    score: usize,
    /// Where it is: the text's name and the line.
    place: String,
    text: String,
}

impl Search {
    /// Looks for the words of `query`.
    pub fn new(query: &str) -> Search {
        let is_part = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        let words = query.split(|c: char| !is_part(c));
        let words = words.map(|word| word.trim_matches(['-', '.']).to_lowercase());
        let mut words: Vec<String> = words.filter(|word| word.len() > 1).collect();
        words.dedup();
        words.truncate(WORDS_MAX);
        Search {
            words,
            found: Vec::new(),
            texts: 0,
        }
    }

    /// What is looked for.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Looks through a text.
    pub fn add(&mut self, name: &str, text: &str) {
        self.texts += 1;
        let mut lines: Vec<&str> = Vec::new();
        let mut first = 1;
        let mut heading = "";
        let place = |name: &str, first: usize, heading: &str| match heading {
            "" => format!("{name}:{first}"),
            _ => format!("{name}:{first}, {}", heading.trim_start_matches('#').trim()),
        };
        for (number, line) in (1..).zip(text.lines()) {
            let is_full = lines.len() >= SECTION_LINES_MAX && line.trim().is_empty();
            if (is_heading(line) || is_full) && !lines.is_empty() {
                self.rate(&place(name, first, heading), &lines);
                lines.clear();
                first = number;
            }
            if is_heading(line) {
                heading = line;
            }
            lines.push(line);
        }
        self.rate(&place(name, first, heading), &lines);
        // Stable: of two that are worth the same, the earlier one.
        self.found
            .sort_by_key(|section| std::cmp::Reverse(section.score));
        self.found.truncate(SECTIONS_MAX);
    }

    fn rate(&mut self, place: &str, lines: &[&str]) {
        let joined = lines.join("\n");
        let body = joined.to_lowercase();
        let mut score = 0;
        let mut there = 0;
        for word in &self.words {
            let times = body.matches(word.as_str()).take(5).count();
            if times > 0 {
                there += 1;
                score += times;
            }
            let names = |line: &str| is_heading(line) || line.trim_start().starts_with('-');
            let mut lines = body.lines();
            if lines.any(|line| names(line) && line.contains(word.as_str())) {
                score += 10;
            }
        }
        if there == 0 {
            return;
        }
        self.found.push(Section {
            score: score + 20 * there,
            place: place.to_owned(),
            text: joined,
        });
    }

    /// The best sections, or that there are none.
    pub fn answer(&self) -> Result<Answer, Refusal> {
        if self.words.is_empty() {
            return Err(Refusal::new("query has no word to look for"));
        }
        if self.found.is_empty() {
            return Err(Refusal::new(format!(
                "none of {} is in {} texts; try other words, or a topic such as the name of a \
                 command",
                self.words.join(", "),
                self.texts
            )));
        }
        Ok(self.told())
    }

    /// The best sections of the one text, or its beginning and its headings.
    pub fn answer_or_beginning(&self, name: &str, text: &str) -> Result<Answer, Refusal> {
        if !self.found.is_empty() {
            return Ok(self.told());
        }
        let headings: Vec<&str> = text
            .lines()
            .filter(|line| is_heading(line))
            .take(HEADINGS_MAX)
            .collect();
        let beginning = text::prefix(text, SECTION_BYTES_MAX);
        let mut told = format!("[{name}, its beginning, since no word of the query is in it]\n");
        told.push_str(beginning.trim_end());
        told.push_str(&format!("\n\n[its sections]\n{}\n", headings.join("\n")));
        Ok(Answer {
            summary: "no word found".to_owned(),
            truncated: beginning.len() < text.len(),
            ..Answer::text(told)
        })
    }

    fn told(&self) -> Answer {
        let mut told = String::new();
        let mut count = 0;
        for section in &self.found {
            let room = SHOWN_BYTES_MAX
                .saturating_sub(told.len())
                .min(SECTION_BYTES_MAX);
            if room < SECTION_BYTES_MAX / 4 {
                break;
            }
            let shown = text::prefix(&section.text, room);
            told.push_str(&format!("[{}]\n{}\n", section.place, shown.trim_end()));
            let missing = section.text.len() - shown.len();
            if missing > 0 {
                told.push_str(&format!("[{missing} more bytes in this section]\n"));
            }
            told.push('\n');
            count += 1;
        }
        Answer {
            summary: match count {
                1 => "1 section".to_owned(),
                _ => format!("{count} sections"),
            },
            ..Answer::text(told.trim_end().to_owned() + "\n")
        }
    }
}

/// `# A heading`, as Markdown and our reader of man pages write it.
fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    rest.len() < line.len() && rest.starts_with(' ')
}
