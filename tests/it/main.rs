//! The built program, driven from outside against scripted services on loopback.
//!
//! State machines are tested beside their code; here is what only the whole program can show:
//! wiring, exit codes, streams, signals, processes and files.

// What the cases are made of.
mod broken;
mod heard;
mod issuer;
mod place;
mod responses;
mod server;
mod strict;
mod sx;
mod tls;

// What a service does not take, left out.
mod adapt;
// The static binary where there is nothing else.
mod alone;
// Credentials and their refresh.
mod auth;
// What the table of features promises.
mod capabilities;
// A conversation on a terminal.
mod chat;
// Arguments, help, version, other names.
mod cli;
// A conversation that is too long.
mod compaction;
// Settings files, trust, project rules.
mod config;
// The embedded default, recordings.
mod demo;
// Broken set-ups, each named.
mod doctor;
// One task: streams, codes, JSON lines.
mod exec;
// Pages of the network as text.
mod fetch;
// Files as calls change them.
mod files;
// Many processes, one login.
mod fleet;
// Tools and patches without a model.
mod handmade;
// The hands over a pipe, the sandbox.
mod hands;
// Commands in the background, what others leave running.
mod jobs;
// New logins, their end, who pays, what is left.
mod login;
// Files that are looked for.
mod looked_for;
mod loops;
// Pages, the man page, completions.
mod manual;
// Each member of the family, through the whole program.
mod members;
// Cuts, stalls, resets, reuse.
mod net;
// The tools that need the person.
mod newcomer;
mod person;
// One request, told as a page, an object or events.
mod probe;
// Children, secrets, what outlives whom.
mod process;
// Requests, echoes, refusals.
mod profiles;
mod provider;
// The service's own search.
mod search;
// Files of a conversation, resume, signals.
mod session;
// Tokens over ssh.
mod ssh;
// Tokens from elsewhere.
mod token;
// Every member against services that refuse what the real ones refuse.
mod taken;
// Calls and their answers.
mod tools;
mod trust;
// The doctor where the way to a host is closed.
mod ways;
