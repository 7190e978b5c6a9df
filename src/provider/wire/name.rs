//! Names of tools and ids of calls as strict services take them, whoever made them.

use std::borrow::Cow;
use std::collections::HashSet;

/// What they take of a tool's name, and more than any id of their own has.
const NAME_BYTES_MAX: usize = 64;

/// The name with `_` for what is not taken in one; names that are stay as they are.
pub fn legal(name: &str) -> Cow<'_, str> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() {
        return Cow::Borrowed("unnamed");
    }
    if name.len() <= NAME_BYTES_MAX && name.chars().all(is_legal) {
        return Cow::Borrowed(name);
    }
    let legal = name.chars().map(|c| if is_legal(c) { c } else { '_' });
    Cow::Owned(legal.take(NAME_BYTES_MAX).collect())
}

/// The ids of one conversation. Some want every call to have one of its own, while others count
/// from the start again with each answer.
#[derive(Debug, Default)]
pub struct Ids {
    taken: HashSet<String>,
}

impl Ids {
    /// A legal id like `id` that no call before has. The same calls always get the same ids.
    pub fn take(&mut self, id: &str) -> String {
        let legal = legal(id);
        let mut own = legal.to_string();
        let mut count = 1;
        while self.taken.contains(&own) {
            count += 1;
            own = format!("{legal}_{count}");
        }
        self.taken.insert(own.clone());
        own
    }

    /// Keeps an id that goes back as it came from every call that comes later.
    pub fn keep(&mut self, id: &str) {
        self.taken.insert(id.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_wire_does_not_take_is_replaced() {
        for (name, expected) in [
            ("toolu_01A-b", "toolu_01A-b"),
            ("functions.bash:0", "functions_bash_0"),
            ("é|", "__"),
            ("", "unnamed"),
        ] {
            assert_eq!(legal(name), expected);
        }
        assert_eq!(legal(&"x".repeat(65)).len(), NAME_BYTES_MAX);
    }

    #[test]
    fn no_two_calls_share_an_id() {
        let mut ids = Ids::default();
        let taken = ["a", "a", "a.", "a_", "", "", "a"].map(|id| ids.take(id));
        let expected = ["a", "a_2", "a_", "a__2", "unnamed", "unnamed_2", "a_3"];
        assert_eq!(taken, expected);
    }
}
