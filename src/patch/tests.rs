//! What is read as a patch, what is not, and where its changes land.

use super::*;
use crate::base::mutants::mutants;

fn keep(text: &str) -> Line {
    Line::Keep(text.into())
}

fn remove(text: &str) -> Line {
    Line::Remove(text.into())
}

fn add(text: &str) -> Line {
    Line::Add(text.into())
}

fn chunk(anchor: Option<&str>, lines: &[Line]) -> Chunk {
    Chunk {
        anchor: anchor.map(str::to_owned),
        lines: lines.to_vec(),
        is_at_end: false,
    }
}

/// Parses `body` between the markers.
fn parsed(body: &str) -> Result<Vec<Hunk>, Error> {
    parse(&format!("*** Begin Patch\n{body}*** End Patch\n")).map(|patch| patch.hunks)
}

#[track_caller]
fn parses(body: &str, hunks: &[Hunk]) {
    assert_eq!(parsed(body).as_deref(), Ok(hunks), "{body}");
    let crlf = body.replace('\n', "\r\n");
    assert_eq!(parsed(&crlf).as_deref(), Ok(hunks), "with CRLF: {body}");
}

#[track_caller]
fn parses_update(body: &str, chunks: &[Chunk]) {
    let hunk = Hunk::Update {
        path: "a".into(),
        move_to: None,
        chunks: chunks.to_vec(),
    };
    parses(&format!("*** Update File: a\n{body}"), &[hunk]);
}

#[track_caller]
fn refuses(body: &str, words: &str) {
    let error = parsed(body).expect_err(body).to_string();
    assert!(error.starts_with(words), "{error}");
}

#[test]
fn every_kind_of_hunk_is_read() {
    parses(
        "*** Add File: dir/new\n+one\n+\n++two\n*** Delete File: old\n*** Update File: a b\n\
         *** Move to: c\n@@ fn x\n one\n-two\n+three\n",
        &[
            Hunk::Add {
                path: "dir/new".into(),
                content: "one\n\n+two\n".into(),
            },
            Hunk::Delete { path: "old".into() },
            Hunk::Update {
                path: "a b".into(),
                move_to: Some("c".into()),
                chunks: vec![chunk(
                    Some("fn x"),
                    &[keep("one"), remove("two"), add("three")],
                )],
            },
        ],
    );
    parses("", &[]);
}

#[test]
fn chunks_are_divided_by_anchors() {
    parses_update("-x\n+y\n", &[chunk(None, &[remove("x"), add("y")])]);
    parses_update(
        "@@\n-x\n@@ class A\n@@   def f\n+y\n",
        &[
            chunk(None, &[remove("x")]),
            chunk(Some("class A"), &[]),
            chunk(Some("  def f"), &[add("y")]),
        ],
    );
    let at_end = Chunk {
        is_at_end: true,
        ..chunk(None, &[add("y")])
    };
    parses_update("@@\n+y\n*** End of File\n\n", &[at_end]);
}

#[test]
fn what_models_bend_is_accepted() {
    let delete = [Hunk::Delete { path: "a".into() }];
    parses("  *** Delete File: a  \n\n", &delete);
    parses("*** Environment ID: x\n*** Delete File: a\n", &delete);
    for quote in ["", "'", "\""] {
        let text = format!(
            "<<{quote}EOF{quote}\n*** Begin Patch\n*** Delete File: a\n*** End Patch\nEOF\n"
        );
        assert_eq!(parse(&text).unwrap().hunks, delete);
    }
    let padded = "\n \n *** Begin Patch \n*** Delete File: a\n\t*** End Patch\n\n";
    assert_eq!(parse(padded).unwrap().hunks, delete);
    parses_update("@@  \n-x\n\n", &[chunk(None, &[remove("x"), keep("")])]);
    // Behind a blank it is a line of the file, not a header.
    parses_update(
        "-x\n *** Delete File: b\n",
        &[chunk(None, &[remove("x"), keep("*** Delete File: b")])],
    );
    let moved = Hunk::Update {
        path: "a".into(),
        move_to: Some("b".into()),
        chunks: vec![],
    };
    parses("*** Update File: a\n*** Move to: b\n", &[moved]);
}

#[test]
fn what_is_no_patch_is_refused_with_its_line() {
    assert_eq!(parse(""), Err(Error::NoBegin));
    assert_eq!(parse("*** Begin Patch"), Err(Error::NoEnd));
    assert_eq!(parse("*** End Patch"), Err(Error::NoBegin));
    let torn = "*** Begin Patch\n*** Add File: a\n+x";
    assert_eq!(parse(torn), Err(Error::NoEnd));
    refuses(
        "what\n",
        "invalid hunk at line 2, 'what' is not '*** Add File",
    );
    refuses(
        "*** Add File: \n+x\n",
        "invalid hunk at line 2, it names no file",
    );
    refuses(
        "*** Add File: a\n+x\ny\n",
        "invalid hunk at line 4, 'y' is not a line that",
    );
    refuses(
        "*** Add File: a\n+x\n\n+y\n",
        "invalid hunk at line 5, '+y' is not '*** Add",
    );
    refuses("*** Delete File: a\n+x\n", "invalid hunk at line 3");
    refuses(
        "*** Update File: a\n",
        "invalid hunk at line 2, it changes nothing in a",
    );
    refuses(
        "*** Update File: a\n@@ x\n",
        "invalid hunk at line 2, it changes nothing",
    );
    refuses(
        "*** Update File: a\n-x\ny\n",
        "invalid hunk at line 4, 'y' is not '@@'",
    );
    refuses(
        "*** Update File: a\n-x\n*** Move to: b\n",
        "invalid hunk at line 4",
    );
    refuses(
        "*** Update File: a\n-x\n*** End of File\n+y\n",
        "invalid hunk at line 5",
    );
    refuses(
        "*** Delete File: a\n*** End Patch\n*** Begin Patch\n",
        "invalid hunk at line 3",
    );
}

/// Updates `old` by what stands below `*** Update File: a`.
fn updated(old: &[u8], body: &str) -> Result<Vec<u8>, Error> {
    let hunks = parsed(&format!("*** Update File: a\n{body}")).unwrap();
    match hunks.as_slice() {
        [Hunk::Update { chunks, .. }] => apply_update(old, chunks),
        other => panic!("one update, not {other:?}"),
    }
}

#[track_caller]
fn check(old: impl AsRef<[u8]>, body: &str, new: impl AsRef<[u8]>) {
    let got = updated(old.as_ref(), body).unwrap();
    let spoken = String::from_utf8_lossy(&got);
    assert_eq!(got, new.as_ref(), "{body}\ngave {spoken:?}");
}

#[track_caller]
fn misses(old: &str, body: &str, words: &str) {
    let error = updated(old.as_bytes(), body).unwrap_err().to_string();
    assert_eq!(error, words);
}

#[test]
fn changes_land_where_their_lines_are() {
    check("a\nb\nc\n", " a\n-b\n+B\n c\n", "a\nB\nc\n");
    check("a\nb\nc\nd\n", "@@\n-a\n+A\n@@\n-d\n", "A\nb\nc\n");
    check("x\na\nx\nb\n", "@@ a\n-x\n+y\n", "x\na\ny\nb\n");
    check(
        "c A\ndef f\n1\nc B\ndef f\n1\n",
        "@@ c B\n@@ def f\n-1\n+2\n",
        "c A\ndef f\n1\nc B\ndef f\n2\n",
    );
    check("a\n", "-a\n", "");
    check("", "+a\n", "a\n");
}

#[test]
fn lines_that_repeat_are_found_where_all_of_them_stand() {
    check("a\na\na\nb\n", "@@\n a\n a\n-b\n", "a\na\na\n");
    check(
        "a\nb\na\nb\na\nc\n",
        " a\n b\n a\n-c\n+d\n",
        "a\nb\na\nb\na\nd\n",
    );
    check("a\na\nb\na\na\na\n", " a\n a\n-a\n", "a\na\nb\na\na\n");
}

#[test]
fn a_change_is_below_the_one_before() {
    check("x\nx\nx\n", "-x\n+1\n@@\n-x\n+2\n", "1\n2\nx\n");
    misses(
        "a\nb\n",
        "@@\n-b\n@@\n-a\n",
        "these lines are not there, from line 3 on:\na",
    );
}

#[test]
fn additions_alone_go_to_the_end() {
    check("a\n", "+b\n", "a\nb\n");
    check("a", "+b\n", "a\nb\n");
    check("a\n\n", "+b\n", "a\nb\n\n");
    check("a\nb\n", "@@\n+c\n@@\n-a\n", "b\nc\n");
    check("a\n\n", "@@\n+c\n@@\n-a\n-\n+b\n", "b\nc\n");
}

#[test]
fn the_end_of_the_file_is_the_end() {
    check("x\ny\nx\n", "-x\n+z\n*** End of File\n", "x\ny\nz\n");
    misses(
        "x\ny\n",
        "-x\n+z\n*** End of File\n",
        "these lines are not there, from line 1 on:\nx",
    );
}

#[test]
fn an_empty_line_at_the_end_may_stand_for_the_end() {
    check("a\nb\n", "-b\n+c\n\n", "a\nc\n");
    check("a\nb\n", "-b\n-\n+c\n+\n", "a\nc\n");
    check("a\nb\n\nc\n", "-b\n+B\n\n", "a\nB\n\nc\n");
}

#[test]
fn passes_go_from_strict_to_lax() {
    // Each line is found by a laxer pass than the one before it; the strictest wins.
    check("  a\na \na\n", "-a\n+b\n", "  a\na \nb\n");
    check("  a\na \n", "-a\n+b\n", "  a\nb\n");
    check("  a\n", "-a\n+b\n", "b\n");
    check(
        "x \u{2013} \u{201c}y\u{201d}\u{a0}z\n",
        "-x - \"y\" z\n+b\n",
        "b\n",
    );
}

#[test]
fn what_stays_stays_byte_for_byte() {
    check("  a \nb\n", " a\n-b\n+c\n", "  a \nc\n");
    check(
        "\u{2018}a\u{2019}\nb\n",
        " 'a'\n-b\n+c\n",
        "\u{2018}a\u{2019}\nc\n",
    );
    check(b"caf\xe9\nb\n", " caf\u{fffd}\n-b\n+c\n", b"caf\xe9\nc\n");
    check("\u{feff}a\nb\n", "-a\n+c\n", "\u{feff}c\nb\n");
}

#[test]
fn line_ends_are_kept_and_new_ones_are_like_the_first() {
    check("a\r\nb\r\nc\r\n", " a\n-b\n+B\n", "a\r\nB\r\nc\r\n");
    check("a\r\nb\nc", "-b\n+B\n", "a\r\nB\r\nc\r\n");
    check("a\nb\r\nc\n", "+d\n", "a\nb\r\nc\nd\n");
    check("a\rb\rc", "-b\n+B\n", "a\rB\rc\r");
}

#[test]
fn every_typographic_character_is_taken_for_its_plain_one() {
    let plain_ones: [(&str, &[u32]); 4] = [
        (
            "-",
            &[0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212],
        ),
        ("'", &[0x2018, 0x2019, 0x201a, 0x201b]),
        ("\"", &[0x201c, 0x201d, 0x201e, 0x201f]),
        (" ", &[0xa0, 0x2002, 0x2006, 0x200a, 0x202f, 0x205f, 0x3000]),
    ];
    for (plain, codes) in plain_ones {
        for code in codes {
            let odd = char::from_u32(*code).unwrap();
            let file = format!("x{odd}y\nz\n");
            check(
                &file,
                &format!(" x{plain}y\n-z\n+Z\n"),
                format!("x{odd}y\nZ\n"),
            );
            // The other way round too: models write the typographic one.
            let file = format!("x{plain}y\nz\n");
            check(
                &file,
                &format!(" x{odd}y\n-z\n+Z\n"),
                format!("x{plain}y\nZ\n"),
            );
        }
    }
    // Its neighbours are letters of their own.
    for odd in ['\u{200b}', '\u{2016}', '\u{2032}', '\u{ab}'] {
        assert!(updated(format!("x{odd}y\n").as_bytes(), "-x-y\n").is_err());
    }
}

#[test]
fn odd_white_space_is_found_and_kept() {
    check(
        "\tif x:\n\t\ty\n",
        " if x:\n-y\n+\t\tz\n",
        "\tif x:\n\t\tz\n",
    );
    check("a \t\nb\n", " a\n-b\n+c\n", "a \t\nc\n");
    check("a\u{a0}\nb\n", " a\n-b\n+c\n", "a\u{a0}\nc\n");
    check("a\x0c\nb\n", " a\n-b\n+c\n", "a\x0c\nc\n");
    check("a\n  \nb\n", " a\n\n-b\n+c\n", "a\n  \nc\n");
    check("a\n\nb\n", " a\n    \n-b\n+c\n", "a\n\nc\n");
    check("  f():\n x\n", "@@ f():\n-x\n+y\n", "  f():\ny\n");
    // White space inside a line is text.
    assert!(updated(b"a  b\n", "-a b\n").is_err());
    // An earlier pass wins over an earlier line, and a later line over a laxer pass.
    check(" a\nx\na\nx\n", " a\n-x\n+y\n", " a\nx\na\ny\n");
}

#[test]
fn line_ends_of_the_patch_do_not_matter() {
    let files = [
        ("a\nb\nc\n", "a\nB\n2\nc\n"),
        ("a\r\nb\r\nc\r\n", "a\r\nB\r\n2\r\nc\r\n"),
        ("a\r\nb\nc", "a\r\nB\r\n2\r\nc\r\n"),
        ("a\nb\r\nc\r\n", "a\nB\n2\nc\r\n"),
        ("a\rb\rc\r", "a\rB\r2\rc\r"),
    ];
    for (old, new) in files {
        let body = " a\n-b\n+B\n+2\n c\n";
        check(old, body, new);
        check(old, &body.replace('\n', "\r\n"), new);
    }
}

#[test]
fn a_last_line_without_an_end_gets_one() {
    check("a\nb", "-b\n+c\n", "a\nc\n");
    check("a\nb", "-a\n+c\n", "c\nb\n");
    check("a\nb", " b\n+c\n", "a\nb\nc\n");
    check("a\nb", "-b\n+c\n*** End of File\n", "a\nc\n");
    check("a", "-a\n+\n", "\n");
    check("a\r\nb", "+c\n", "a\r\nb\r\nc\r\n");
}

#[test]
fn hunks_that_say_little_are_what_they_say() {
    let empty = Hunk::Add {
        path: "a".into(),
        content: String::new(),
    };
    parses("*** Add File: a\n", std::slice::from_ref(&empty));
    parses(
        "*** Add File: a\n\n*** Add File: a\n",
        &[empty.clone(), empty],
    );
    check("a\n", " a\n", "a\n");
    check("a\nb\n", "@@ a\n@@\n-b\n", "a\n");
    refuses(
        "*** Update File: a\n@@\n",
        "invalid hunk at line 2, it changes nothing",
    );
    let words = "invalid hunk at line 2, it changes nothing in a";
    refuses("*** Update File: a\n*** End of File\n", words);
}

#[test]
fn a_wrapper_is_taken_off_only_as_a_whole() {
    let patch = "*** Begin Patch\n*** Delete File: a\n*** End Patch";
    let delete = [Hunk::Delete { path: "a".into() }];
    let wrapped = [
        format!("\n<<EOF\n{patch}\nEOF\n\n"),
        format!("  <<'EOF'  \n\n{patch}\n\n  EOF"),
        format!("<<\"EOF\"\r\n{patch}\r\nEOF\r\n").replace("\r\n", "\n"),
        format!("<<EOF\n{patch}\nEOF").replace('\n', "\r\n"),
        format!("<<END\n{patch}\nEND"),
        format!("apply_patch <<'PATCH'\n{patch}\nPATCH\n"),
        format!("```\n{patch}\n```\n"),
        format!("```diff\n\n{patch}\n\n```"),
        format!("```bash\napply_patch << \"EOF\"\n{patch}\nEOF\n```"),
    ];
    for text in wrapped {
        assert_eq!(parse(&text).unwrap().hunks, delete, "{text:?}");
    }
    let torn = [
        format!("<<EOF\n{patch}\n"),
        format!("<<END\n{patch}\nEOF"),
        format!("```diff\n{patch}\n"),
        format!("``` a ```\n{patch}\n```"),
        "```\n```".to_owned(),
        format!("<<\n{patch}\n"),
        format!("cd a && apply_patch <<EOF\n{patch}\nEOF"),
        format!("<<'EOF\"\n{patch}\nEOF"),
        format!("cat <<EOF\n{patch}\nEOF"),
    ];
    for text in torn {
        assert_eq!(parse(&text), Err(Error::NoBegin), "{text:?}");
    }
    let no_begin = format!("{patch}\nEOF\n");
    assert_eq!(parse(&no_begin), Err(Error::NoEnd));
}

#[test]
fn what_is_not_there_is_named_with_the_closest_place() {
    misses("a\n", "@@ b\n+c\n", "there is no line 'b' from line 1 on");
    misses(
        "a\n",
        "@@ -1 +1,2 @@ f()\n+c\n",
        "there is no line '-1 +1,2 @@ f()' from line 1 on; this format has no line numbers: write \
         @@ alone, or with a line that is above the change",
    );
    misses(
        "a\nb\nc\na\nb\nd\n",
        " a\n b\n-x\n",
        "these lines are not there, from line 1 on:\na\nb\nx\nclosest: line 3 is 'c', not 'x'",
    );
    misses(
        "a\n",
        " a\n-b\n",
        "these lines are not there, from line 1 on:\na\nb\n\
         closest: the file ends before line 2, 'b'",
    );
}

#[test]
fn no_mangled_patch_panics() {
    let text = "*** Begin Patch\n*** Update File: a\n@@ b\n-c\n+d\n\n*** End of File\n\
                *** Add File: e\n+é\n*** End Patch\n";
    let old = b"b\nc\n\n";
    for start in 0..text.len() {
        for length in [1, 2, 7, 20] {
            let bytes = text.as_bytes();
            let end = (start + length).min(bytes.len());
            let cut = [&bytes[..start], &bytes[end..]].concat();
            let Ok(patch) = parse(&String::from_utf8_lossy(&cut)) else {
                continue;
            };
            for hunk in patch.hunks {
                if let Hunk::Update { chunks, .. } = hunk {
                    let new = apply_update(old, &chunks);
                    assert!(new.is_err() || !new.unwrap().ends_with(b"c"));
                }
            }
        }
    }
}

#[test]
fn any_chunks_fit_or_miss_any_file() {
    let words = ["", "a", "b", " a"];
    let mut state = 1_u32;
    // A linear congruential generator (Numerical Recipes §7.1): the same tests on every run.
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % below
    };
    let mut fitted = 0;
    for _ in 0..20_000 {
        let count = random(6);
        let old: Vec<&str> = (0..count).map(|_| words[random(words.len())]).collect();
        let mut chunks = Vec::new();
        for _ in 0..random(3) {
            let lines: Vec<Line> = (0..random(4))
                .map(|_| {
                    let make = [keep, remove, add][random(3)];
                    make(words[random(words.len())])
                })
                .collect();
            let anchor = (random(4) == 0).then(|| words[random(words.len())]);
            let is_at_end = random(4) == 0;
            chunks.push(Chunk {
                is_at_end,
                ..chunk(anchor, &lines)
            });
        }
        let Ok(new) = apply_update(old.join("\n").as_bytes(), &chunks) else {
            continue;
        };
        assert!(new.is_empty() || new.ends_with(b"\n"));
        fitted += 1;
    }
    assert!(fitted > 1_000, "{fitted}");
}

#[test]
fn no_patch_and_no_file_is_too_odd() {
    let fixture = "<<EOF\n*** Begin Patch\n*** Add File: a\n+b\n\
                   *** Update File: c\n*** Move to: d\n\
                   @@ e\n f\n-g\n+h\n@@\n i\n\n*** End of File\n*** End Patch\nEOF\n\0e\r\nf\ng\ni";
    let (patch, file) = fixture.split_once('\0').unwrap();
    let patch = parse(patch).unwrap();
    let Hunk::Update { chunks, .. } = &patch.hunks[1] else {
        panic!("{patch:?}");
    };
    assert!(apply_update(file.as_bytes(), chunks).is_ok());
    mutants(fixture.as_bytes()).for_each(|input| fuzz_patch(&input));
}
