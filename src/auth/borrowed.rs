//! A token that someone else renews: kept until it is about to end, then asked for again.
//!
//! Who lends it is one file each: a server (`remote`), another machine (`ssh`), a command or the
//! one who started us (`handed`). Nothing of it is ever written down here.

use crate::auth::Error;
use crate::auth::Fault;
use crate::auth::Fetch;
use crate::auth::Source;
use crate::auth::Token;
use crate::auth::Why;
use crate::auth::refresh::is_near;
use crate::base::clock;
use crate::base::secret::Secret;

/// Whoever lends a token.
pub trait Lender {
    /// Asks for one; waits by way of `fetch`.
    fn lend(&mut self, fetch: &mut dyn Fetch) -> Result<Token, Error>;

    /// Takes note that the service refused this one, which should not be lent again.
    fn note_refusal(&mut self, _token: &Token) {}

    /// The setting that holds the token, where it is the same always.
    fn fixed_by(&self) -> Option<&'static str> {
        None
    }

    /// The secrets that it holds itself.
    fn secrets(&self) -> Vec<&Secret>;
}

/// A lender and what was lent last.
pub struct Borrowed {
    lender: Box<dyn Lender>,
    held: Option<Token>,
    warning: Option<String>,
}

impl Borrowed {
    /// Nothing was asked for yet.
    pub fn from(lender: Box<dyn Lender>) -> Borrowed {
        Borrowed {
            lender,
            held: None,
            warning: None,
        }
    }

    fn lent(&mut self, why: Why, fetch: &mut dyn Fetch) -> Result<Token, Error> {
        if let Some(held) = &self.held
            && why == Why::Unauthorized
        {
            self.lender.note_refusal(held);
        }
        let token = self.lender.lend(fetch)?;
        let is_over = |token: &Token| {
            let now = clock::unix_seconds();
            token.expires_at.is_some_and(|at| at <= now)
        };
        let refused = |detail: &str| {
            Err(Error::Source {
                from: token.source.clone(),
                fault: Fault::Spent,
                detail: detail.to_string(),
            })
        };
        if is_over(&token) {
            return refused("it has expired");
        }
        let is_same = |held: &Token| held.access == token.access;
        if why == Why::Unauthorized && self.held.as_ref().is_some_and(is_same) {
            return refused("it is the one that the service refused");
        }
        Ok(token)
    }
}

impl Source for Borrowed {
    fn peek(&mut self) -> Result<Option<Token>, Error> {
        Ok(self.held.clone())
    }

    fn fresh(&mut self, why: Why, fetch: &mut dyn Fetch) -> Result<Token, Error> {
        let now = clock::unix_seconds();
        if let Some(held) = &self.held
            && why == Why::Proactive
            && !held.expires_at.is_some_and(|at| is_near(at, now))
        {
            return Ok(held.clone());
        }
        match self.lent(why, fetch) {
            Ok(token) => {
                self.held = Some(token.clone());
                Ok(token)
            }
            Err(error) => match &self.held {
                Some(held)
                    if why == Why::Proactive && held.expires_at.is_none_or(|at| at > now) =>
                {
                    self.warning = Some(error.to_string());
                    Ok(held.clone())
                }
                _ => Err(error),
            },
        }
    }

    fn fixed_by(&self) -> Option<&'static str> {
        self.lender.fixed_by()
    }

    fn secrets(&self) -> Vec<&Secret> {
        let mut secrets = self.lender.secrets();
        secrets.extend(self.held.iter().map(|held| &held.access));
        secrets
    }

    fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scratch::Nobody;
    use std::collections::VecDeque;

    /// Lends these, in this order; where there is none it cannot be reached.
    struct Script(VecDeque<(&'static str, i64)>);

    impl Lender for Script {
        fn lend(&mut self, _fetch: &mut dyn Fetch) -> Result<Token, Error> {
            let Some((access, seconds)) = self.0.pop_front() else {
                return Err(Error::Source {
                    from: "script".into(),
                    fault: Fault::Unreachable,
                    detail: "nobody there".into(),
                });
            };
            let at = clock::unix_seconds().saturating_add_signed(seconds);
            let line = format!("{{\"access_token\":\"{access}\",\"expires_at\":{at}}}");
            Ok(crate::auth::answer::read(line.as_bytes(), "script", 0).unwrap())
        }

        fn secrets(&self) -> Vec<&Secret> {
            Vec::new()
        }
    }

    fn borrowed(script: &[(&'static str, i64)]) -> Borrowed {
        Borrowed::from(Box::new(Script(script.iter().copied().collect())))
    }

    #[track_caller]
    fn check(source: &mut Borrowed, why: Why, expected: Result<&str, &str>) {
        let found = source.fresh(why, &mut Nobody);
        let found = found.map(|token| token.access.expose().to_string());
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected);
    }

    const HOUR: i64 = 3_600;

    #[test]
    fn a_token_is_kept_until_it_is_about_to_end() {
        let mut source = borrowed(&[("a", HOUR), ("b", 200), ("c", HOUR)]);
        check(&mut source, Why::Proactive, Ok("a"));
        check(&mut source, Why::Proactive, Ok("a"));
        check(&mut source, Why::Unauthorized, Ok("b"));
        check(&mut source, Why::Proactive, Ok("c"));
        assert_eq!(source.secrets(), [&Secret::new("c")]);
    }

    #[test]
    fn the_old_one_is_used_while_it_lives() {
        let mut source = borrowed(&[("a", 200)]);
        check(&mut source, Why::Proactive, Ok("a"));
        check(&mut source, Why::Proactive, Ok("a"));
        let warning = source.take_warning().unwrap();
        assert!(warning.contains("nobody there"), "{warning}");
        let gone = "script: cannot be reached: nobody there";
        check(&mut source, Why::Unauthorized, Err(gone));
    }

    #[test]
    fn a_token_that_is_of_no_use_is_an_error() {
        let mut source = borrowed(&[("a", -1), ("b", HOUR), ("b", HOUR)]);
        let over = "script: gives a token of no use: it has expired";
        check(&mut source, Why::Proactive, Err(over));
        check(&mut source, Why::Proactive, Ok("b"));
        let same = "script: gives a token of no use: it is the one that the service refused";
        check(&mut source, Why::Unauthorized, Err(same));
    }
}
