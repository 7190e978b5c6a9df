//! The scripts of bash and zsh. Both read `case` alike, so the rows are the same; what stands
//! around them, and how a list is offered, is each shell's own.

use super::Words;
use super::commands;
use super::of_argument;
use super::of_key;
use super::of_option;
use super::spellings;
use super::takers;
use super::valued;
use crate::cli::args::flags::FLAGS;
use crate::config::table::KEYS;
use std::io;
use std::io::Write;

/// How a shell is told things.
pub(super) struct Dialect {
    /// What stands before the rows about the word before; `VALUED` are the options with a value.
    begin: &'static str,
    /// What stands before the rows about options.
    options: &'static str,
    /// What stands before the rows about arguments.
    arguments: &'static str,
    /// What ends the script.
    end: &'static str,
    /// How the names of folders and of files are offered.
    folders: &'static str,
    files: &'static str,
    /// What is done where nothing is known.
    nothing: &'static str,
    /// Whether words are offered with what they mean.
    explains: bool,
}

pub(super) static BASH: Dialect = Dialect {
    begin: r#"# Completion of sx for bash: source <(sx completions bash)
_sx() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command= first=1 skip= word offered=()
    # bash parts words at `=`.
    if [[ $current == = ]]; then
        current=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case ${1##*/} in
    scorpiox-config) command=config ;;
    scorpiox-codex-fetchtoken) command=fetchtoken ;;
    esac
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
        =) skip=1; continue ;;
        esac
        if [[ $skip ]]; then
            skip=
            continue
        fi
        case $word in
        VALUED) skip=1 ;;
        -*) ;;
        *)
            if [[ $first && ! $command ]]; then
                case $word in
                COMMANDS) command=$word ;;
                *) first= ;;
                esac
            else
                first=
            fi
            ;;
        esac
    done
    case $before in
"#,
    options: r#"    esac
    if (( ${#offered[@]} )); then
        :
    elif [[ $current == -* ]]; then
"#,
    arguments: r#"    elif [[ $first ]]; then
        case $command in
"#,
    end: r#"        esac
    fi
    COMPREPLY=($(compgen -W "${offered[*]}" -- "$current"))
    [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace
}
complete -o default -F _sx sx scorpiox-config scorpiox-codex-fetchtoken
"#,
    folders: "COMPREPLY=($(compgen -d -- \"$current\")); return",
    files: "return",
    nothing: "return",
    explains: false,
};

pub(super) static ZSH: Dialect = Dialect {
    begin: r#"#compdef sx scorpiox-config scorpiox-codex-fetchtoken
# Completion of sx for zsh: source <(sx completions zsh), after compinit
_sx() {
    local before=${words[CURRENT-1]} command= first=1 skip= word
    local -a offered
    if [[ $PREFIX == --*=* || $before == (-e|--env) && $PREFIX == *=* ]]; then
        before=${PREFIX%%=*}
        compset -P '*='
    fi
    case ${words[1]:t} in
    scorpiox-config) command=config ;;
    scorpiox-codex-fetchtoken) command=fetchtoken ;;
    esac
    for word in "${(@)words[2,CURRENT-1]}"; do
        if [[ -n $skip ]]; then
            skip=
            continue
        fi
        case $word in
        VALUED) skip=1 ;;
        -*) ;;
        *)
            if [[ -n $first && -z $command ]]; then
                case $word in
                COMMANDS) command=$word ;;
                *) first= ;;
                esac
            else
                first=
            fi
            ;;
        esac
    done
    case $before in
"#,
    options: r#"    esac
    if (( $#offered )); then
        :
    elif [[ $PREFIX == -* ]]; then
"#,
    arguments: r#"        _describe -o option offered
        return
    elif [[ -n $first ]]; then
        case $command in
"#,
    end: r#"        esac
    fi
    if (( $#offered )); then
        _describe word offered
    else
        _files
    fi
}
if [[ $funcstack[1] == _sx ]]; then
    _sx
else
    compdef _sx sx scorpiox-config scorpiox-codex-fetchtoken
fi
"#,
    folders: "_files -/; return",
    files: "_files; return",
    nothing: "_message value; return",
    explains: true,
};

/// Writes the script.
pub(super) fn write(out: &mut dyn Write, dialect: &Dialect) -> io::Result<()> {
    let names: Vec<&str> = commands().map(|row| row.name).collect();
    let begin = dialect.begin.replace("VALUED", &valued().join("|"));
    out.write_all(begin.replace("COMMANDS", &names.join("|")).as_bytes())?;
    for flag in FLAGS.iter().filter(|flag| flag.value.is_some()) {
        write_case(
            out,
            dialect,
            "    ",
            &spellings(flag).join("|"),
            &of_option(flag),
        )?;
    }
    // Behind `-e KEY=` and `--set KEY`.
    for key in KEYS {
        write_case(out, dialect, "    ", key.name, &of_key(key))?;
    }
    out.write_all(dialect.options.as_bytes())?;
    for flag in FLAGS {
        let takers: Vec<String> = takers(flag)
            .iter()
            .map(|name| format!(":{name}:"))
            .collect();
        let words = spellings(flag);
        let words = words.iter().map(|word| explained(dialect, word, flag.help));
        let words: Vec<String> = words.collect();
        writeln!(
            out,
            "        case :$command: in {}) offered+=({}) ;; esac",
            takers.join("|"),
            words.join(" ")
        )?;
    }
    out.write_all(dialect.arguments.as_bytes())?;
    let words = commands().map(|row| explained(dialect, row.name, row.help));
    let words: Vec<String> = words.collect();
    writeln!(out, "        '') offered=({}) ;;", words.join(" "))?;
    for row in commands() {
        write_case(out, dialect, "        ", row.name, &of_argument(row))?;
    }
    out.write_all(dialect.end.as_bytes())
}

/// One row: what is offered where the pattern fits.
fn write_case(
    out: &mut dyn Write,
    dialect: &Dialect,
    indent: &str,
    pattern: &str,
    words: &Words,
) -> io::Result<()> {
    let offer = match words {
        Words::Of(words) => format!("offered=({})", words.join(" ")),
        Words::Pairs => {
            let pairs: Vec<String> = KEYS.iter().map(|key| format!("{}=", key.name)).collect();
            match dialect.explains {
                true => format!("compadd -S '' -- {}; return", pairs.join(" ")),
                false => format!("offered=({})", pairs.join(" ")),
            }
        }
        Words::Folders => dialect.folders.to_string(),
        Words::Files => dialect.files.to_string(),
        Words::Any => dialect.nothing.to_string(),
    };
    writeln!(out, "{indent}{pattern}) {offer} ;;")
}

/// A word as an element of a list, with what it means where the shell shows that.
fn explained(dialect: &Dialect, word: &str, help: &str) -> String {
    match dialect.explains {
        true => format!("'{word}:{}'", help.replace('\'', r"'\''")),
        false => word.to_string(),
    }
}
