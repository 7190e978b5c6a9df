//! The demo's task as a table: what the model thinks, says and calls, and what it expects back.
//!
//! It writes a program with a bug, runs it, sees it fail, reads it, patches it, runs it again and
//! sums up. Data only; `script` plays it.

/// What the person asks for.
pub const PROMPT: &str = "Write a small shell program that counts with fizz and buzz, \
    a check for it, and make the check pass.";

/// One answer of the model, and what must have come back before it is given.
pub struct Step {
    /// What the answers to the calls of the step before must hold.
    pub expected: &'static [Expected],
    /// A thinking summary.
    pub thought: Option<&'static str>,
    /// Words for the person.
    pub said: Option<&'static str>,
    /// The calls at its end.
    pub calls: &'static [Call],
}

/// What the answer to a call must hold.
pub struct Expected {
    /// Which call.
    pub call_id: &'static str,
    /// What it did, in words.
    pub doing: &'static str,
    /// Texts that its answer must hold.
    pub wanted: &'static [&'static str],
}

/// A call of the model.
pub struct Call {
    /// Its id.
    pub id: &'static str,
    /// What is called.
    pub tool: Tool,
}

/// A tool with its arguments.
pub enum Tool {
    /// Writes a file.
    Write {
        /// Its name.
        path: &'static str,
        /// All of it.
        content: &'static str,
    },
    /// Reads a file.
    Read {
        /// Its name.
        path: &'static str,
    },
    /// Runs a command line.
    Bash {
        /// The line.
        command: &'static str,
    },
    /// Applies a patch, given as free text.
    Patch(&'static str),
}

/// The whole task.
pub const STEPS: &[Step] = &[
    Step {
        expected: &[],
        thought: Some("A function that says one word, and a check that asks it for four of them."),
        said: Some("I write the program and a check for it."),
        calls: &[
            Call {
                id: "call_program",
                tool: Tool::Write {
                    path: "fizz.sh",
                    content: PROGRAM,
                },
            },
            Call {
                id: "call_check",
                tool: Tool::Write {
                    path: "check.sh",
                    content: CHECK,
                },
            },
        ],
    },
    Step {
        expected: &[],
        thought: None,
        said: None,
        calls: &[Call {
            id: "call_first_run",
            tool: Tool::Bash { command: RUN_CHECK },
        }],
    },
    Step {
        expected: &[Expected {
            call_id: "call_first_run",
            doing: "the first run of the check",
            wanted: &["say 15 gave fizz, not fizzbuzz", "exit 1"],
        }],
        thought: Some("Fifteen is called fizz. Let me look at the order of the questions."),
        said: None,
        calls: &[
            Call {
                id: "call_read_program",
                tool: Tool::Read { path: "fizz.sh" },
            },
            Call {
                id: "call_read_check",
                tool: Tool::Read { path: "check.sh" },
            },
        ],
    },
    Step {
        expected: &[
            Expected {
                call_id: "call_read_program",
                doing: "reading fizz.sh",
                wanted: &["    elif [ $(($1 % 15)) -eq 0 ]; then echo fizzbuzz"],
            },
            Expected {
                call_id: "call_read_check",
                doing: "reading check.sh",
                wanted: &["expect 15 fizzbuzz"],
            },
        ],
        thought: Some("A multiple of 15 is one of 3 too, so 15 must be asked for first."),
        said: Some("The check found a bug: 15 never gets past the question for 3. I move it up."),
        calls: &[Call {
            id: "call_patch",
            tool: Tool::Patch(PATCH),
        }],
    },
    Step {
        expected: &[Expected {
            call_id: "call_patch",
            doing: "the patch",
            wanted: &["M fizz.sh"],
        }],
        thought: None,
        said: None,
        calls: &[Call {
            id: "call_second_run",
            tool: Tool::Bash { command: RUN_CHECK },
        }],
    },
    Step {
        expected: &[Expected {
            call_id: "call_second_run",
            doing: "the second run of the check",
            wanted: &["all four words are right", "exit 0"],
        }],
        thought: Some("It passes now."),
        said: Some(
            "fizz.sh counts with fizz and buzz, and check.sh asks it for four words. The first \
             run failed: 15 was called fizz, because 3 was asked for before 15. I put 15 first; \
             now all four words are right.",
        ),
        calls: &[],
    },
];

/// Fifteen is divisible by three and by five; the bug is that three is asked first. Only what
/// every shell has built in is used, so that a machine with nothing but `sh` can run it.
const PROGRAM: &str = r#"# Says fizz for multiples of 3, buzz for those of 5, fizzbuzz for both.
say() {
    if [ $(($1 % 3)) -eq 0 ]; then echo fizz
    elif [ $(($1 % 5)) -eq 0 ]; then echo buzz
    elif [ $(($1 % 15)) -eq 0 ]; then echo fizzbuzz
    else echo "$1"
    fi
}
"#;

const CHECK: &str = r#"# Asks fizz.sh for four words; the first wrong one ends it.
. ./fizz.sh
expect() {
    got=$(say "$1")
    [ "$got" = "$2" ] && return
    echo "say $1 gave $got, not $2"
    exit 1
}
expect 1 1
expect 3 fizz
expect 5 buzz
expect 15 fizzbuzz
echo "all four words are right"
"#;

const PATCH: &str = r#"*** Begin Patch
*** Update File: fizz.sh
@@ say() {
-    if [ $(($1 % 3)) -eq 0 ]; then echo fizz
+    if [ $(($1 % 15)) -eq 0 ]; then echo fizzbuzz
+    elif [ $(($1 % 3)) -eq 0 ]; then echo fizz
     elif [ $(($1 % 5)) -eq 0 ]; then echo buzz
-    elif [ $(($1 % 15)) -eq 0 ]; then echo fizzbuzz
     else echo "$1"
*** End Patch
"#;

/// How the check is run: in the shell that is there, whatever its name.
const RUN_CHECK: &str = ". ./check.sh";
