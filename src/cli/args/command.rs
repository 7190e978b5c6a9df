//! Each command takes the options and words that it knows, and says what it cannot do without.
//!
//! The order of the functions is that of `args::Command`. What stands in two places at once, or
//! means nothing without another, is refused here, before anything runs.

use super::Change;
use super::Chat;
use super::Command;
use super::Config;
use super::Doctor;
use super::Edit;
use super::Exec;
use super::Fetchtoken;
use super::Login;
use super::Logout;
use super::Patch;
use super::Prompt;
use super::Sessions;
use super::Shell;
use super::Talk;
use super::TokenServe;
use super::TokenShape;
use super::Tool;
use super::Trust;
use super::TrustAct;
use super::View;
use super::Way;
use super::flags::Meaning;
use super::given::Given;
use super::probe;
use super::usage::Usage;
use super::verbs::Verb;
use crate::config::Layer;
use crate::config::keys;

/// Takes what `verb` knows out of what was given. Words that it does not take stay.
pub(super) fn command(verb: Verb, given: &mut Given) -> Result<Command, Usage> {
    Ok(match verb {
        Verb::Chat => Command::Chat(Chat {
            prompt: given
                .word("the prompt")?
                .filter(|text| !text.trim().is_empty()),
            talk: talk(given)?,
        }),
        Verb::Resume => {
            let resume = given
                .word("the session's ID")?
                .unwrap_or("last".to_string());
            let talk = Talk {
                resume: Some(resume),
                ..talk(given)?
            };
            Command::Chat(Chat { prompt: None, talk })
        }
        Verb::Exec => Command::Exec(exec(given)?),
        Verb::Sessions => Command::Sessions(sessions(given)?),
        Verb::Login => Command::Login(login(given)?),
        Verb::Logout => Command::Logout(Logout {
            is_revoked: given.has(Meaning::Revoke),
        }),
        Verb::Status => Command::Status {
            is_json: given.has(Meaning::Json),
        },
        Verb::Usage => Command::Usage {
            is_json: given.has(Meaning::Json),
        },
        Verb::Models => Command::Models {
            is_json: given.has(Meaning::Json),
        },
        Verb::Fetchtoken => Command::Fetchtoken(fetchtoken(given)?),
        Verb::Token => token(given)?,
        Verb::Config if given.has(Meaning::Set) || given.has(Meaning::Unset) => {
            Command::Edit(edit(given)?)
        }
        Verb::Config => Command::Config(config(given)?),
        Verb::Doctor => Command::Doctor(Doctor {
            is_json: given.has(Meaning::Json),
        }),
        Verb::Init => Command::Init,
        Verb::Trust => Command::Trust(trust(given)?),
        Verb::Probe => Command::Probe(probe::read(given)?),
        Verb::Tool => Command::Tool(tool(given)?),
        Verb::Patch => Command::Patch(Patch {
            file: given.words.pop_front().map(Into::into),
            cwd: given.path(Meaning::Cwd),
        }),
        Verb::Hands => Command::Hands,
        Verb::Demo => Command::Demo {
            is_kept: given.has(Meaning::Keep),
        },
        Verb::Replay => match given.words.pop_front() {
            Some(dir) => Command::Replay(dir.into()),
            None => {
                let hint = "`sx exec --record DIR PROMPT` makes one";
                return Err(Usage::Missing {
                    verb,
                    what: "the directory of a recording",
                    hint,
                });
            }
        },
        Verb::Help if given.has(Meaning::Man) => Command::Man,
        Verb::Help => Command::Help(topic(given)?),
        Verb::Completions => Command::Completions(shell(given)?),
        Verb::Version => Command::Version {
            is_json: given.has(Meaning::Json),
        },
    })
}

/// All words, since a topic may have several: `sx help exit codes`.
fn topic(given: &mut Given) -> Result<Option<String>, Usage> {
    let mut topic: Option<String> = None;
    while let Some(word) = given.word("the topic")? {
        topic = Some(topic.map_or(word.clone(), |before| format!("{before} {word}")));
    }
    Ok(topic)
}

fn shell(given: &mut Given) -> Result<Shell, Usage> {
    let verb = Verb::Completions;
    let hint = "such as `source <(sx completions bash)`";
    match given.word("the shell")?.as_deref() {
        Some("bash") => Ok(Shell::Bash),
        Some("zsh") => Ok(Shell::Zsh),
        Some("fish") => Ok(Shell::Fish),
        Some(other) => Err(Usage::UnknownAction {
            verb,
            word: other.to_string(),
            hint: "it is bash, zsh or fish",
        }),
        None => {
            let what = "a shell: bash, zsh or fish";
            Err(Usage::Missing { verb, what, hint })
        }
    }
}

fn fetchtoken(given: &Given) -> Result<Fetchtoken, Usage> {
    let shape = match (given.has(Meaning::Json), given.has(Meaning::Raw)) {
        (true, true) => {
            return Err(Usage::Conflict {
                one: "--json",
                other: "--raw",
            });
        }
        (true, false) => Some(TokenShape::Json),
        (false, true) => Some(TokenShape::Raw),
        (false, false) => None,
    };
    Ok(Fetchtoken {
        is_refreshed: given.has(Meaning::Refresh),
        shape,
    })
}

/// `sx token` does one thing so far, but its name is of a family.
fn token(given: &mut Given) -> Result<Command, Usage> {
    let missing = |what, hint| {
        let verb = Verb::Token;
        Err(Usage::Missing { verb, what, hint })
    };
    match given.word("what to do")?.as_deref() {
        Some("serve") => {}
        _ => return missing("what to do", "`sx token serve --listen unix:/run/sx.sock`"),
    }
    match given.text(Meaning::Listen)? {
        Some(listen) => Ok(Command::TokenServe(TokenServe { listen })),
        None => missing(
            "--listen PLACE",
            "such as unix:/run/sx.sock or 127.0.0.1:8123",
        ),
    }
}

fn tool(given: &mut Given) -> Result<Tool, Usage> {
    let is_json = given.has(Meaning::Json);
    if given.has(Meaning::List) {
        return Ok(Tool::List { is_json });
    }
    let Some(name) = given.word("the name of a tool")? else {
        return Err(Usage::Missing {
            verb: Verb::Tool,
            what: "the name of a tool",
            hint: "`sx tool --list` has them",
        });
    };
    Ok(Tool::Call {
        name,
        // A model, too, may leave the arguments out where none is needed.
        arguments: given.word("the arguments of a tool")?.unwrap_or_default(),
        is_json,
    })
}

fn talk(given: &Given) -> Result<Talk, Usage> {
    let resume = match (given.text(Meaning::Resume)?, given.has(Meaning::Continue)) {
        (Some(_), true) => {
            return Err(Usage::Conflict {
                one: "--resume",
                other: "--continue",
            });
        }
        (Some(id), false) => Some(id),
        (None, true) => Some("last".to_string()),
        (None, false) => None,
    };
    Ok(Talk {
        images: given.paths(Meaning::Image),
        resume,
        is_kept: !given.has(Meaning::NoSession),
        record: given.path(Meaning::Record),
    })
}

fn exec(given: &mut Given) -> Result<Exec, Usage> {
    let prompt = prompt(given)?;
    let is_stdin_appended = given.has(Meaning::Stdin);
    if is_stdin_appended && prompt == Prompt::Stdin {
        return Err(Usage::Conflict {
            one: "--stdin",
            other: "a prompt on stdin",
        });
    }
    let is_json = given.has(Meaning::Json);
    let has_deltas = given.has(Meaning::Deltas);
    if has_deltas && !is_json {
        return Err(Usage::Needs {
            one: "--deltas",
            other: "--json",
        });
    }
    Ok(Exec {
        prompt,
        is_stdin_appended,
        talk: talk(given)?,
        is_json,
        has_deltas,
        output: given.path(Meaning::Output),
        output_schema: given.path(Meaning::OutputSchema),
        timeout: given.duration(Meaning::Timeout)?,
    })
}

/// The prompt may stand in three places, and must stand in exactly one.
fn prompt(given: &mut Given) -> Result<Prompt, Usage> {
    let word = given.word("the prompt")?;
    let printed = given.text(Meaning::Print)?;
    let file = given.path(Meaning::PromptFile);
    let text = match (word, printed, file) {
        (Some(_), Some(_), _) => {
            return Err(Usage::Conflict {
                one: "-p",
                other: "PROMPT",
            });
        }
        (Some(_), _, Some(_)) => {
            return Err(Usage::Conflict {
                one: "-f",
                other: "PROMPT",
            });
        }
        (_, Some(_), Some(_)) => {
            return Err(Usage::Conflict {
                one: "-f",
                other: "-p",
            });
        }
        (None, None, Some(file)) if file.as_os_str() == "-" => return Ok(Prompt::Stdin),
        (None, None, Some(file)) => return Ok(Prompt::File(file)),
        (Some(text), None, None) | (None, Some(text), None) => text,
        (None, None, None) => String::new(),
    };
    match text.as_str() {
        "-" if !given.is_literal => Ok(Prompt::Stdin),
        blank if blank.trim().is_empty() => Err(Usage::Missing {
            verb: Verb::Exec,
            what: "a prompt",
            hint: "give it in quotes, or `-f FILE`, or `-` to read it from stdin",
        }),
        _ => Ok(Prompt::Text(text)),
    }
}

fn sessions(given: &mut Given) -> Result<Sessions, Usage> {
    let verb = Verb::Sessions;
    let days = given.count(Meaning::Days)?;
    let action = given.word("what to do with sessions")?;
    if days.is_some() && action.as_deref() != Some("prune") {
        return Err(Usage::Needs {
            one: "--days",
            other: "prune",
        });
    }
    match action.as_deref() {
        None | Some("list") => Ok(Sessions::List),
        Some("show") => match given.word("the session's ID")? {
            Some(id) => Ok(Sessions::Show(id)),
            None => Err(Usage::Missing {
                verb,
                what: "the ID of a session to show",
                hint: "`sx sessions` lists them; `last` is one",
            }),
        },
        Some("prune") => Ok(Sessions::Prune { days }),
        Some(other) => Err(Usage::UnknownAction {
            verb,
            word: other.to_string(),
            hint: "it is `sx sessions`, `sx sessions show ID` or `sx sessions prune`",
        }),
    }
}

fn login(given: &Given) -> Result<Login, Usage> {
    let token = given.text(Meaning::WithToken)?;
    // A token is never an argument: every process of the machine could read it there. What was
    // typed may be one, so it is not shown.
    if token.is_some_and(|from| from != "-") {
        return Err(Usage::WrongValue {
            flag: "--with-token".to_string(),
            value: "...".to_string(),
            allowed: "`-`: the token is read from stdin".to_string(),
        });
    }
    let ways = [
        ("--device", Meaning::Device, Way::Device),
        ("--browser", Meaning::Browser, Way::Browser),
        ("--with-token", Meaning::WithToken, Way::Token),
    ];
    let mut given_ways = ways.iter().filter(|(_, meaning, _)| given.has(*meaning));
    let way = match (given_ways.next(), given_ways.next()) {
        (Some((one, ..)), Some((other, ..))) => return Err(Usage::Conflict { one, other }),
        (way, _) => way.map(|(.., way)| *way),
    };
    Ok(Login {
        way,
        is_forced: given.has(Meaning::Force),
        is_config_kept: given.has(Meaning::NoConfig),
        is_json: given.has(Meaning::Json),
    })
}

/// `--set KEY VALUE`, `--set KEY=VALUE` and `--unset KEY`, as often as there are keys.
fn edit(given: &mut Given) -> Result<Edit, Usage> {
    let others = [
        (Meaning::Get, "--get"),
        (Meaning::Dump, "--dump"),
        (Meaning::Files, "--files"),
        (Meaning::Schema, "--schema"),
    ];
    let is_set = given.has(Meaning::Set);
    let one = if is_set { "--set" } else { "--unset" };
    let other = others.into_iter().find(|(meaning, _)| given.has(*meaning));
    if let Some(other) = other.map(|(_, name)| name) {
        return Err(Usage::Conflict { one, other });
    }
    let layer = layer(given)?.unwrap_or(Layer::User);
    let mut changes: Vec<(String, Change)> = Vec::new();
    for pair in given.texts(Meaning::Set)? {
        let change = setting(given, pair)?;
        // Of one key the last counts, as in a file.
        changes.retain(|(key, _)| *key != change.0);
        changes.push(change);
    }
    for key in given.texts(Meaning::Unset)? {
        if is_set && changes.iter().any(|(set, _)| *set == key) {
            let other = "--unset of the same key";
            return Err(Usage::Conflict { one, other });
        }
        changes.push((key, Change::Unset));
    }
    Ok(Edit { changes, layer })
}

/// One key that is set; its value may be the next word.
fn setting(given: &mut Given, pair: String) -> Result<(String, Change), Usage> {
    let (key, value) = match pair.split_once('=') {
        Some((key, value)) => (key.to_string(), Some(value.to_string())),
        None => (pair, given.word("the value")?),
    };
    let Some(row) = keys::find(&key) else {
        let nearest = keys::nearest(&key);
        return Err(Usage::UnknownKey { key, nearest });
    };
    let value = value.ok_or(Usage::Missing {
        verb: Verb::Config,
        what: "the value",
        hint: "`sx config --set KEY VALUE`; `--unset KEY` takes the key out",
    })?;
    let change = match value.trim() {
        "-" => Change::FromStdin,
        // It stays as it is typed; what it means depends on the key.
        "" => Change::Set(String::new()),
        value => match row.accept(value) {
            Some(value) => Change::Set(value),
            None => {
                return Err(Usage::WrongValue {
                    flag: format!("--set {key}"),
                    value: if row.secret {
                        "…".into()
                    } else {
                        value.into()
                    },
                    allowed: row.kind.allowed(),
                });
            }
        },
    };
    Ok((key, change))
}

fn layer(given: &Given) -> Result<Option<Layer>, Usage> {
    let Some(word) = given.text(Meaning::Tier)? else {
        return Ok(None);
    };
    let allowed = "user, project, global or profile:NAME";
    let layer = Layer::parse(&word).ok_or_else(|| given.wrong(Meaning::Tier, allowed))?;
    Ok(Some(layer))
}

/// `sx trust`, `sx trust FILE...`, `--list`, `--revoke`.
fn trust(given: &mut Given) -> Result<Trust, Usage> {
    let act = match (given.has(Meaning::List), given.has(Meaning::Revoke)) {
        (true, true) => {
            let (one, other) = ("--list", "--revoke");
            return Err(Usage::Conflict { one, other });
        }
        (true, false) => TrustAct::List,
        (false, true) => TrustAct::Revoke,
        (false, false) => TrustAct::Accept,
    };
    let is_json = given.has(Meaning::Json);
    let files = match act {
        TrustAct::List => Vec::new(),
        _ => given.words.drain(..).map(Into::into).collect(),
    };
    Ok(Trust {
        act,
        files,
        is_json,
    })
}

fn config(given: &Given) -> Result<Config, Usage> {
    let views = [
        (Meaning::Get, "--get"),
        (Meaning::Dump, "--dump"),
        (Meaning::Files, "--files"),
        (Meaning::Schema, "--schema"),
    ];
    let mut asked = views.iter().filter(|(meaning, _)| given.has(*meaning));
    let view = match (asked.next(), asked.next()) {
        (Some((_, one)), Some((_, other))) => return Err(Usage::Conflict { one, other }),
        (None, _) if given.has(Meaning::ShowSource) => View::Dump,
        (None, _) => View::All,
        (Some((Meaning::Dump, _)), None) => View::Dump,
        (Some((Meaning::Files, _)), None) => View::Files,
        (Some((Meaning::Schema, _)), None) => View::Schema,
        (Some(_), None) => {
            let key = given.text(Meaning::Get)?.unwrap_or_default();
            if keys::find(&key).is_none() {
                let nearest = keys::nearest(&key);
                return Err(Usage::UnknownKey { key, nearest });
            }
            View::Get(key)
        }
    };
    let layer = layer(given)?;
    if layer.is_some() && !matches!(view, View::Dump | View::All) {
        let (one, other) = ("--tier", "--set, --unset or --dump");
        return Err(Usage::Needs { one, other });
    }
    Ok(Config {
        // With no option at all it is for a person, who wants to know who set what.
        has_source: given.has(Meaning::ShowSource) || view == View::All,
        view,
        layer,
        is_json: given.has(Meaning::Json),
    })
}
