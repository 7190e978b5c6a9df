//! What `sx probe` knows: one request, and the shape in which its answer is told.

use super::flags::Meaning;
use super::given::Given;
use super::usage::Usage;
use super::verbs::Verb;
use crate::http::url::Url;
use std::path::PathBuf;
use std::time::Duration;

/// What `sx probe` knows.
#[derive(Debug, PartialEq)]
pub struct Probe {
    /// Whom to ask, and for what.
    pub url: Url,
    /// `-X`, else what the other options stand for.
    pub method: String,
    /// `-H`, in the order typed; blanks around the values are gone.
    pub headers: Vec<(String, String)>,
    /// The body of the request.
    pub data: Option<Data>,
    /// How long all of it may take.
    pub time_max: Option<Duration>,
    /// Redirects are followed.
    pub follows: bool,
    /// How the answer is told.
    pub shape: Shape,
}

/// Where the body of a request stands.
#[derive(Debug, PartialEq)]
pub enum Data {
    /// Here.
    Text(String),
    /// In a file.
    File(PathBuf),
    /// On stdin, to its end.
    Stdin,
}

/// How an answer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// To a person: where the time went, the head, the body.
    Page,
    /// To a program, as one object.
    Json,
    /// To a program, one object for each event of a stream.
    Events,
}

/// Takes what the command knows out of what was given.
pub(super) fn read(given: &mut Given) -> Result<Probe, Usage> {
    let Some(url) = given.word("the URL")? else {
        return Err(Usage::Missing {
            verb: Verb::Probe,
            what: "a URL",
            hint: "such as `sx probe https://example.org/path`",
        });
    };
    let method = given.text(Meaning::Method)?;
    let data = given.text(Meaning::Data)?.map(data);
    let is_head = given.has(Meaning::Head);
    let is_stream = given.has(Meaning::Events);
    let conflict = |other| {
        Err(Usage::Conflict {
            one: "--head",
            other,
        })
    };
    match (&method, &data) {
        (Some(_), _) if is_head => return conflict("-X"),
        (_, Some(_)) if is_head => return conflict("-d"),
        _ if is_head && is_stream => return conflict("--sse"),
        _ => {}
    }
    let implied = match data {
        _ if is_head => "HEAD",
        Some(_) => "POST",
        None => "GET",
    };
    Ok(Probe {
        url: Url::parse(&url).map_err(Usage::Url)?,
        method: method.unwrap_or_else(|| implied.to_string()),
        headers: headers(given)?,
        data,
        time_max: given.duration(Meaning::MaxTime)?,
        follows: given.has(Meaning::Follow),
        // The events are JSON anyway; scripts say it to be sure.
        shape: match (is_stream, given.has(Meaning::Json)) {
            (true, _) => Shape::Events,
            (false, true) => Shape::Json,
            (false, false) => Shape::Page,
        },
    })
}

fn data(text: String) -> Data {
    match text.strip_prefix('@').unwrap_or(&text) {
        "-" => Data::Stdin,
        path if path.len() < text.len() => Data::File(path.into()),
        _ => Data::Text(text),
    }
}

fn headers(given: &Given) -> Result<Vec<(String, String)>, Usage> {
    let mut headers = Vec::new();
    for field in given.texts(Meaning::Header)? {
        let Some((name, value)) = field.split_once(':') else {
            // No more of it is repeated: it may hold a credential.
            let word = field.split_whitespace().next().unwrap_or_default();
            return Err(Usage::WrongValue {
                flag: "-H".to_string(),
                value: word.to_string(),
                allowed: "NAME:VALUE".to_string(),
            });
        };
        headers.push((name.to_string(), value.trim().to_string()));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::super::parse;
    use super::*;
    use std::ffi::OsString;
    use std::path::Path;

    fn command_of(line: &[&str]) -> Result<Command, String> {
        let line = ["probe"].iter().chain(line).map(OsString::from);
        let read = parse(Path::new("sx"), line);
        read.map(|it| it.command).map_err(|usage| usage.to_string())
    }

    fn get() -> Probe {
        Probe {
            url: Url::parse("http://h/").unwrap(),
            method: "GET".to_string(),
            headers: Vec::new(),
            data: None,
            time_max: None,
            follows: false,
            shape: Shape::Page,
        }
    }

    #[track_caller]
    fn check(line: &[&str], expected: Probe) {
        assert_eq!(command_of(line), Ok(Command::Probe(expected)), "{line:?}");
    }

    #[track_caller]
    fn check_refused(line: &[&str], expected: &str) {
        let refused = command_of(line).unwrap_err();
        assert!(refused.starts_with(expected), "{line:?}: {refused}");
    }

    fn post(data: Data) -> Probe {
        Probe {
            method: "POST".to_string(),
            data: Some(data),
            ..get()
        }
    }

    #[test]
    fn a_probe_needs_only_a_url() {
        check(&["http://h"], get());
        let json = Probe {
            shape: Shape::Json,
            ..get()
        };
        check(&["--json", "http://h"], json);
        let events = || Probe {
            shape: Shape::Events,
            time_max: Some(Duration::from_millis(500)),
            ..get()
        };
        check(&["http://h", "--sse", "--max-time", "500ms"], events());
        check(
            &["http://h", "--sse", "--json", "--max-time=500ms"],
            events(),
        );
    }

    #[test]
    fn the_method_is_the_one_that_was_typed_or_meant() {
        let with = |method: &str| Probe {
            method: method.to_string(),
            ..get()
        };
        check(&["http://h", "--head"], with("HEAD"));
        check(&["http://h", "-X", "DELETE"], with("DELETE"));
        let put = Probe {
            method: "PUT".to_string(),
            ..post(Data::Text("a".into()))
        };
        check(&["http://h", "-X", "PUT", "-d", "a"], put);
        check_refused(&["http://h", "--head", "-d", "x"], "--head and -d exclude");
        check_refused(
            &["http://h", "--head", "-X", "PUT"],
            "--head and -X exclude",
        );
        check_refused(&["http://h", "--head", "--sse"], "--head and --sse exclude");
    }

    #[test]
    fn a_body_may_stand_in_three_places() {
        check(&["-d", "a=@b", "http://h"], post(Data::Text("a=@b".into())));
        check(&["-d", "", "http://h"], post(Data::Text(String::new())));
        check(&["-d", "@a/b", "http://h"], post(Data::File("a/b".into())));
        check(&["-d", "-", "http://h"], post(Data::Stdin));
        check(&["-d", "@-", "http://h"], post(Data::Stdin));
    }

    #[test]
    fn fields_keep_their_order_and_lose_their_blanks() {
        let own = |(name, value): (&str, &str)| (name.to_string(), value.to_string());
        let fields = Probe {
            headers: [("A", "1:2"), ("b", ""), ("A", "3")].map(own).to_vec(),
            ..get()
        };
        check(
            &["http://h", "-H", "A: 1:2 ", "-H", "b:", "--header=A:3"],
            fields,
        );
        check_refused(
            &["http://h", "-H", "Authorization Bearer secret"],
            "-H is `Authorization`; it must be NAME:VALUE\n",
        );
    }

    #[test]
    fn an_address_that_cannot_be_asked_is_a_slip() {
        check_refused(&[], "`sx probe` needs a URL\nhint: such as");
        check_refused(&["h"], "cannot use the url `h`: it has no http://");
        check_refused(&["ftp://h"], "cannot use the url `ftp://h`: it starts with");
        check_refused(&["http://h", "x"], "`x` is one argument too many");
    }
}
