//! `sx help --man`: the whole manual as one man page, in roff (groff_man(7), mandoc's man(7)).
//!
//! Commands and options come from their tables, everything else is a page of the manual, translated
//! line by line: a heading, a paragraph, or lines that stay as they are because they are indented.

use super::tables;
use super::write_page;
use crate::cli::args::flags::FLAGS;
use crate::cli::args::verbs::COMMANDS;
use crate::cli::version::VERSION;
use crate::manual::DATE;
use crate::manual::PAGES;
use crate::manual::Page;
use std::io;
use std::io::Write;

/// Pages that have a section of a man page for themselves, with its name.
const SECTIONS: &[(&str, &str)] = &[
    ("exit", "EXIT STATUS"),
    ("environment", "ENVIRONMENT"),
    ("files", "FILES"),
];

/// Pages that are in it otherwise, or that only the program needs.
const LEFT_OUT: &[&str] = &["commands", "licenses"];

/// Writes the man page.
pub fn write(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, ".TH SX 1 {DATE} \"sx {VERSION}\" \"User Commands\"")?;
    writeln!(out, ".SH NAME\nsx \\- a coding agent in one file")?;
    writeln!(out, ".SH SYNOPSIS")?;
    for (index, row) in COMMANDS.iter().enumerate() {
        let between = if index == 0 { "" } else { ".br\n" };
        let name = escaped(format!("sx {}", row.name).trim_end());
        let arguments = escaped(&format!(" {}", row.arguments));
        write!(out, "{between}\\fB{name}\\fR [\\fIOPTIONS\\fR]")?;
        writeln!(out, "{}", arguments.trim_end())?;
    }
    writeln!(out, ".SH COMMANDS")?;
    for row in COMMANDS {
        writeln!(out, ".TP\n\\fB{}\\fR", escaped(&tables::usage(row)))?;
        writeln!(out, "{}", escaped(row.help))?;
    }
    writeln!(out, ".SH OPTIONS")?;
    for flag in FLAGS {
        let short = flag.short.map_or(String::new(), |it| format!("-{it}, "));
        let option = escaped(&format!("{short}{}", tables::option(flag)));
        writeln!(out, ".TP\n\\fB{option}\\fR\n{}", escaped(flag.help))?;
    }
    for (topic, name) in SECTIONS {
        let mut pages = PAGES.iter().filter(|page| page.topic == *topic);
        pages.try_for_each(|page| write_section(out, page, name))?;
    }
    let is_own = |topic| SECTIONS.iter().any(|(other, _)| *other == topic);
    let others = PAGES
        .iter()
        .filter(|page| !is_own(page.topic) && !LEFT_OUT.contains(&page.topic));
    others
        .into_iter()
        .try_for_each(|page| write_section(out, page, &page.topic.to_uppercase()))
}

fn write_section(out: &mut dyn Write, page: &Page, name: &str) -> io::Result<()> {
    let mut text = Vec::new();
    write_page(&mut text, page)?;
    writeln!(out, ".SH {}", escaped(name))?;
    let text = String::from_utf8_lossy(&text);
    // The name of the section stands for the first heading.
    let body = text.lines().skip_while(|line| line.starts_with("# "));
    translate(out, body)
}

/// What the lines before made.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// A heading, after which a paragraph begins by itself.
    Heading,
    /// A paragraph, which a blank line has ended if it `is_over`.
    Text { is_over: bool },
    /// Indented lines, and as many blank ones.
    Example { blanks: usize },
}

/// Writes lines of a page as roff.
fn translate<'a>(out: &mut dyn Write, lines: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let mut state = State::Heading;
    for line in lines {
        let is_indented = line.starts_with("  ");
        state = match (state, line.trim_start()) {
            (State::Example { blanks }, "") => State::Example { blanks: blanks + 1 },
            (State::Heading, "") => State::Heading,
            (State::Text { .. }, "") => State::Text { is_over: true },
            (before, text) if is_indented => {
                match before {
                    State::Example { blanks } => write!(out, "{}", "\n".repeat(blanks))?,
                    State::Heading => writeln!(out, ".RS 4\n.nf")?,
                    State::Text { is_over: true } => writeln!(out, ".PP\n.RS 4\n.nf")?,
                    State::Text { is_over: false } => writeln!(out, ".RS 4\n.nf")?,
                }
                // The indent of the page itself is the macro's.
                writeln!(
                    out,
                    "{}",
                    escaped(line.strip_prefix("    ").unwrap_or(text))
                )?;
                State::Example { blanks: 0 }
            }
            (before, text) => {
                if matches!(before, State::Example { .. }) {
                    writeln!(out, ".fi\n.RE")?;
                }
                match text.trim_start_matches('#') {
                    heading if heading.len() < text.len() => {
                        writeln!(out, ".SS {}", escaped(heading.trim_start()))?;
                        State::Heading
                    }
                    _ => {
                        let continues =
                            matches!(before, State::Heading | State::Text { is_over: false });
                        let begin = if continues { "" } else { ".PP\n" };
                        writeln!(out, "{begin}{}", escaped(text))?;
                        State::Text { is_over: false }
                    }
                }
            }
        };
    }
    match state {
        State::Example { .. } => writeln!(out, ".fi\n.RE"),
        _ => Ok(()),
    }
}

/// A line of text in roff: nothing in it is a request, and every character is itself. Some would
/// otherwise become typographical ones, which cannot be pasted into a shell.
fn escaped(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len() + line.len() / 8);
    if line.starts_with(['.', '\'']) {
        escaped.push_str("\\&");
    }
    for c in line.chars() {
        match c {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(page: &str, expected: &str) {
        let mut out = Vec::new();
        translate(&mut out, page.lines()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{page}");
    }

    #[test]
    fn a_page_becomes_roff() {
        check("one\ntwo\n\nthree", "one\ntwo\n.PP\nthree\n");
        check(
            "\n## Keys\n\nA=b\n    what\n    is\n",
            ".SS Keys\nA=b\n.RS 4\n.nf\nwhat\nis\n.fi\n.RE\n",
        );
        check(
            "say:\n\n    a\n\n      b\n\nand",
            "say:\n.PP\n.RS 4\n.nf\na\n\n  b\n.fi\n.RE\n.PP\nand\n",
        );
        check(
            "# a\n    b\n## c\nd\n# e",
            ".SS a\n.RS 4\n.nf\nb\n.fi\n.RE\n.SS c\nd\n.SS e\n",
        );
    }

    #[test]
    fn no_character_of_a_page_is_one_of_roff() {
        assert_eq!(escaped(".git's a\\nb"), "\\&.git\\(aqs a\\enb");
        assert_eq!(escaped("'--x ~^`"), "\\&\\(aq\\-\\-x \\(ti\\(ha\\(ga");
        check("    .TH", ".RS 4\n.nf\n\\&.TH\n.fi\n.RE\n");
    }

    #[test]
    fn every_command_option_key_and_page_is_in_it() {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        let page = String::from_utf8(out).unwrap();
        for row in COMMANDS {
            assert!(page.contains(&escaped(row.help)), "{}", row.name);
        }
        for flag in FLAGS {
            assert!(
                page.contains(&escaped(&tables::option(flag))),
                "{}",
                flag.long
            );
        }
        for key in crate::config::table::KEYS {
            assert!(page.contains(&format!("\n{}=", key.name)), "{}", key.name);
        }
        for name in PAGES.iter().map(|page| page.topic) {
            let is_section = page.contains(&format!(".SH {}\n", name.to_uppercase()));
            let is_elsewhere = LEFT_OUT.contains(&name) || name == "exit";
            assert!(is_section || is_elsewhere, "{name}");
        }
    }
}
