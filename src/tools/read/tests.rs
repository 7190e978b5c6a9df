//! Windows of files of every size, and files that are no text.

use super::*;
use crate::chat::Part;
use crate::tools::tests::Scratch;
use crate::tools::tests::answer_to;
use crate::tools::tests::call;
use crate::tools::tests::place;
use crate::tools::tests::text_of;

/// The answer to reading `bytes` with these further arguments.
#[track_caller]
fn read(bytes: &[u8], more: &str) -> Answer {
    let scratch = Scratch::new();
    scratch.write("f", bytes);
    let arguments = format!("{{\"path\":\"f\"{more}}}");
    answer_to(&call("read", &arguments), &place(&scratch))
}

#[track_caller]
fn check(bytes: impl AsRef<[u8]>, more: &str, text: &str) {
    assert_eq!(text_of(&read(bytes.as_ref(), more)), text);
}

#[test]
fn lines_are_numbered() {
    check("a\nb\n", "", "1\ta\n2\tb\n");
    check("a\n\nb", "", "1\ta\n2\t\n3\tb\n");
    check("", "", "f is empty");
    assert_eq!(read(b"a\nb\n", "").summary, "2 lines");
}

#[test]
fn a_window_says_what_follows() {
    let more = "[more follows; go on with offset 4]\n";
    check(
        "a\nb\nc\nd\n",
        ",\"offset\":2,\"limit\":2",
        &format!("2\tb\n3\tc\n{more}"),
    );
    check("a\nb\nc\n", ",\"offset\":2,\"limit\":2", "2\tb\n3\tc\n");
    check("a\nb\n", ",\"offset\":3", "f has 2 lines, none from 3 on");
    check("", ",\"offset\":3", "f is empty");
    let asked = read(b"a\nb\n", ",\"limit\":1");
    assert!(!asked.truncated);
    let long = "x\n".repeat(3_000);
    let cut = read(long.as_bytes(), "");
    assert!(cut.truncated);
    assert!(text_of(&cut).ends_with("\n2000\tx\n[more follows; go on with offset 2001]\n"));
    assert_eq!(cut.summary, "2000 lines");
}

#[test]
fn output_is_bounded_by_bytes_too() {
    let long = format!("{}\n", "x".repeat(1_000)).repeat(1_000);
    let cut = read(long.as_bytes(), "");
    assert!(cut.truncated);
    assert!(text_of(&cut).len() < 40_000);
    assert!(text_of(&cut).ends_with("[more follows; go on with offset 34]\n"));
}

#[test]
fn a_cut_line_is_cut_between_characters_and_says_what_it_is() {
    let wide = "\u{20ac}".repeat(700);
    let shown = "\u{20ac}".repeat(666);
    check(
        &wide,
        "",
        &format!("1\t{shown}[… 102 more bytes in this line]\n"),
    );
    let latin = [b"caf\xe9 ".as_slice(), &[b'x'; 3_000]].concat();
    let answer = read(&latin, "");
    assert!(text_of(&answer).ends_with("[bytes that are not UTF-8 are shown as \u{fffd}]\n"));
}

#[test]
fn utf_16_is_read_as_text() {
    let text = "\u{e9}\r\nb\r\n\u{1f600}";
    let units = text.encode_utf16();
    let file: Vec<u8> = std::iter::once(0xfeff)
        .chain(units)
        .flat_map(u16::to_le_bytes)
        .collect();
    let note = "[the file is UTF-16; what changes it here keeps that]\n[lines end with CRLF]\n";
    check(&file, "", &format!("1\t\u{e9}\n2\tb\n3\t\u{1f600}\n{note}"));
    check(
        &file,
        ",\"offset\":2,\"limit\":1",
        &format!("2\tb\n[more follows; go on with offset 3]\n{note}"),
    );
    let words = "f begins with the mark of UTF-16 but is none; look at it with bash: xxd";
    check(b"\xff\xfea", "", words);
}

#[test]
fn one_endless_line_is_cut_and_counted() {
    let long = [b"a\n".as_slice(), &vec![b'x'; 50_000_000], b"\nb\n"].concat();
    let answer = read(&long, "");
    let shown = "x".repeat(2_000);
    assert_eq!(
        text_of(&answer),
        format!("1\ta\n2\t{shown}[… 49998001 more bytes in this line]\n3\tb\n")
    );
}

#[test]
fn any_bytes_are_shown_as_text_or_named() {
    check(
        b"caf\xe9\n",
        "",
        "1\tcaf\u{fffd}\n[bytes that are not UTF-8 are shown as \u{fffd}]\n",
    );
    check(
        "\u{feff}a\r\nb\r\n",
        "",
        "1\ta\n2\tb\n[lines end with CRLF]\n",
    );
    check(
        b"\x7fELF\0\0",
        "",
        "f (6 bytes) is binary (it starts with 7f 45 4c 46 00 00); look at it with bash: file, \
         xxd, strings",
    );
    check(
        b"\xff\xfea\0",
        "",
        "1\ta\n[the file is UTF-16; what changes it here keeps that]\n",
    );
    check(
        b"GIF89a",
        "",
        "f (6 bytes) is image/gif; look at it with view_image",
    );
    let late = ["x\n".repeat(5_000).as_bytes(), b"a\0b\n"].concat();
    check(
        late,
        ",\"offset\":5001",
        "5001\ta\\0b\n[NUL bytes are shown as \\0]\n",
    );
}

#[test]
fn cuts_between_pieces_do_not_show() {
    let text = "one\r\n\u{20ac}two\n\nthree";
    let whole = window_of(&[text.as_bytes()]);
    for cut in 0..=text.len() {
        let (left, right) = text.as_bytes().split_at(cut);
        assert_eq!(window_of(&[left, right]), whole, "cut at {cut}");
    }
}

fn window_of(pieces: &[&[u8]]) -> String {
    let mut window = Window::new(2..4, 1_000);
    let end = match pieces.iter().any(|piece| window.feed(piece) == Flow::Full) {
        true => End::Window,
        false => End::File,
    };
    match window.answer(end, true, "f").unwrap() {
        Start::Answer(answer) => text_of(&answer).to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_image_is_told_by_its_bytes() {
    let scratch = Scratch::new();
    scratch.write("picture.txt", b"\x89PNG\r\n\x1a\nrest");
    scratch.write("text.png", "text");
    let place = place(&scratch);
    let answer = answer_to(&call("view_image", r#"{"path":"picture.txt"}"#), &place);
    assert_eq!(answer.summary, "image/png, 12 bytes");
    match &answer.parts[..] {
        [Part::Text(text), Part::Image(image)] => {
            assert_eq!(text, "picture.txt: image/png, 12 bytes");
            assert_eq!(image.media_type, "image/png");
            assert_eq!(image.base64, "iVBORw0KGgpyZXN0");
        }
        other => panic!("{other:?}"),
    }
    let refused = answer_to(&call("view_image", r#"{"path":"text.png"}"#), &place);
    assert!(!refused.ok);
    assert!(text_of(&refused).starts_with("text.png is no PNG"));
}
