//! What `sx probe --json` told of one request, and looking at it.

use crate::sx::Ran;
use crate::sx::Sx;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The one object of a run.
pub struct Told {
    /// The object.
    pub object: Value,
    /// All that was printed.
    pub ran: Ran,
}

impl Told {
    /// Runs a probe that prints its object.
    #[track_caller]
    pub fn by(sx: Sx) -> Told {
        let ran = sx.run();
        let object = serde_json::from_slice(&ran.stdout);
        let object = object.unwrap_or_else(|why| panic!("{why}: {}{}", ran.text(), ran.stderr));
        Told { object, ran }
    }

    /// A whole answer came, with this status and this body.
    #[track_caller]
    pub fn check(&self, status: u16, body: &str) -> &Told {
        self.check_status(status);
        assert_eq!(String::from_utf8_lossy(&self.body()), body, "{self}");
        self
    }

    /// A whole answer came, with this status.
    #[track_caller]
    pub fn check_status(&self, status: u16) -> &Told {
        self.ran.check_code(0);
        assert_eq!(self.object["error"], Value::Null, "{self}");
        assert_eq!(self.object["status"], status, "{self}");
        self
    }

    /// None came, for a reason of this kind; each of the words is in its message.
    #[track_caller]
    pub fn check_error(&self, kind: &str, words: &[&str]) -> &Told {
        self.ran.check_code(5);
        assert_eq!(self.object["error"]["kind"], kind, "{self}");
        let message = self.object["error"]["message"].as_str().expect("a message");
        for word in words {
            assert!(message.contains(word), "no {word:?} in {message:?}");
        }
        self
    }

    /// The field of the object at this path: `tls/version`.
    #[track_caller]
    pub fn at(&self, path: &str) -> &Value {
        let found = self.object.pointer(&format!("/{path}"));
        found.unwrap_or_else(|| panic!("no {path}: {self}"))
    }

    /// The milliseconds of a phase.
    #[track_caller]
    pub fn ms(&self, phase: &str) -> f64 {
        let ms = self.at("phases_ms")[phase].as_f64();
        ms.unwrap_or_else(|| panic!("no phase {phase}: {self}"))
    }

    /// The body.
    #[track_caller]
    pub fn body(&self) -> Vec<u8> {
        let body = self.object["body_base64"].as_str().expect("a body");
        STANDARD.decode(body).expect("base64")
    }

    /// The value of a header of the answer; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let headers = self.object["headers"].as_array().expect("headers");
        let is_it = |field: &&Value| {
            field[0]
                .as_str()
                .is_some_and(|n| n.eq_ignore_ascii_case(name))
        };
        let field = headers.iter().find(is_it);
        field.map_or("", |field| field[1].as_str().expect("text"))
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nstderr: {}", self.object, self.ran.stderr)
    }
}
