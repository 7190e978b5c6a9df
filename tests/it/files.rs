//! What calls do to files, through real hands: nothing but what was asked, and nothing by half.

use crate::jobs::Talk;
use crate::place::Place;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

/// A linear congruential generator (Numerical Recipes §7.1): the same calls on every run.
struct Dice(u32);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) as usize % below
    }

    /// Some lines, many of which are the same.
    fn lines(&mut self, most: usize) -> Vec<String> {
        let words = ["", "a", "  a", "b", "{", "}", "caf\u{e9}"];
        let count = self.roll(most + 1);
        let line = |_| words[self.roll(words.len())].to_owned();
        (0..count).map(line).collect()
    }
}

/// A file as a list of lines. The first is never changed, so that its line end stays known.
struct Model {
    lines: Vec<String>,
    ending: &'static str,
}

impl Model {
    fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn set_text(&mut self, text: &str) {
        self.lines = text.lines().map(str::to_owned).collect();
    }

    /// Where `old` stands in `text`, also where it overlaps itself.
    fn count(text: &str, old: &str) -> usize {
        let starts = text.char_indices().map(|(start, _)| start);
        starts
            .filter(|start| text[*start..].starts_with(old))
            .count()
    }

    /// An edit of some lines, and whether it can be made.
    fn edit(&mut self, dice: &mut Dice) -> (Value, bool) {
        let start = 1 + dice.roll(self.lines.len());
        let end = (start + 1 + dice.roll(3)).min(self.lines.len());
        let joined =
            |lines: &[String]| -> String { lines.iter().map(|line| format!("{line}\n")).collect() };
        let old = joined(&self.lines[start.min(end)..end]);
        let new = joined(&dice.lines(3));
        let is_for_all = dice.roll(4) == 0;
        let edit = json!({"old": old, "new": new, "all": is_for_all});
        let text = self.text();
        let count = Model::count(&text, &old);
        let can_be = !old.is_empty() && old != new && (count == 1 || count > 1 && is_for_all);
        if can_be {
            self.set_text(&text.replace(&old, &new));
        }
        (edit, can_be)
    }

    /// The lines of a change for a patch. They are in the file, so it can always be made: at the
    /// first place where they are.
    fn change(&mut self, dice: &mut Dice) -> String {
        let start = 1 + dice.roll(self.lines.len() - 1);
        let mut parts = [0; 3].map(|_| dice.roll(3));
        parts[1] += 1;
        let mut rest = self.lines[start..].iter();
        let [above, gone, below] =
            parts.map(|count| -> Vec<String> { rest.by_ref().take(count).cloned().collect() });
        let new = dice.lines(3);
        let old = [&above[..], &gone, &below].concat();
        let mut windows = self.lines.windows(old.len());
        let at = windows
            .position(|window| window == old)
            .expect("it is there");
        let from = at + above.len();
        self.lines.splice(from..from + gone.len(), new.clone());
        let marked = |mark: &str, lines: &[String]| -> String {
            lines.iter().map(|line| format!("{mark}{line}\n")).collect()
        };
        let changed = marked("-", &gone) + &marked("+", &new);
        format!(
            "@@\n{}{changed}{}",
            marked(" ", &above),
            marked(" ", &below)
        )
    }
}

#[test]
fn random_changes_do_what_they_do_to_a_plain_model_of_the_file() {
    let place = Place::new();
    let mut talk = Talk::start(&place);
    let mut dice = Dice(1);
    let (mut made, mut refused) = (0, 0);
    for (name, ending) in [("unix", "\n"), ("dos", "\r\n")] {
        let mut model = Model {
            lines: ["top", "a", "{", "b", "}"].map(str::to_owned).to_vec(),
            ending,
        };
        place.write(&format!("work/{name}"), model.text().replace('\n', ending));
        for step in 0..60 {
            if model.lines.len() < 3 {
                model.lines.extend(["b", "", "a"].map(str::to_owned));
                talk.ask("write", &json!({"path": name, "content": model.text()}));
            }
            let before = model.lines.clone();
            let (said, can_be) = match dice.roll(3) {
                0 => {
                    let change = model.change(&mut dice);
                    let patch = format!(
                        "*** Begin Patch\n*** Update File: {name}\n{change}*** End Patch\n"
                    );
                    (talk.ask("apply_patch", &json!({"patch": patch})), true)
                }
                _ => {
                    let (first, can_first) = model.edit(&mut dice);
                    let (second, can_second) = model.edit(&mut dice);
                    let edits = json!([first, second]);
                    let said = talk.ask("edit", &json!({"path": name, "edits": edits}));
                    (said, can_first && can_second)
                }
            };
            if can_be {
                made += 1;
            } else {
                model.lines = before;
                refused += 1;
            }
            let expected = model.text().replace('\n', model.ending);
            let got = place.read(&format!("work/{name}"));
            assert_eq!(got, expected, "{name}, step {step}: {said}");
        }
    }
    talk.end();
    assert!(made > 20 && refused > 20, "{made} made, {refused} refused");
    assert_eq!(place.names("work"), ["dos", "unix"]);
}

#[test]
fn what_is_no_file_is_answered_at_once_by_every_tool() {
    let place = Place::new();
    let _fifo = place.listen("work/fifo");
    let work = place.path("work");
    for (to, name) in [("gone", "dangling"), ("b", "a"), ("a", "b")] {
        symlink(to, work.join(name)).expect("a link");
    }
    fs::create_dir(work.join("dir")).expect("a directory");
    let before = place.names("work");
    let mut talk = Talk::start(&place);
    for (path, words) in [
        ("fifo", "is a FIFO"),
        ("dir", "is a directory"),
        ("dangling", "which is not there"),
        ("a", "lead to each other"),
        ("/dev/zero", "is a device"),
        ("/dev/full", "is a device"),
        ("/dev/tty", "is a device"),
        ("fifo/x", "not a directory"),
        ("~/x", "the ~ is a name like any other here"),
        ("", "does not name a file"),
        ("x\0", "NUL"),
        (&"x".repeat(300), "too long"),
    ] {
        let patch = format!(
            "*** Begin Patch\n*** Add File: new\n+x\n*** Update File: {path}\n-x\n+y\n*** End Patch"
        );
        let edits = json!([{"old": "x", "new": "y"}]);
        for (tool, arguments) in [
            ("read", json!({"path": path})),
            ("view_image", json!({"path": path})),
            ("write", json!({"path": path, "content": "x"})),
            ("edit", json!({"path": path, "edits": edits})),
            ("apply_patch", json!({"patch": patch})),
        ] {
            if tool == "apply_patch" && path.is_empty() {
                continue;
            }
            let said = talk.ask(tool, &arguments);
            assert!(said.contains(words), "{tool} {path}: {said}");
        }
    }
    talk.end();
    assert_eq!(place.names("work"), before);
}

#[test]
fn arguments_of_two_megabytes_are_taken() {
    let place = Place::new();
    let mut talk = Talk::start(&place);
    let long = "0123456789abcdef\n".repeat(125_000);
    talk.ask("write", &json!({"path": "f", "content": long}));
    assert_eq!(place.read("work/f"), long);
    let edits = json!([{"old": long, "new": "short\n"}]);
    let said = talk.ask("edit", &json!({"path": "f", "edits": edits}));
    assert_eq!(said, "edited f: +1 -125000");
    let added: String = long.lines().map(|line| format!("+{line}\n")).collect();
    let patch = format!("*** Begin Patch\n*** Update File: f\n-short\n{added}*** End Patch");
    talk.ask("apply_patch", &json!({"patch": patch}));
    assert_eq!(place.read("work/f"), long);
    talk.end();
}
