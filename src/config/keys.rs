//! What a setting is: its name, what its value may be, who may set it. The table is `table`.

use crate::base::clock;
use crate::base::text;
use crate::config::table::KEYS;

/// A setting that exists.
#[derive(Debug)]
pub struct Key {
    /// Its name in files and in the environment.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Its value where nobody set it; empty where then there is none.
    pub default: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Which of its values count in a file that came with a project.
    pub harmless: Harmless,
    /// What it does, in one line.
    pub help: &'static str,
    /// The version of sx that knew it first.
    pub since: &'static str,
}

/// What the value of a key must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Off or on, kept as `0` or `1`.
    Flag,
    /// A whole number.
    Count {
        /// What is counted, in the plural; empty where nothing is.
        unit: &'static str,
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// A number of bytes; `K` and `M` behind it are 1,024 and 1,048,576.
    Size {
        /// The largest allowed, in bytes; none is too small.
        max: u64,
    },
    /// A time span above zero.
    Duration,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any one line.
    Text,
    /// A short name that is part of the name of a file.
    Name,
    /// Several in one line; what each must be is its module's business.
    List {
        /// What each is, in the plural.
        of: &'static str,
        /// What stands between two.
        separator: char,
    },
    /// An address that begins with `https://` or `http://`.
    Url,
    /// A file or a folder. `~/` is the home directory; a relative one in a settings file counts
    /// from the folder of that file.
    Path,
}

/// Whether a project's own settings file, which may be a stranger's, may set a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harmless {
    /// It must not: the key says where a credential or the conversation goes, or loosens a guard.
    Never,
    /// To this value only, because that is the tightest there is.
    Only(&'static str),
    /// To any value but this one, which costs the person something that they have to want.
    Except(&'static str),
    /// To any value.
    Always,
}

/// The key of exactly this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key that a person most likely meant.
pub fn nearest(name: &str) -> Option<&'static str> {
    text::nearest(name, KEYS.iter().map(|key| key.name))
}

impl Key {
    /// The value in its one spelling, or `None` if the key cannot have it. A text may be empty; of
    /// other kinds no value is, so there it is the default.
    pub fn accept(&self, value: &str) -> Option<String> {
        match self.kind {
            Kind::Text | Kind::Name | Kind::List { .. } | Kind::Path if value.is_empty() => {
                Some(String::new())
            }
            _ if value.is_empty() => Some(self.default.to_string()),
            kind => kind.accept(value),
        }
    }
}

impl Kind {
    fn accept(&self, value: &str) -> Option<String> {
        if value.chars().any(char::is_control) {
            return None;
        }
        let accepted = match self {
            Kind::Flag => return flag(value).map(str::to_string),
            Kind::Choice(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(value));
                return word.map(|word| word.to_string());
            }
            Kind::Count { min, max, .. } => {
                // `parse` alone would take a plus sign.
                let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
                let count = value.parse::<u64>().ok().filter(|_| is_digits);
                count.is_some_and(|count| (*min..=*max).contains(&count))
            }
            Kind::Duration => clock::parse_duration(value).is_some_and(|wait| !wait.is_zero()),
            Kind::Url => is_url(value),
            Kind::Size { max } => size(value).is_some_and(|bytes| bytes <= *max),
            Kind::Name => is_name(value),
            Kind::Text | Kind::List { .. } | Kind::Path => true,
        };
        accepted.then(|| value.to_string())
    }

    /// What is allowed, to follow "it must be".
    pub fn allowed(&self) -> String {
        match self {
            Kind::Flag => "0 or 1".to_string(),
            Kind::Count { unit, min, max } => match unit {
                &"" => format!("a whole number from {min} to {max}"),
                unit => format!("a whole number of {unit} from {min} to {max}"),
            },
            Kind::Size { max } => format!("a size such as 32K or 1M, at most {max} bytes"),
            Kind::Duration => "a time above zero such as 90, 90s, 2m or 500ms".to_string(),
            Kind::Choice([only]) => only.to_string(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Text => "one line of text".to_string(),
            Kind::Name => "a name of letters, digits, `-` and `_`, at most 64".to_string(),
            Kind::List { of, separator } => match separator {
                ' ' => format!("{of}, with blanks between them"),
                _ => format!("{of}, with `{separator}` between them"),
            },
            Kind::Url => "an address that begins with https:// or http://".to_string(),
            Kind::Path => "a path".to_string(),
        }
    }
}

/// Whether it can be a [`Kind::Name`].
pub fn is_name(word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&word.len()) && word.bytes().all(is_part)
}

/// The bytes that a size means.
pub fn size(value: &str) -> Option<u64> {
    let unit = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match &value[unit.len()..] {
        "" | "B" => 1,
        "K" | "k" | "KB" => 1 << 10,
        "M" | "m" | "MB" => 1 << 20,
        _ => return None,
    };
    let is_digits = unit.bytes().all(|byte| byte.is_ascii_digit());
    let count = unit.parse::<u64>().ok().filter(|_| is_digits)?;
    count.checked_mul(factor)
}

/// The flag's one spelling: people write switches in several ways, and all of them are clear.
fn flag(value: &str) -> Option<&'static str> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some("1"),
        "0" | "false" | "no" | "off" => Some("0"),
        _ => None,
    }
}

/// Whether it can be an address; `http::url` takes it apart later and may still refuse it.
fn is_url(value: &str) -> bool {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| value.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !value.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, value: &str, expected: Option<&str>) {
        assert_eq!(
            kind.accept(value).as_deref(),
            expected,
            "{kind:?} {value:?}"
        );
    }

    #[test]
    fn every_default_is_a_value_of_its_kind_and_every_name_stands_once() {
        for (index, key) in KEYS.iter().enumerate() {
            assert_eq!(
                key.accept(key.default).as_deref(),
                Some(key.default),
                "{}",
                key.name
            );
            assert!(
                KEYS[..index].iter().all(|other| other.name != key.name),
                "{}",
                key.name
            );
            assert!(
                key.name
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b == b'_')
            );
            assert!(
                key.help.len() <= 76 && !key.help.ends_with('.'),
                "{}",
                key.name
            );
            if let Harmless::Only(value) | Harmless::Except(value) = key.harmless {
                assert_eq!(key.accept(value).as_deref(), Some(value), "{}", key.name);
            }
        }
    }

    #[test]
    fn values_have_one_spelling_or_are_refused() {
        check(Kind::Flag, "1", Some("1"));
        check(Kind::Flag, "Yes", Some("1"));
        check(Kind::Flag, "off", Some("0"));
        check(Kind::Flag, "2", None);
        let count = Kind::Count {
            unit: "things",
            min: 1,
            max: 20,
        };
        assert_eq!(count.allowed(), "a whole number of things from 1 to 20");
        check(count, "20", Some("20"));
        check(count, "0", None);
        check(count, "21", None);
        check(count, "+5", None);
        check(count, "5 ", None);
        check(count, "99999999999999999999999", None);
        let size = Kind::Size { max: 1 << 20 };
        for good in ["0", "1048576", "32K", "1024KB", "1M", "7B"] {
            check(size, good, Some(good));
        }
        for bad in [
            "1048577",
            "2M",
            "K",
            "1 K",
            "-1",
            "1.5K",
            "1G",
            "99999999999999999M",
        ] {
            check(size, bad, None);
        }
        check(Kind::Duration, "500ms", Some("500ms"));
        check(Kind::Duration, "0", None);
        check(Kind::Duration, "2 minutes", None);
        check(Kind::Choice(&["off", "on"]), "ON", Some("on"));
        check(Kind::Choice(&["off", "on"]), "1", None);
        check(
            Kind::Url,
            "http://127.0.0.1:8080/v1",
            Some("http://127.0.0.1:8080/v1"),
        );
        for bad in [
            "ftp://x",
            "https://",
            "https:///x",
            "chatgpt.com",
            "https://a b",
        ] {
            check(Kind::Url, bad, None);
        }
        check(Kind::Text, "gpt 5", Some("gpt 5"));
        check(Kind::Text, "a\nb", None);
        check(Kind::Path, "~/x", Some("~/x"));
        check(Kind::Name, "fast-1_B", Some("fast-1_B"));
        for bad in ["../x", "a.b", "a b", &"x".repeat(65)] {
            check(Kind::Name, bad, None);
        }
    }

    #[test]
    fn an_empty_text_is_one_and_any_other_empty_value_the_default() {
        for (name, expected) in [
            ("MODEL", ""),
            ("CODEX_HOME", ""),
            ("TOOLS", "1"),
            ("PROVIDER", "scorpiox"),
            ("CODEX_BASE_URL", "https://chatgpt.com/backend-api/codex"),
        ] {
            let accepted = find(name).and_then(|key| key.accept(""));
            assert_eq!(accepted.as_deref(), Some(expected), "{name}");
        }
        assert_eq!(nearest("provdier"), Some("PROVIDER"));
        assert!(find("provider").is_none());
    }
}
