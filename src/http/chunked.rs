//! Decodes a chunked body (RFC 9112 §7.1). Bytes in, bytes out; extensions are skipped.
//!
//! The framing is read more strictly than a head: hex digits only, and CRLF where the grammar has
//! it. A reader that takes a bare LF, a sign or a `0x` sees other chunks than its neighbour, and
//! an answer can then be smuggled inside a body. No server that people use writes such things.
//! What cannot move an end, such as zeros before a size or the text of an extension, is let pass.

use std::mem;

use super::Error;
use super::head::Fields;
use super::head::Headers;
use super::head::trim_blanks_start;

/// As many as fit in 64 bits, so that a size cannot overflow (RFC 9112 §7.1 asks for that care).
const SIZE_DIGITS_MAX: usize = 16;

/// Nobody uses extensions: this bounds what a peer can make us read for one byte of body. Node and
/// hyper stop there, too.
const SIZE_LINE_BYTES_MAX: usize = 16 * 1024;

/// A chunked body that is being read.
#[derive(Debug, Default)]
pub struct Chunked {
    state: State,
    /// The size line that is not whole yet; empty outside of one.
    line: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    SizeLine,
    /// Inside the data of a chunk; `left` is at least 1.
    Data {
        left: u64,
    },
    /// The data is whole, CR and LF are due.
    DataCr,
    DataLf,
    /// After the line of the last chunk.
    Trailers(Fields),
    Done(Headers),
}

impl Chunked {
    /// Takes bytes off the front of `input` and appends what they decode to.
    ///
    /// Takes everything unless the body ends inside `input`. Once this fails the connection must
    /// be closed.
    pub fn feed(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        while !input.is_empty() {
            self.state = match &mut self.state {
                State::SizeLine => match self.take_size_line(input)? {
                    None => return Ok(()),
                    Some(0) => State::Trailers(Fields::default()),
                    Some(size) => State::Data { left: size },
                },
                State::Data { left } => {
                    *left -= take_data(*left, input, out);
                    if *left > 0 {
                        return Ok(());
                    }
                    State::DataCr
                }
                State::DataCr => {
                    take_byte(b'\r', input)?;
                    State::DataLf
                }
                State::DataLf => {
                    take_byte(b'\n', input)?;
                    State::SizeLine
                }
                State::Trailers(fields) => match fields.feed(input)? {
                    None => return Ok(()),
                    Some(trailers) => State::Done(trailers),
                },
                State::Done(_) => return Ok(()),
            };
        }
        Ok(())
    }

    /// Did the whole body come, with its trailers?
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    /// The peer closed the connection. The data is whole once the last chunk came (RFC 9112 §8),
    /// but the message ends with the empty line after the trailers (§7.1). Where that is missing
    /// trailers may be, too, and a trailer is where the digest of the data stands; so this is a
    /// cut like any other, as it is to curl, Go, Java, Node and hyper.
    pub fn finish(&self) -> Result<(), Error> {
        let missing = match &self.state {
            State::Done(_) => return Ok(()),
            State::Trailers(_) => "the empty line after the last chunk".to_string(),
            State::Data { left } => format!("{left} bytes of a chunk and the last chunk"),
            State::SizeLine | State::DataCr | State::DataLf => "the last chunk".to_string(),
        };
        Err(Error::Truncated { missing })
    }

    /// The fields after the body; they can be taken once, when it is done.
    pub fn take_trailers(&mut self) -> Headers {
        match &mut self.state {
            State::Done(trailers) => mem::take(trailers),
            _ => Headers::new(),
        }
    }

    fn take_size_line(&mut self, input: &mut &[u8]) -> Result<Option<u64>, Error> {
        let end = input.iter().position(|&byte| byte == b'\n');
        let (piece, rest) = input.split_at(end.map_or(input.len(), |at| at + 1));
        *input = rest;
        if self.line.len() + piece.len() > SIZE_LINE_BYTES_MAX {
            return Err(Error::TooMany {
                what: "bytes in a chunk size line",
                limit: SIZE_LINE_BYTES_MAX,
            });
        }
        self.line.extend_from_slice(piece);
        if end.is_none() {
            return Ok(None);
        }
        let size = parse_size_line(&self.line)?;
        self.line.clear();
        Ok(Some(size))
    }
}

/// `chunk-size [ blanks ] [ ";" extension ] CRLF`. The grammar has blanks only before a `;`, but
/// old servers pad every size with them, and nobody reads that in another way. An extension may
/// hold anything but a line end: §7.1.1 has it ignored, and only there could readers part.
fn parse_size_line(line: &[u8]) -> Result<u64, Error> {
    let malformed = || Error::malformed("chunk size line", line);
    let content = line.strip_suffix(b"\r\n").ok_or_else(malformed)?;
    let digits_end = content.iter().position(|byte| !byte.is_ascii_hexdigit());
    let (digits, rest) = content.split_at(digits_end.unwrap_or(content.len()));
    let rest_is_legal = matches!(trim_blanks_start(rest), [] | [b';', ..]);
    if digits.is_empty() || !rest_is_legal || rest.contains(&b'\r') {
        return Err(malformed());
    }
    // Any number of zeros is legal before a size, and so is `000` for the last one.
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    let digits = &digits[zeros..];
    if digits.len() > SIZE_DIGITS_MAX {
        return Err(Error::TooMany {
            what: "digits in a chunk size",
            limit: SIZE_DIGITS_MAX,
        });
    }
    let hex_value = |digit: &u8| char::from(*digit).to_digit(16).map_or(0, u64::from);
    Ok(digits
        .iter()
        .fold(0, |size, digit| size << 4 | hex_value(digit)))
}

/// Moves at most `left` bytes from the front of `input` to `out`, and says how many.
pub(super) fn take_data(left: u64, input: &mut &[u8], out: &mut Vec<u8>) -> u64 {
    let count = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
    let (data, rest) = input.split_at(count);
    out.extend_from_slice(data);
    *input = rest;
    count as u64
}

fn take_byte(expected: u8, input: &mut &[u8]) -> Result<(), Error> {
    let (found, rest) = input.split_at(1);
    if found != [expected] {
        return Err(Error::malformed("end of a chunk", found));
    }
    *input = rest;
    Ok(())
}

/// What must hold for any body: however it is cut it comes to the same, and a decoder too simple to
/// be wrong reads the same data.
pub fn fuzz_chunked(input: &[u8]) {
    let whole = decode([input].into_iter());
    assert_eq!(whole, decode(input.chunks(1)));
    let simply = naive(input).filter(|(_, trailers)| {
        let fields = Fields::default().feed(&mut &**trailers);
        matches!(fields, Ok(Some(_)))
    });
    let data = whole.ok().map(|decoded| decoded.data);
    assert_eq!(data, simply.map(|(data, _)| data));
}

/// What a body in pieces came to, once the peer has closed.
#[derive(Debug, PartialEq)]
struct Decoded {
    data: Vec<u8>,
    trailers: Headers,
    /// How many bytes followed.
    left_over: usize,
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Decoded, Error> {
    let mut chunked = Chunked::default();
    let mut data = Vec::new();
    let mut left_over = 0;
    for mut piece in pieces {
        chunked.feed(&mut piece, &mut data)?;
        left_over += piece.len();
    }
    chunked.finish()?;
    Ok(Decoded {
        data,
        trailers: chunked.take_trailers(),
        left_over,
    })
}

/// The grammar with nothing cut: what the chunks hold, and what follows the last one's line.
fn naive(mut input: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut data = Vec::new();
    loop {
        let end = input.windows(2).position(|two| two == b"\r\n")?;
        let (line, rest) = (&input[..end], &input[end + 2..]);
        let line = line.iter().map(|byte| char::from(*byte));
        let line: String = line.collect();
        let digits = line.split(';').next()?.trim_end_matches([' ', '\t']);
        if digits.starts_with('+') || line.contains(['\r', '\n']) {
            return None;
        }
        if line.len() + 2 > SIZE_LINE_BYTES_MAX {
            return None;
        }
        let size = u64::from_str_radix(digits, 16).ok()?;
        if size == 0 {
            return Some((data, rest));
        }
        let size = usize::try_from(size).ok()?;
        data.extend_from_slice(rest.get(..size)?);
        input = rest[size..].strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests;
