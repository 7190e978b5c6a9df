//! A settings file while a person changes it: nothing is written until they have seen the
//! difference and said yes.

use super::edit;
use crate::base::text;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Site;
use crate::cli::input;
use crate::config::Layer;
use crate::config::disk;
use crate::config::keys::Key;
use crate::config::write;
use crate::config::write::Change;
use crate::config::write::Written;
use crate::config::write::lines_of;
use std::io;
use std::mem;
use std::path::PathBuf;

/// The file, and what it shall become.
pub struct Draft {
    /// Where it lies, or will.
    pub path: PathBuf,
    was: Option<Vec<u8>>,
    now: Vec<u8>,
    /// The last change of each key, in the order of their first one.
    changes: Vec<(&'static Key, Option<String>)>,
}

impl Draft {
    /// Reads the file of `layer`, which need not be there.
    pub fn of(site: &Site, layer: &Layer) -> Result<Draft, Fault> {
        let path = site.file(layer)?;
        Draft::open(path.clone()).map_err(|error| {
            let what = format!("cannot read {}: {error}", input::shown(&path));
            Fault::new(Exit::Settings, what)
        })
    }

    fn open(path: PathBuf) -> io::Result<Draft> {
        let was = disk::read(&path)?;
        Ok(Draft {
            path,
            now: was.clone().unwrap_or_default(),
            was,
            changes: Vec::new(),
        })
    }

    /// Sets `key` to `value`, which it can have, or takes it out.
    pub fn set(&mut self, key: &'static Key, value: Option<&str>) {
        let change = value.map_or(Change::Unset, Change::Set);
        self.now = write::changed(&self.now, key.name, change);
        let value = value.map(str::to_string);
        match self.changes.iter_mut().find(|(of, _)| of.name == key.name) {
            Some((_, last)) => *last = value,
            None => self.changes.push((key, value)),
        }
    }

    /// Makes the same changes in what another program wrote meanwhile; whether one did.
    pub fn take_up(&mut self) -> bool {
        let Ok(mut draft) = Draft::open(self.path.clone()) else {
            return false;
        };
        if draft.was == self.was {
            return false;
        }
        for (key, value) in mem::take(&mut self.changes) {
            draft.set(key, value.as_deref());
        }
        *self = draft;
        true
    }

    /// What the file will say of `key`; `None` where that is nothing.
    pub fn value(&self, key: &Key) -> Option<String> {
        lines_of(&self.now, key.name).pop().map(|(_, value)| value)
    }

    /// Whether `key` will be another.
    pub fn changes(&self, key: &Key) -> bool {
        let was = lines_of(self.was.as_deref().unwrap_or_default(), key.name);
        let before = was.into_iter().next_back().map(|(_, value)| value);
        before != self.value(key)
    }

    /// Whether there is something to write.
    pub fn is_changed(&self) -> bool {
        self.was.as_deref().unwrap_or_default() != self.now
    }

    /// The difference: lines that go with `-`, lines that come with `+`, secrets masked.
    pub fn difference(&self) -> String {
        let mut said = format!("  {}\n", input::shown(&self.path));
        for (key, _) in &self.changes {
            let old = lines_of(self.was.as_deref().unwrap_or_default(), key.name);
            let new = lines_of(&self.now, key.name);
            if self.changes(key) || old.len() != new.len() {
                old.iter()
                    .for_each(|line| said.push_str(&spoken('-', key, line)));
                new.iter()
                    .for_each(|line| said.push_str(&spoken('+', key, line)));
            }
        }
        said
    }

    /// Writes it; what the file said and says, and what is wrong with a file that got a secret.
    /// Fails where another program wrote it meanwhile.
    pub fn write(&mut self) -> io::Result<(Written, Option<String>)> {
        let _lock = disk::lock(&self.path)?;
        disk::replace(&self.path, Some(self.was.as_deref()), &self.now)?;
        let has_secret = self.changes.iter().any(|(key, _)| key.secret);
        let exposure = edit::exposure(&self.path).filter(|_| has_secret);
        self.changes.clear();
        let now = self.now.clone();
        let was = self.was.replace(now.clone());
        Ok((Written { was, now }, exposure))
    }
}

fn spoken(sign: char, key: &Key, (number, value): &(u32, String)) -> String {
    let value = match key.secret && !value.is_empty() {
        true => "…".into(),
        false => text::harmless(value),
    };
    format!("  {sign} line {number}: {}={value}\n", key.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random;
    use crate::config::keys;
    use std::fs;

    #[test]
    fn a_draft_shows_what_it_changes_and_writes_nothing_else() {
        let name = format!("sx-draft-{}", random::uuid().unwrap());
        let path = std::env::temp_dir().join(name);
        let text = "# mine\r\nMODEL=a\r\nRETRY_MAX=1\r\nMODEL=b\r\n";
        fs::write(&path, text).unwrap();
        let key = |name| keys::find(name).unwrap();
        let mut draft = Draft::open(path.clone()).unwrap();
        assert!(!draft.is_changed());
        draft.set(key("MODEL"), Some("c"));
        draft.set(key("MODEL"), Some("b"));
        assert!(!draft.is_changed() && !draft.changes(key("MODEL")));
        draft.set(key("RETRY_MAX"), None);
        draft.set(key("OPENAI_API_KEY"), Some("sk-hidden"));
        assert_eq!(draft.value(key("MODEL")).as_deref(), Some("b"));
        assert_eq!(draft.value(key("RETRY_MAX")), None);
        assert_eq!(
            draft.difference(),
            format!(
                "  {}\n  - line 3: RETRY_MAX=1\n  + line 4: OPENAI_API_KEY=…\n",
                path.display()
            )
        );
        // Somebody else writes it: nothing of theirs is lost.
        fs::write(&path, "MODEL=theirs\n").unwrap();
        assert!(draft.write().unwrap_err().to_string().contains("meanwhile"));
        assert!(draft.take_up() && !draft.take_up());
        draft.set(key("RETRY_MAX"), Some("2"));
        draft.set(key("RETRY_MAX"), None);
        draft.write().unwrap();
        let expected = "MODEL=b\nOPENAI_API_KEY=sk-hidden\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        fs::write(&path, text).unwrap();
        let mut draft = Draft::open(path.clone()).unwrap();
        draft.set(key("RETRY_MAX"), None);
        draft.set(key("OPENAI_API_KEY"), Some("sk-hidden"));
        draft.write().unwrap();
        let expected = "# mine\r\nMODEL=a\r\nMODEL=b\r\nOPENAI_API_KEY=sk-hidden\r\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert!(!draft.is_changed());
        fs::remove_file(&path).unwrap();
    }
}
