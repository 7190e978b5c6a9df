//! Keeps secrets out of session files: ours by their text, others by shapes that only keys have.
//!
//! Precision comes before completeness: a text that was masked by mistake is lost to the resumed
//! session. So only prefixes that services reserve for keys count, and only with what must follow.
//! What a provider must see again ([`Opaque`]) is never judged by shape, since a signature may look
//! like anything; only texts that were masked in the words beside it are masked in it too.

use crate::base::secret::Secret;
use crate::chat::Block;
use crate::chat::Message;
use crate::chat::Opaque;
use crate::chat::Part;
use crate::session::Entry;
use std::ops::RangeInclusive;

/// What stands where a secret stood. It needs no escape in JSON.
const MASK: &str = "[masked]";

/// A secret of ours shorter than this is not looked for: it would mask ordinary words.
const SECRET_BYTES_MIN: usize = 8;

/// The characters that follow a key's prefix.
#[derive(Clone, Copy)]
enum Alphabet {
    /// `A-Z`, `0-9`.
    Upper,
    /// `A-Z`, `a-z`, `0-9`.
    Alphanumeric,
    /// The same with `-` and `_` (RFC 4648 §5).
    Base64Url,
}

impl Alphabet {
    fn holds(self, byte: u8) -> bool {
        match self {
            Alphabet::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Alphabet::Alphanumeric => byte.is_ascii_alphanumeric(),
            Alphabet::Base64Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
        }
    }
}

/// A key as its service writes it: a prefix, then so many characters of an alphabet.
struct Shape {
    prefix: &'static str,
    alphabet: Alphabet,
    rest_bytes: RangeInclusive<usize>,
}

const fn exactly(prefix: &'static str, alphabet: Alphabet, rest_bytes: usize) -> Shape {
    Shape {
        prefix,
        alphabet,
        rest_bytes: rest_bytes..=rest_bytes,
    }
}

const fn at_least(prefix: &'static str, alphabet: Alphabet, rest_bytes: usize) -> Shape {
    Shape {
        prefix,
        alphabet,
        rest_bytes: rest_bytes..=usize::MAX,
    }
}

/// Lengths are those that the services document or have always used.
const SHAPES: &[Shape] = &[
    at_least("sk-", Alphabet::Base64Url, 20),
    at_least("ghp_", Alphabet::Alphanumeric, 36),
    at_least("gho_", Alphabet::Alphanumeric, 36),
    at_least("ghu_", Alphabet::Alphanumeric, 36),
    at_least("ghs_", Alphabet::Alphanumeric, 36),
    at_least("ghr_", Alphabet::Alphanumeric, 36),
    at_least("github_pat_", Alphabet::Base64Url, 60),
    at_least("glpat-", Alphabet::Base64Url, 20),
    at_least("xoxb-", Alphabet::Base64Url, 40),
    at_least("xoxp-", Alphabet::Base64Url, 40),
    exactly("AKIA", Alphabet::Upper, 16),
    exactly("ASIA", Alphabet::Upper, 16),
    exactly("AIza", Alphabet::Base64Url, 35),
];

/// How the first and the second part of a signed token begin: `{"` in base64url.
const JWT_PREFIX: &str = "eyJ";

/// Whether a key may begin with that byte.
const BEGINNINGS: [bool; 256] = {
    let mut beginnings = [false; 256];
    beginnings[JWT_PREFIX.as_bytes()[0] as usize] = true;
    let mut at = 0;
    while at < SHAPES.len() {
        beginnings[SHAPES[at].prefix.as_bytes()[0] as usize] = true;
        at += 1;
    }
    beginnings
};

/// Each of the three parts of a signed token is longer than this.
const JWT_PART_BYTES_MIN: usize = 16;

/// Replaces `secrets`, and everything that has the shape of a key, by `[masked]`.
///
/// Returns the texts that were replaced, so that another copy of the same words can lose them too.
pub fn mask(text: &mut String, secrets: &[&str]) -> Vec<String> {
    let mut masked: Vec<String> = secrets
        .iter()
        .filter(|secret| secret.len() >= SECRET_BYTES_MIN && text.contains(**secret))
        .map(|secret| (*secret).to_owned())
        .collect();
    replace(text, &masked);
    let shaped = shaped(text);
    replace(text, &shaped);
    masked.extend(shaped);
    masked
}

/// Masks an entry on its way into the file.
pub(crate) fn mask_entry(entry: &mut Entry, secrets: &[Secret]) {
    let secrets: Vec<&str> = secrets.iter().map(Secret::expose).collect();
    match entry {
        Entry::Setup(setup) => {
            mask(&mut setup.system, &secrets);
        }
        Entry::Message(message) => mask_message(message, &secrets),
        Entry::Compaction(messages) => {
            for message in messages {
                mask_message(message, &secrets);
            }
        }
        Entry::Usage(_) | Entry::End(_) => {}
    }
}

fn mask_message(message: &mut Message, secrets: &[&str]) {
    match message {
        Message::User(parts) => mask_parts(parts, secrets),
        Message::Context(text) => {
            mask(text, secrets);
        }
        Message::Assistant(blocks) => {
            for block in blocks {
                mask_block(block, secrets);
            }
        }
        Message::Results(results) => {
            for result in results {
                mask_parts(&mut result.parts, secrets);
            }
        }
    }
}

fn mask_parts(parts: &mut [Part], secrets: &[&str]) {
    for part in parts {
        match part {
            Part::Text(text) => {
                mask(text, secrets);
            }
            // Base64 of a picture holds any shape by chance, and no key that can be read.
            Part::Image(_) => {}
        }
    }
}

fn mask_block(block: &mut Block, secrets: &[&str]) {
    let (masked, opaque) = match block {
        Block::Text { text, opaque } | Block::Thinking { text, opaque } => {
            (mask(text, secrets), opaque.as_mut())
        }
        Block::Call(call) => (mask(&mut call.arguments, secrets), call.opaque.as_mut()),
        Block::Other(opaque) => (Vec::new(), Some(opaque)),
    };
    if let Some(Opaque { json, .. }) = opaque {
        let ours = secrets.iter().filter(|s| s.len() >= SECRET_BYTES_MIN);
        let ours: Vec<String> = ours.map(|secret| (*secret).to_owned()).collect();
        replace(json, &ours);
        replace(json, &masked);
    }
}

fn replace(text: &mut String, what: &[String]) {
    for secret in what {
        if text.contains(secret) {
            *text = text.replace(secret, MASK);
        }
    }
}

/// Every text in `text` that has the shape of a key, in order.
fn shaped(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        // Asked first since it is cheap: a long answer has a million places to look at.
        let may_begin = BEGINNINGS[usize::from(bytes[at])] && begins_a_word(bytes, at);
        let length = match may_begin {
            true => key_bytes(&bytes[at..]),
            false => 0,
        };
        if length > 0 {
            // A key is ASCII, so both ends fall between characters.
            found.push(text[at..at + length].to_owned());
        }
        at += length.max(1);
    }
    found
}

/// Whether a key may begin at `at`; inside a longer word it is no key. Call arguments are JSON
/// text, where the letter before may belong to an escape (RFC 8259 §7).
fn begins_a_word(bytes: &[u8], at: usize) -> bool {
    match bytes[..at] {
        [.., b'\\', b'n' | b'r' | b't' | b'b' | b'f'] => true,
        [.., before] => !Alphabet::Base64Url.holds(before),
        [] => true,
    }
}

/// The length of the key that `bytes` begins with; 0 if there is none.
fn key_bytes(bytes: &[u8]) -> usize {
    if bytes.starts_with(JWT_PREFIX.as_bytes()) {
        return jwt_bytes(bytes);
    }
    let Some(shape) = SHAPES
        .iter()
        .find(|s| bytes.starts_with(s.prefix.as_bytes()))
    else {
        return 0;
    };
    let rest = &bytes[shape.prefix.len()..];
    let length = run(rest, shape.alphabet);
    let ends_there = rest.get(length).is_none_or(|b| !b.is_ascii_alphanumeric());
    let fits = ends_there && shape.rest_bytes.contains(&length);
    if fits && looks_random(&rest[..length]) {
        shape.prefix.len() + length
    } else {
        0
    }
}

/// Words in a row (`sk-loading-indicator-wrapper`) are not random: a key has digits, and either
/// both cases or a long run of them.
fn looks_random(rest: &[u8]) -> bool {
    const HEX_RUN_BYTES_MIN: usize = 16;
    let has_digit = rest.iter().any(u8::is_ascii_digit);
    let has_upper = rest.iter().any(u8::is_ascii_uppercase);
    let has_lower = rest.iter().any(u8::is_ascii_lowercase);
    let mut runs = rest.split(|byte| matches!(byte, b'-' | b'_'));
    let has_run = runs.any(|run| run.len() >= HEX_RUN_BYTES_MIN);
    has_digit && (has_upper && has_lower || has_run)
}

/// A signed token (RFC 7519): three parts of base64url with dots between, the first two JSON.
fn jwt_bytes(bytes: &[u8]) -> usize {
    let mut length = 0;
    for part in 0..3 {
        if part > 0 {
            if bytes.get(length) != Some(&b'.') {
                return 0;
            }
            length += 1;
        }
        let part_bytes = run(&bytes[length..], Alphabet::Base64Url);
        if part_bytes < JWT_PART_BYTES_MIN
            || part == 1 && !bytes[length..].starts_with(JWT_PREFIX.as_bytes())
        {
            return 0;
        }
        length += part_bytes;
    }
    length
}

fn run(bytes: &[u8], alphabet: Alphabet) -> usize {
    bytes
        .iter()
        .take_while(|byte| alphabet.holds(**byte))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::CallKind;
    use crate::chat::ToolCall;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut masked = text.to_owned();
        mask(&mut masked, &["our-own-secret", "short"]);
        assert_eq!(masked, expected, "{text:?}");
    }

    fn jwt() -> String {
        let part = "eyJhbGciOiJub25lIn0aaaa";
        format!("{part}.{part}.c2lnbmF0dXJlc2lnbmF0dXJl")
    }

    #[test]
    fn a_secret_of_ours_is_masked_wherever_it_stands() {
        check("xour-own-secrety our-own-secret", "x[masked]y [masked]");
        check("short words stay", "short words stay");
    }

    #[test]
    fn keys_are_masked_by_their_shape() {
        let forty = "aB3".repeat(14);
        for key in [
            format!("sk-proj-{forty}"),
            format!("sk-ant-api03-{forty}_-x"),
            format!("sk-or-v1-{}", "0a".repeat(32)),
            format!("ghp_{}", &forty[..36]),
            format!("github_pat_{forty}{forty}"),
            "AKIAIOSFODNN7EXAMPLE".to_owned(),
            format!("AIza{}", &forty[..35]),
            jwt(),
        ] {
            check(&key, "[masked]");
            check(&format!("é\"{key}\", \n{key}"), "é\"[masked]\", \n[masked]");
            check(&format!("Bearer {key}."), "Bearer [masked].");
            check(
                &format!("{{\"a\":\"b\\n{key}\"}}"),
                "{\"a\":\"b\\n[masked]\"}",
            );
        }
    }

    #[test]
    fn what_only_resembles_a_key_stays() {
        for text in [
            "sk-loading-indicator-wrapper-component-outer",
            "sk-2024-06-report-for-the-committee",
            "task-aB3aB3aB3aB3aB3aB3aB3aB3",
            "ghp_short",
            "AKIAIOSFODNN7EXAMPLEX",
            "AKIAIOSFODNN7EXAMPLEabc",
            "eyJhbGciOiJub25lIn0.eyJ",
            "eyJhbGciOiJub25lIn0aaaa.notjsonnotjsonnotjson.c2lnbmF0dXJlc2ln",
            "",
            "eyJ",
            "sk-",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn what_a_provider_must_see_loses_only_what_the_words_lost() {
        let token = jwt();
        let json = format!("{{\"arguments\":\"{{\\\"t\\\":\\\"{token}\\\"}}\",\"signature\":");
        let signature = token.replace('a', "b");
        let mut block = Block::Call(ToolCall {
            id: "1".into(),
            name: "bash".into(),
            arguments: format!("{{\"t\":\"{token}\"}}"),
            kind: CallKind::Function,
            opaque: Some(Opaque {
                provider: "p".into(),
                json: format!("{json}\"{signature}\"}}"),
            }),
        });
        mask_block(&mut block, &[]);
        let Block::Call(call) = block else {
            panic!("still a call");
        };
        assert_eq!(call.arguments, "{\"t\":\"[masked]\"}");
        assert_eq!(
            call.opaque.unwrap().json,
            format!(
                "{{\"arguments\":\"{{\\\"t\\\":\\\"[masked]\\\"}}\",\"signature\":\"{signature}\"}}"
            )
        );
    }
}
