//! The request of a probe, from what was typed and what lies in a file or on stdin.

use crate::cli::args::probe::Data;
use crate::cli::args::probe::Probe;
use crate::cli::args::probe::Shape;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::version::VERSION;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use serde::de::IgnoredAny;
use std::fs::File;
use std::io;
use std::io::Read;

/// It is held in memory twice while it is sent.
const DATA_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What to send. Reads the file or stdin if the body is there.
pub fn build(options: &Probe) -> Result<Request, Fault> {
    let body = match &options.data {
        None => Vec::new(),
        Some(Data::Text(text)) => text.clone().into_bytes(),
        Some(Data::Stdin) => read(io::stdin().lock(), "stdin")?,
        Some(Data::File(path)) => {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
            read(file, &name)?
        }
    };
    Ok(Request {
        method: method(&options.method),
        url: options.url.clone(),
        headers: headers(options, &body),
        body,
    })
}

/// Every other request has a method that is known when sx is built. This one is the only one of
/// its process, so its word may stay where it is until the end.
fn method(name: &str) -> &'static str {
    const COMMON: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = COMMON.into_iter().find(|common| *common == name);
    known.unwrap_or_else(|| name.to_string().leak())
}

/// What was typed, and behind it what a server may miss.
fn headers(options: &Probe, body: &[u8]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in &options.headers {
        headers.push(name, value);
    }
    let accept = match options.shape {
        Shape::Events => "text/event-stream",
        Shape::Page | Shape::Json => "*/*",
    };
    let agent = format!("sx/{VERSION}");
    let mut missing = vec![("User-Agent", agent.as_str()), ("Accept", accept)];
    if options.data.is_some() {
        missing.push(("Content-Type", content_type(body)));
    }
    for (name, value) in missing {
        if headers.first(name).is_none() {
            headers.push(name, value);
        }
    }
    headers
}

/// JSON is called that; all else goes as the form that servers know from curl.
fn content_type(body: &[u8]) -> &'static str {
    match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => "application/json",
        Err(_) => "application/x-www-form-urlencoded",
    }
}

fn read(from: impl Read, name: &str) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    from.take(DATA_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > DATA_BYTES_MAX {
        let what = format!("{name} is longer than {DATA_BYTES_MAX} bytes");
        return Err(Fault::new(Exit::Usage, what));
    }
    Ok(bytes)
}

fn unreadable(name: &str, error: &io::Error) -> Fault {
    Fault::new(Exit::Usage, format!("cannot read {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::url::Url;

    fn options(data: Option<&str>, headers: &[(&str, &str)]) -> Probe {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        Probe {
            url: Url::parse("http://h/").unwrap(),
            method: "GET".to_string(),
            headers: headers.iter().map(owned).collect(),
            data: data.map(|text| Data::Text(text.to_string())),
            time_max: None,
            follows: false,
            shape: Shape::Page,
        }
    }

    #[track_caller]
    fn check(data: Option<&str>, typed: &[(&str, &str)], expected: &[(&str, &str)]) {
        let request = build(&options(data, typed)).unwrap();
        let agent = format!("sx/{VERSION}");
        let sent: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (name, if value == agent { "us" } else { value }))
            .collect();
        assert_eq!(sent, expected);
        assert_eq!(request.body, data.unwrap_or_default().as_bytes());
    }

    #[test]
    fn what_was_not_typed_is_added_behind_it() {
        let us = ("User-Agent", "us");
        let any = ("Accept", "*/*");
        let json = ("Content-Type", "application/json");
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        check(None, &[], &[us, any]);
        check(Some("{\"a\": [1]}"), &[], &[us, any, json]);
        check(Some("a=1"), &[], &[us, any, form]);
        check(Some(""), &[], &[us, any, form]);
        let typed = [
            ("content-type", "x/y"),
            ("ACCEPT", "z"),
            ("a", "1"),
            ("a", "2"),
        ];
        let [kind, accept, one, two] = typed;
        check(Some("{}"), &typed, &[kind, accept, one, two, us]);
    }

    #[test]
    fn a_method_may_be_any_word() {
        assert_eq!(method("GET"), "GET");
        assert_eq!(method("PROPFIND"), "PROPFIND");
        assert_eq!(method("get"), "get");
    }

    #[test]
    fn a_file_that_is_not_there_is_a_usage_error() {
        let probe = Probe {
            data: Some(Data::File("/nowhere/at/all".into())),
            ..options(None, &[])
        };
        let fault = build(&probe).unwrap_err();
        assert_eq!(fault.exit, Exit::Usage);
        assert!(fault.what.starts_with("cannot read /nowhere/at/all: "));
    }
}
