//! What is done where the service does not know the model: it is asked once for those that it has.
//!
//! A word that stands for a model, as `opus` does, may outlive that model: the nearest one of the
//! list is taken for the rest of the run, and said. A name that the person typed is never replaced;
//! the error then tells what there is.

use crate::agent::Agent;
use crate::agent::event::Event;
use crate::agent::failure::Failure;
use crate::auth;
use crate::auth::Why;
use crate::provider;
use crate::provider::models;
use crate::provider::models::Model;

impl Agent {
    /// Turns to the nearest model that there is. Fails with what the service said, and what it
    /// offers, where the name is no alias or nothing is near.
    pub(super) fn find_other_model(&mut self, status: u16, detail: &str) -> Result<(), Failure> {
        let refused = |detail: String| {
            Err(Failure::Provider(provider::Error::Refused {
                status,
                detail,
            }))
        };
        let listed = self.listed_models()?;
        if listed.is_empty() {
            return refused(detail.to_string());
        }
        let asked = self.options.model.clone();
        let name = self.provider.model(&asked).to_string();
        let is_alias = name != asked;
        let nearest = models::nearest(&listed, &name).filter(|_| is_alias);
        let Some(nearest) = nearest else {
            return refused(models::with_offer(detail, &listed));
        };
        let warning = format!(
            "the service does not know {name}, for which {} stands: {nearest} is taken",
            match asked.as_str() {
                "" => "no model in the settings",
                alias => alias,
            }
        );
        self.options.model = nearest.to_string();
        self.show(&Event::Warning(&warning))
    }

    /// What the service has; nothing where it does not say.
    fn listed_models(&mut self) -> Result<Vec<Model>, Failure> {
        let token = self.token(Why::Proactive)?;
        let Ok(request) = self.provider.models_request(token.as_ref()) else {
            return Ok(Vec::new());
        };
        let answer = auth::Fetch::fetch(&mut self.desk, request, None);
        self.desk.check()?;
        Ok(match answer {
            Ok((200, _, body)) => self.provider.models(&body).unwrap_or_default(),
            _ => Vec::new(),
        })
    }
}
