//! Which calls of an answer may run at once. Pure.
//!
//! Neighbours that only read run together; any other call runs alone, and nothing overtakes it.

use crate::chat::ToolCall;
use crate::chat::tool::Effect;

/// More calls at once than this gain nothing and cost descriptors.
const AT_ONCE_MAX: usize = 8;

/// Cuts the calls into groups; the groups run one after the other, the calls of a group at once.
pub fn groups<'a>(
    calls: &'a [ToolCall],
    effect_of: &dyn Fn(&ToolCall) -> Effect,
) -> Vec<&'a [ToolCall]> {
    let mut groups = Vec::new();
    let mut rest = calls;
    while !rest.is_empty() {
        let reads = rest
            .iter()
            .take(AT_ONCE_MAX)
            .take_while(|call| effect_of(call) == Effect::Reads)
            .count();
        let (group, after) = rest.split_at(reads.max(1));
        groups.push(group);
        rest = after;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::CallKind;

    /// Each letter is a call: `r` reads, anything else changes.
    #[track_caller]
    fn check(calls: &str, expected: &[&str]) {
        let calls: Vec<ToolCall> = calls
            .chars()
            .map(|name| ToolCall {
                id: String::new(),
                name: name.to_string(),
                arguments: String::new(),
                kind: CallKind::Function,
                opaque: None,
            })
            .collect();
        let effect_of = |call: &ToolCall| match call.name.as_str() {
            "r" => Effect::Reads,
            _ => Effect::Changes,
        };
        let groups: Vec<String> = groups(&calls, &effect_of)
            .into_iter()
            .map(|group| group.iter().map(|call| call.name.as_str()).collect())
            .collect();
        assert_eq!(groups, expected);
    }

    #[test]
    fn only_neighbouring_reads_run_at_once() {
        check("", &[]);
        check("r", &["r"]);
        check("rr", &["rr"]);
        check("wrrwr", &["w", "rr", "w", "r"]);
        check("ww", &["w", "w"]);
        check("rrrrrrrrr", &["rrrrrrrr", "r"]);
    }
}
