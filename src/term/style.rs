//! A few styles (ECMA-48 SGR), for terminals that want them. Words carry the meaning without them.

use std::borrow::Cow;

/// Whether styles are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// Text alone.
    Plain,
    /// With escape sequences.
    Colored,
}

impl Palette {
    /// What an output takes where the person did not say. `no_color` and `term` are the variables
    /// of that name; an empty `NO_COLOR` counts as unset (no-color.org).
    pub fn auto(is_terminal: bool, no_color: Option<&str>, term: Option<&str>) -> Palette {
        if is_terminal && no_color.is_none_or(str::is_empty) && term != Some("dumb") {
            Palette::Colored
        } else {
            Palette::Plain
        }
    }
}

/// Whether the terminal takes more than ASCII, as the locale variables of these names say: the
/// first one that is not empty counts, and none at all is the C locale (POSIX, XBD 8.2).
pub fn takes_utf8(lc_all: Option<&str>, lc_ctype: Option<&str>, lang: Option<&str>) -> bool {
    let mut set = [lc_all, lc_ctype, lang].into_iter().flatten();
    let locale = set.find(|value| !value.is_empty()).unwrap_or("C");
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// How a piece of a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// Less important than what is around it.
    Dim,
    /// More important.
    Bold,
    /// Something went wrong.
    Red,
}

impl Style {
    /// `text` in this style.
    pub fn paint(self, text: &str, palette: Palette) -> Cow<'_, str> {
        let code = match self {
            Style::Plain => return Cow::Borrowed(text),
            Style::Dim => "2",
            Style::Bold => "1",
            Style::Red => "31",
        };
        match palette {
            Palette::Colored if !text.is_empty() => format!("\x1b[{code}m{text}\x1b[0m").into(),
            _ => Cow::Borrowed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_is_for_terminals_that_nobody_forbade_it() {
        let auto = Palette::auto;
        assert_eq!(auto(true, None, Some("xterm")), Palette::Colored);
        assert_eq!(auto(true, Some(""), None), Palette::Colored);
        assert_eq!(auto(true, Some("1"), None), Palette::Plain);
        assert_eq!(auto(true, None, Some("dumb")), Palette::Plain);
        assert_eq!(auto(false, None, None), Palette::Plain);
    }

    #[test]
    fn the_first_locale_variable_that_is_set_says_whether_it_is_utf8() {
        assert!(takes_utf8(None, None, Some("en_US.UTF-8")));
        assert!(takes_utf8(Some(""), Some("C.utf8"), Some("C")));
        assert!(!takes_utf8(Some("C"), None, Some("en_US.UTF-8")));
        assert!(!takes_utf8(None, None, Some("de_DE.ISO-8859-1")));
        assert!(!takes_utf8(None, None, None));
    }

    #[test]
    fn a_style_ends_where_its_text_ends() {
        assert_eq!(Style::Dim.paint("a", Palette::Colored), "\x1b[2ma\x1b[0m");
        assert_eq!(Style::Dim.paint("a", Palette::Plain), "a");
        assert_eq!(Style::Red.paint("", Palette::Colored), "");
        assert_eq!(Style::Plain.paint("a", Palette::Colored), "a");
    }
}
