//! A page of `man` as text: headings as `#`, the rest as it is written, without its markup. Pure.
//!
//! Both families of macros are read (man(7), mdoc(7)), none of them exactly: a model needs the
//! words. Tables and equations stay as they are.

use crate::html;

/// A line of source as text; nothing where it says only how to lay out.
pub fn text(source: &str) -> String {
    let mut page = String::with_capacity(source.len());
    for line in source.lines() {
        let line = line.trim_end();
        let Some(request) = line.strip_prefix(['.', '\'']) else {
            push(&mut page, &plain(line));
            continue;
        };
        let request = request.trim_start();
        let end = request.find(|c: char| c.is_whitespace());
        let (name, rest) = request.split_at(end.unwrap_or(request.len()));
        match name {
            "SH" | "Sh" => push(&mut page, &format!("\n# {}", words(rest))),
            "SS" | "Ss" => push(&mut page, &format!("\n## {}", words(rest))),
            "TH" | "Dt" => push(&mut page, &words(rest)),
            "PP" | "P" | "LP" | "Pp" | "TP" | "sp" | "HP" => push(&mut page, ""),
            "IP" | "It" => push(&mut page, &format!("\n{}", mdoc(rest))),
            "B" | "I" | "SM" | "SB" => push(&mut page, &words(rest)),
            // Their words follow each other without a gap.
            "BR" | "RB" | "BI" | "IB" | "IR" | "RI" => push(&mut page, &parts(rest).concat()),
            "Nm" | "Nd" | "Fl" | "Ar" | "Op" | "Cm" | "Ic" | "Pa" | "Ev" | "Xr" | "Sx" | "Dl"
            | "D1" | "Li" | "Em" | "Sy" | "Dq" | "Sq" | "Ql" | "Va" | "Ft" | "Fn" | "Fa" | "In" => {
                push(&mut page, &mdoc(line.trim_start_matches(['.', '\''])));
            }
            _ => {}
        }
    }
    page
}

fn push(page: &mut String, line: &str) {
    // One empty line is enough.
    if line.is_empty() && (page.is_empty() || page.ends_with("\n\n")) {
        return;
    }
    let line = match page.ends_with("\n\n") {
        true => line.trim_start_matches('\n'),
        false => line,
    };
    page.extend(
        line.chars()
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t')),
    );
    page.push('\n');
}

/// The arguments of a macro, with blanks between them.
fn words(rest: &str) -> String {
    parts(rest).join(" ")
}

/// The arguments of a macro: words, or what stands in quotes.
fn parts(rest: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = rest.trim_start();
    while !rest.is_empty() && !rest.starts_with("\\\"") {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => {
                // A blank behind a backslash does not part words.
                let mut before = ' ';
                let end = rest.find(|c: char| {
                    let is_end = c.is_whitespace() && before != '\\';
                    before = c;
                    is_end
                });
                rest.split_at(end.unwrap_or(rest.len()))
            }
        };
        parts.push(plain(part));
        rest = after.trim_start();
    }
    parts
}

/// A line of mdoc(7), whose macros stand among the words.
fn mdoc(line: &str) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut is_flag = false;
    for part in parts(line) {
        match part.as_str() {
            "Fl" => is_flag = true,
            "Nm" | "Nd" | "Ar" | "Op" | "Cm" | "Ic" | "Pa" | "Ev" | "Xr" | "Sx" | "Li" | "Em"
            | "Sy" | "Dq" | "Sq" | "Ql" | "Ns" | "No" | "Va" | "Dl" | "D1" | "Oo" | "Oc" | "Ft"
            | "Fn" | "Fa" | "In" => {}
            _ if std::mem::take(&mut is_flag) => told.push(format!("-{part}")),
            _ => told.push(part),
        }
    }
    told.join(" ")
}

/// Text without escapes (groff(7), "Escape sequences").
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = escape(&rest[at + 1..], &mut plain);
    }
    plain.push_str(rest);
    plain
}

/// Reads what stands behind a backslash; gives what is left.
fn escape<'a>(text: &'a str, plain: &mut String) -> &'a str {
    let Some(first) = text.chars().next() else {
        return "";
    };
    let rest = &text[first.len_utf8()..];
    match first {
        '"' | '#' => "",
        '-' | '.' | '\'' | '`' | ' ' | '_' => {
            plain.push(first);
            rest
        }
        'e' | '\\' => {
            plain.push('\\');
            rest
        }
        '~' | '0' => {
            plain.push(' ');
            rest
        }
        't' => {
            plain.push('\t');
            rest
        }
        // A character by name, of two letters or in brackets.
        '(' | '[' => {
            let (name, rest) = named(text);
            plain.push_str(character(name));
            rest
        }
        // A font, a string, a colour: how it looks, or what we do not know.
        'f' | '*' | 'm' | 'F' | 'M' | 'n' | 'g' | 'k' => named(rest).1,
        's' => {
            let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
            rest.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        // With an argument in quotes.
        'h' | 'v' | 'w' | 'l' | 'L' | 'D' | 'b' | 'o' | 'X' | 'Z' => {
            let inside = rest
                .strip_prefix('\'')
                .and_then(|rest| rest.split_once('\''));
            inside.map_or(rest, |(_, rest)| rest)
        }
        _ => rest,
    }
}

/// `(xx`, `[name]` or one letter, and what is left.
fn named(text: &str) -> (&str, &str) {
    if let Some(text) = text.strip_prefix('[') {
        return text.split_once(']').unwrap_or((text, ""));
    }
    let (skipped, letters) = match text.starts_with('(') {
        true => (1, 2),
        false => (0, 1),
    };
    let text = &text[skipped..];
    let end = text
        .char_indices()
        .nth(letters)
        .map_or(text.len(), |(at, _)| at);
    text.split_at(end)
}

fn character(name: &str) -> &'static str {
    match name {
        "em" => "—",
        "en" => "–",
        "hy" | "mi" | "-" => "-",
        "aq" | "cq" | "oq" => "'",
        "dq" | "lq" | "rq" => "\"",
        "bu" => "•",
        "co" => "©",
        "ti" => "~",
        "ha" => "^",
        "ga" => "`",
        "rs" => "\\",
        "sl" => "/",
        "at" => "@",
        "lB" => "[",
        "rB" => "]",
        "lC" => "{",
        "rC" => "}",
        "ba" | "bv" => "|",
        "<=" => "<=",
        ">=" => ">=",
        "->" => "->",
        "<-" => "<-",
        "mu" => "x",
        "de" => "°",
        _ => "",
    }
}

/// What must hold for any source: it is read, and holds nothing that moves a cursor.
pub fn fuzz_page(input: &[u8]) {
    let (source, _) = html::text_of(input, "utf-8");
    let page = text(&source);
    assert!(!page.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
    assert!(page.len() <= source.len() * 4 + 64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mutants::mutants;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(text(source), expected, "{source}");
    }

    #[test]
    fn pages_of_both_families_are_read() {
        check(
            ".\\\" c\n.TH LS 1 \"x y\"\n.SH NAME\nls \\- list\n.SH \"A B\"\n.TP\n\\fB\\-a\\fR, \
             \\fI\\,FILE\\/\\fP\ndo \\(aqnot\\(aq ignore\n.BR foo (1)\n.nf\n  x\n.fi\n",
            "LS 1 x y\n\n# NAME\nls - list\n\n# A B\n\n-a, FILE\ndo 'not' ignore\nfoo(1)\n  x\n",
        );
        check(
            ".Dt CP 1\n.Sh NAME\n.Nm cp\n.Nd copy\n.Bl -tag\n.It Fl a\nall\n.Op Fl f Ar file\n",
            "CP 1\n\n# NAME\ncp\ncopy\n\n-a\nall\n-f file\n",
        );
    }

    #[test]
    fn escapes_are_what_they_stand_for() {
        check(
            "a\\eb\\&c\\s+2d\\s0 \\*(lq\\[em]\\h'1m'x\\\" gone",
            "a\\bcd —x\n",
        );
        check(".B a\\ b \"c d\" e", "a b c d e\n");
        check("x\\", "x\n");
    }

    #[test]
    fn no_source_is_too_odd() {
        let fixture = ".TH A 1 \"b\n.SH \\fBN\\fR\n\
                       .IP \\(bu 2\nx\\[rs]\\*[y]\\s-1z\\\n.Fl a Ar b\n\u{1b}";
        assert!(text(fixture).contains("# N"));
        mutants(fixture.as_bytes()).for_each(|input| fuzz_page(&input));
    }
}
