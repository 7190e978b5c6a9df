//! What is done where a service takes a request but for one part of it: that part is left out from
//! then on, if the member knows how, and the request is sent again at once.

use crate::agent::Agent;
use crate::agent::event::Event;
use crate::agent::failure::Failure;
use crate::provider;
use crate::provider::lessons::Change;

impl Agent {
    /// `None` where the request is to be sent again; else the failure as what it is then. The
    /// person is told what will be missing.
    ///
    /// A member learns each thing once, so this comes to an end whatever the service says.
    pub(super) fn adapt(&mut self, failure: Failure) -> Result<Option<Failure>, Failure> {
        let Failure::Provider(provider::Error::Unfit {
            complaint,
            mut otherwise,
        }) = failure
        else {
            return Ok(Some(failure));
        };
        let model = &self.options.model;
        let Some(change) = self.provider.adapt(model, &complaint) else {
            return Ok(Some(Failure::Provider(*otherwise)));
        };
        if let provider::Error::Overflow { window, .. } = &*otherwise
            && let Some(tokens) = window
        {
            self.learn_window(*tokens)?;
        }
        self.discard()?;
        if let Change::Told(what) = change {
            let said = format!("{what} ({})", otherwise.detail_mut());
            let warning = provider::refusal::bounded(&said);
            self.show(&Event::Warning(&warning))?;
        }
        Ok(None)
    }
}
