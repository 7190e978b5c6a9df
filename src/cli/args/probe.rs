//! What `sx probe` knows: one request, and the shape in which its answer is told.

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
