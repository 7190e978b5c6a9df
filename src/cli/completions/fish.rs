//! The script of fish: one `complete` for each option and each list of words.

use super::Words;
use super::commands;
use super::of_argument;
use super::of_key;
use super::of_option;
use super::takers;
use super::valued;
use crate::cli::args::flags::FLAGS;
use crate::cli::args::verbs::COMMANDS;
use crate::config::table::KEYS;
use std::io;
use std::io::Write;

/// `__sx_is` asks for the command among the words: `-` before one can be told, `prompt` behind a
/// word that is none.
const BEGIN: &str = r#"# Completion of sx for fish: sx completions fish | source
function __sx_is
    set -l words (commandline -opc)
    set -l skip 0
    set -l found -
    switch $words[1]
        case '*scorpiox-config'
            set found config
        case '*scorpiox-codex-fetchtoken'
            set found fetchtoken
    end
    for word in $words[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case VALUED
                set skip 1
            case '-*'
            case COMMANDS
                test $found = -; and set found $word
            case '*'
                test $found = -; and set found prompt
        end
    end
    contains -- $found $argv
end
set -l sx -c sx -c scorpiox-config -c scorpiox-codex-fetchtoken
"#;

/// Writes the script.
pub(super) fn write(out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<&str> = commands().map(|row| row.name).collect();
    let begin = BEGIN.replace("VALUED", &valued().join(" "));
    out.write_all(begin.replace("COMMANDS", &names.join(" ")).as_bytes())?;
    for row in commands() {
        let (name, help) = (row.name, quoted(row.help));
        writeln!(out, "complete $sx -n '__sx_is -' -a {name} -d {help}")?;
        if let Words::Of(words) = of_argument(row) {
            let words = words.join(" ");
            writeln!(out, "complete $sx -n '__sx_is {name}' -f -a '{words}'")?;
        }
    }
    for flag in FLAGS {
        let takers = takers(flag);
        let condition = match takers.len() == COMMANDS.len() {
            true => String::new(),
            false => {
                let names = takers.into_iter().map(|name| match name {
                    "" => "- prompt",
                    name => name,
                });
                format!(" -n '__sx_is {}'", names.collect::<Vec<_>>().join(" "))
            }
        };
        let short = flag.short.map_or(String::new(), |it| format!(" -s {it}"));
        let value = match flag.value.map(|_| of_option(flag)) {
            None => String::new(),
            Some(Words::Of(words)) => format!(" -x -a '{}'", words.join(" ")),
            Some(Words::Pairs) => format!(" -x -a '{}'", pairs().join(" ")),
            Some(Words::Folders) => " -x -a '(__fish_complete_directories)'".to_string(),
            Some(Words::Files) => " -r -F".to_string(),
            Some(Words::Any) => " -x".to_string(),
        };
        let (long, help) = (flag.long, quoted(flag.help));
        writeln!(
            out,
            "complete $sx{condition}{short} -l {long} -d {help}{value}"
        )?;
    }
    Ok(())
}

/// All settings, with each value of those that have few.
fn pairs() -> Vec<String> {
    let mut pairs = Vec::new();
    for key in KEYS {
        match of_key(key) {
            Words::Of(words) => {
                pairs.extend(words.iter().map(|word| format!("{}={word}", key.name)));
            }
            _ => pairs.push(format!("{}=", key.name)),
        }
    }
    pairs
}

/// A text as one word of fish.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}
