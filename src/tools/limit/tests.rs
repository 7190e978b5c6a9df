//! What a collector keeps, says and spills, whatever the cuts.

use super::*;
use crate::tools::tests::Scratch;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const SMALL: Limits = Limits {
    head_bytes: 10,
    tail_bytes: 10,
    spill_bytes_max: 1000,
};

fn collect(limits: Limits, spill: Option<PathBuf>, pieces: &[&[u8]]) -> Collected {
    let mut collector = Collector::new(limits, spill, Room::default());
    for piece in pieces {
        collector.push(piece);
    }
    collector.finish()
}

/// Collects `input` cut at every place; each cut must give the same text.
#[track_caller]
fn check(input: &[u8], text: &str) {
    for cut in 0..=input.len() {
        let (left, right) = input.split_at(cut);
        let got = collect(SMALL, None, &[left, right]);
        assert_eq!(got.text, text, "cut at {cut}");
        assert_eq!(got.bytes, input.len() as u64);
    }
}

#[test]
fn what_fits_is_kept_whole() {
    check(b"", "");
    check(b"one\ntwo\n", "one\ntwo\n");
    check(b"12345678901234567890", "12345678901234567890");
    check("1234567€9\n".as_bytes(), "1234567€9\n");
}

#[test]
fn the_middle_is_left_out_between_lines_and_counted() {
    let marker = "[… 4 bytes (2 line ends) left out of 22 …]";
    check(
        b"1234567\na\nb\nc\nd\nefghi\n",
        &format!("1234567\na\n{marker}\nd\nefghi\n"),
    );
}

#[test]
fn one_long_line_is_cut_between_characters() {
    // The tenth byte is inside the fourth €, and so is the tenth from the end.
    check(
        "€€€€€€€€".as_bytes(),
        "€€€\n[… 6 bytes (0 line ends) left out of 24 …]\n€€€",
    );
}

#[test]
fn lines_are_counted_with_and_without_a_last_line_end() {
    assert_eq!(collect(SMALL, None, &[b""]).lines, 0);
    assert_eq!(collect(SMALL, None, &[b"a\nb"]).lines, 2);
    assert_eq!(collect(SMALL, None, &[b"a\nb\n"]).lines, 2);
}

#[test]
fn the_whole_is_in_a_private_file_once_something_is_left_out() {
    let scratch = Scratch::new();
    let path = scratch.path().join("spill/3.txt");
    let short = collect(SMALL, Some(path.clone()), &[b"12345678901234567890"]);
    assert_eq!((short.truncated, short.spill), (false, None));
    assert!(!path.exists());

    let all: Vec<u8> = (0..200).map(|index| b'a' + index % 26).collect();
    let pieces: Vec<&[u8]> = all.chunks(7).collect();
    let long = collect(SMALL, Some(path.clone()), &pieces);
    assert!(long.truncated);
    assert_eq!(fs::read(&path).unwrap(), all);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let name = path.display().to_string();
    let marker = format!("[… 180 bytes (0 line ends) left out; all 200 bytes are in {name} …]");
    assert_eq!(long.text, format!("abcdefghij\n{marker}\nijklmnopqr"));
    assert_eq!((long.spill, long.note), (Some(path), None));
}

#[test]
fn a_full_spill_file_says_how_much_it_has() {
    let scratch = Scratch::new();
    let path = scratch.path().join("1.txt");
    let got = collect(SMALL, Some(path.clone()), &[&[b'x'; 900], &[b'y'; 900]]);
    assert_eq!(fs::metadata(&path).unwrap().len(), 1000);
    let name = path.display();
    let marker = format!("the first 1000 of 1800 bytes are in {name} …]");
    assert!(got.text.contains(&marker), "{}", got.text);
    assert_eq!(got.note, Some(format!("{name} is full")));
    assert!(got.text.ends_with("yyyyyyyyyy"));
}

#[test]
fn all_files_of_a_session_have_one_room() {
    let scratch = Scratch::new();
    let room = Room::new(1500);
    let mut files = Vec::new();
    for name in ["1.txt", "2.txt", "3.txt"] {
        let path = scratch.path().join(name);
        let mut collector = Collector::new(SMALL, Some(path), room.clone());
        collector.push(&[b'x'; 900]);
        files.push(collector.finish());
    }
    assert_eq!(files[0].note, None);
    assert!(files[1].text.contains("the first 600 of 900 bytes are in"));
    let note = files[1].note.clone().unwrap();
    assert!(note.contains("2.txt takes no more"), "{note}");
    assert_eq!(files[2].spill, None);
    assert!(
        files[2]
            .text
            .contains("bytes (0 line ends) left out of 900")
    );
    assert!(files[2].note.is_some());
    let written = |name: &str| scratch.read(name).len();
    assert_eq!(written("1.txt") + written("2.txt") + written("3.txt"), 1500);
}

#[test]
fn a_spill_file_that_cannot_be_written_is_said_and_loses_nothing_else() {
    let scratch = Scratch::new();
    let file = scratch.write("file", "");
    for path in [file.join("1.txt"), file.clone()] {
        let got = collect(SMALL, Some(path), &[&[b'x'; 900]]);
        assert_eq!(got.spill, None);
        assert!(got.note.unwrap().contains("could not be written"));
        assert!(got.text.starts_with("xxxxxxxxxx\n[… 880 bytes"));
    }
    assert_eq!(scratch.names(), ["file"]);
    assert_eq!(scratch.read("file"), b"");
}

#[test]
fn memory_stays_flat() {
    let mut collector = Collector::new(Limits::default(), None, Room::default());
    let piece = [b'x'; 100_000];
    for _ in 0..200 {
        collector.push(&piece);
    }
    assert!(collector.head.capacity() <= 64 * 1024);
    assert!(collector.tail.capacity() <= 64 * 1024);
    assert_eq!(collector.finish().bytes, 20_000_000);
}

#[test]
fn bytes_that_are_no_text_are_named() {
    let note = |bytes: &[u8]| collect(Limits::default(), None, &[bytes]).note;
    assert_eq!(note("fine\n\x1b[1mtext\u{fffd}".as_bytes()), None);
    let latin = b"a line of text in an old encoding, caf\xe9 and more of it";
    assert_eq!(
        note(latin).as_deref(),
        Some("bytes that are not UTF-8 are shown as \u{fffd}")
    );
    let cyrillic = b"\xf0\xd2\xc9\xd7\xc5\xd4, \xcd\xc9\xd2\n";
    let got = collect(Limits::default(), None, &[cyrillic]);
    assert!(
        got.text.ends_with(", \u{fffd}\u{fffd}\u{fffd}\n"),
        "{got:?}"
    );
    for list in [&b"src/main.rs\0src/lib.rs\0"[..], b"ab\0c\n"] {
        assert_eq!(note(list).as_deref(), Some("NUL bytes are shown as \\0"));
    }
    let elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0";
    let got = collect(Limits::default(), None, &[elf]);
    assert_eq!(got.text, "[20 bytes of binary data, not shown]\n");
    let random = crate::base::random::bytes::<1024>().unwrap();
    for bytes in [&[0; 100][..], b"U\0T\0F\0-\x001\x006\0", &random] {
        assert_eq!(note(bytes).as_deref(), Some("the output is binary"));
    }
}
