//! Characters by name and by number (HTML Standard §13.5): those that pages in Latin letters use.
//!
//! A name that is not in the table stays as it is written, which a reader understands.

use std::borrow::Cow;

/// The longest name in the table and the longest number, with room to spare.
const NAME_BYTES_MAX: usize = 12;

/// Names, each with what it stands for behind it; in one string, since a table of strings takes
/// three times as much in the binary. White space is not among them.
const NAMES: &str = "\
amp& lt< gt> quot\" apos' shy zwnj zwj copy© reg® trade™ hellip… mdash— ndash– lsquo‘ \
rsquo’ sbquo‚ ldquo“ rdquo” bdquo„ laquo« raquo» lsaquo‹ rsaquo› bull• middot· times× \
divide÷ minus− plusmn± deg° microµ para¶ sect§ dagger† euro€ pound£ yen¥ cent¢ larr← rarr→ \
uarr↑ darr↓ harr↔ rArr⇒ le≤ ge≥ ne≠ asymp≈ infin∞ frac12½ frac14¼ frac34¾ sup1¹ sup2² \
sup3³ iexcl¡ iquest¿ check✓ lbrace{ rbrace} lbrack[ rbrack] lpar( rpar) num# ast* sol/ \
bsol\\ colon: semi; comma, period. excl! quest? commat@ equals= plus+ dollar$ percnt% \
lowbar_ grave` vert| szligß AumlÄ aumlä OumlÖ oumlö UumlÜ uumlü eumlë iumlï EacuteÉ \
eacuteé egraveè ecircê AgraveÀ agraveà aacuteá acircâ atildeã aringå AringÅ aeligæ AEligÆ \
oslashø OslashØ oacuteó ocircô otildeõ iacuteí icircî uacuteú ugraveù ucircû ccedilç \
CcedilÇ ntildeñ oeligœ scaronš alphaα betaβ gammaγ deltaδ DeltaΔ lambdaλ muμ piπ sigmaσ \
SigmaΣ omegaω";

/// What bytes 0x80 to 0x9f are in windows-1252; the others are Unicode's. Pages that say latin1
/// mean this (Encoding Standard §4.2).
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The character of a byte in windows-1252.
pub fn latin(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// Text with its entities replaced.
pub fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match entity(rest) {
            Some((what, bytes)) => {
                decoded.push_str(&what);
                rest = &rest[bytes..];
            }
            None => decoded.push('&'),
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// What the text behind a `&` begins with, and how many bytes that takes.
fn entity(text: &str) -> Option<(Cow<'static, str>, usize)> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
    let length = text
        .bytes()
        .take(NAME_BYTES_MAX)
        .take_while(is_name)
        .count();
    let name = &text[..length];
    // Old pages leave the semicolon out; in an address that would be a parameter's name.
    let end = match text.as_bytes().get(length) {
        Some(b';') => length + 1,
        _ if name.starts_with('#') => length,
        _ => return None,
    };
    if let Some(number) = name.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']);
        let code = match hex {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        let c = match code.ok()? {
            byte @ 0x80..=0x9f => latin(byte as u8),
            code => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
        };
        return Some((Cow::Owned(c.to_string()), end));
    }
    let what = match name {
        "nbsp" | "ensp" | "emsp" | "thinsp" => " ",
        "Tab" => "\t",
        "NewLine" => "\n",
        _ => NAMES.split(' ').find_map(|entry| {
            let what = entry.strip_prefix(name)?;
            let is_longer = what.starts_with(|c: char| c.is_ascii_alphanumeric());
            (!is_longer && !name.is_empty()).then_some(what)
        })?,
    };
    Some((Cow::Borrowed(what), end))
}
