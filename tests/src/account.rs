//! An account of every token that was issued and every answer that was given, and what must be true of it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use claviger_jose::base64url;

/// A moment by the wall clock of this machine: the time since 1970.
pub type Moment = Duration;

/// Times in tokens are whole seconds.
const ROUNDING: Duration = Duration::from_secs(1);

/// What time it is.
#[must_use]
pub fn moment() -> Moment {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

/// A token, as whoever holds it can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The token.
    pub token: Arc<str>,
    /// The key that has signed it.
    pub kid: Arc<str>,
    /// Where it is meant to be good.
    pub audience: &'static str,
    /// Its `iat`.
    pub issued_at: Moment,
    /// Its `exp`.
    pub expires_at: Moment,
    /// Whether the issuer has issued it.
    pub genuine: bool,
}

/// What a service said to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Which token: its place in the account.
    pub token: usize,
    /// Which service, counted from 0.
    pub service: usize,
    /// When it was asked.
    pub asked: Moment,
    /// When it had answered.
    pub answered: Moment,
    /// The status; 0 if there was no answer.
    pub status: u16,
}

/// What the token endpoint said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// When it was asked.
    pub asked: Moment,
    /// When it had answered.
    pub answered: Moment,
    /// The status; 0 if there was no answer.
    pub status: u16,
    /// The error code, or the body if it has none.
    pub error: String,
}

/// Everything that happened.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// The tokens.
    pub tokens: Vec<Held>,
    /// What services said.
    pub answers: Vec<Answer>,
    /// What the issuer said.
    pub grants: Vec<Grant>,
    /// When an operator began to revoke a key.
    pub revoked: HashMap<Arc<str>, Moment>,
}

/// For how long a service may accept what it must refuse.
#[derive(Debug, Clone)]
pub struct Allowance {
    /// S: after a token's end.
    pub skew: Duration,
    /// After the revocation of a key.
    pub revocation: Duration,
    /// The same for services that have more time, because they are cut off.
    pub partitioned: HashMap<usize, Duration>,
}

/// How often services were shown what they must refuse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Presented {
    /// Tokens with a signature that is not the issuer's.
    pub forged: usize,
    /// Tokens that were over for longer than S.
    pub over: usize,
    /// Tokens of a key that the service had the time to drop.
    pub revoked: usize,
}

/// Why a token must be refused.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Forged,
    Over,
    Revoked,
}

impl Held {
    /// Reads a token that the issuer has issued.
    ///
    /// # Errors
    /// If it is none.
    pub fn issued(token: &str, audience: &'static str) -> anyhow::Result<Self> {
        let part = |number: usize| -> anyhow::Result<serde_json::Value> {
            let part = token.split('.').nth(number).context("a token has three parts")?;
            Ok(serde_json::from_slice(&base64url::decode(part)?)?)
        };
        let (header, claims) = (part(0)?, part(1)?);
        let time = |name: &str| claims[name].as_u64().map(Duration::from_secs).context("a time");
        let kid = header["kid"].as_str().context("a kid")?.into();
        let (issued_at, expires_at) = (time("iat")?, time("exp")?);
        Ok(Self { token: token.into(), kid, audience, issued_at, expires_at, genuine: true })
    }

    /// From its start to its end.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.expires_at.saturating_sub(self.issued_at)
    }

    /// The same token with another signature.
    #[must_use]
    pub fn forged(&self) -> Self {
        let (signed, signature) = self.token.rsplit_once('.').unwrap_or((&self.token, ""));
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let token = format!("{signed}.{other}{}", signature.get(1..).unwrap_or_default());
        Self { token: token.into(), genuine: false, ..self.clone() }
    }
}

impl Answer {
    /// Whether the service has decided about the token.
    #[must_use]
    pub fn is_decision(&self) -> bool {
        [200, 401].contains(&self.status)
    }
}

impl Account {
    /// V1: the good tokens that were rejected.
    #[must_use]
    pub fn rejected(&self) -> Vec<String> {
        let wrong = |answer: &&Answer| {
            let token = &self.tokens[answer.token];
            let begun = token.issued_at <= answer.asked + ROUNDING;
            let good = token.genuine && begun && answer.answered + ROUNDING < token.expires_at;
            answer.status == 401 && good && !self.is_revoked(&token.kid, answer.answered)
        };
        self.answers.iter().filter(wrong).map(|answer| self.told(answer)).collect()
    }

    /// V2: the tokens that were accepted although they were forged, over, or of a key that was long revoked.
    #[must_use]
    pub fn wrongly_accepted(&self, allowance: &Allowance) -> Vec<String> {
        let wrong = |answer: &&Answer| answer.status == 200 && self.fault(answer, allowance).is_some();
        self.answers.iter().filter(wrong).map(|answer| self.told(answer)).collect()
    }

    /// How often services have decided about what they must refuse: without that V2 says nothing.
    #[must_use]
    pub fn presented(&self, allowance: &Allowance) -> Presented {
        let mut presented = Presented::default();
        for answer in self.answers.iter().filter(|answer| answer.is_decision()) {
            match self.fault(answer, allowance) {
                Some(Fault::Forged) => presented.forged += 1,
                Some(Fault::Over) => presented.over += 1,
                Some(Fault::Revoked) => presented.revoked += 1,
                None => {}
            }
        }
        presented
    }

    fn fault(&self, answer: &Answer, allowance: &Allowance) -> Option<Fault> {
        let token = &self.tokens[answer.token];
        let grace = allowance.partitioned.get(&answer.service).copied().unwrap_or(allowance.revocation);
        let since = answer.asked.checked_sub(grace);
        if !token.genuine {
            Some(Fault::Forged)
        } else if answer.asked > token.expires_at + allowance.skew + ROUNDING {
            Some(Fault::Over)
        } else {
            since.is_some_and(|since| self.is_revoked(&token.kid, since)).then_some(Fault::Revoked)
        }
    }

    /// How many tokens of the issuer this service has accepted.
    #[must_use]
    pub fn accepted(&self, service: usize) -> usize {
        let accepted = |answer: &&Answer| answer.service == service && answer.status == 200;
        self.answers.iter().filter(accepted).filter(|answer| self.tokens[answer.token].genuine).count()
    }

    /// Of these services those that have not accepted this key before it was revoked: how long they went on says nothing.
    #[must_use]
    pub fn never_accepted(&self, kid: &str, services: &[usize]) -> Vec<String> {
        let before = |answer: &Answer| !self.is_revoked(kid, answer.answered);
        let accepted: HashSet<_> =
            self.accepting(kid).filter(|answer| before(answer)).map(|answer| answer.service).collect();
        services
            .iter()
            .filter(|number| !accepted.contains(number))
            .map(|number| format!("service {number}"))
            .collect()
    }

    /// The services that have accepted this key at this time or later.
    #[must_use]
    pub fn accepting_until(&self, kid: &str, since: Moment) -> Vec<String> {
        let late = self.accepting(kid).filter(|answer| answer.asked >= since);
        late.map(|answer| answer.service)
            .collect::<BTreeSet<_>>()
            .iter()
            .map(|n| format!("service {n}"))
            .collect()
    }

    fn accepting(&self, kid: &str) -> impl Iterator<Item = &Answer> {
        self.answers
            .iter()
            .filter(move |answer| answer.status == 200 && *self.tokens[answer.token].kid == *kid)
    }

    /// How long after the revocation of this key each service has accepted it for the last time; zero if never.
    #[must_use]
    pub fn lingering(&self, kid: &str) -> HashMap<usize, Duration> {
        let mut lingering = HashMap::new();
        let Some(revoked) = self.revoked.get(kid) else { return lingering };
        for answer in self.answers.iter().filter(|answer| *self.tokens[answer.token].kid == *kid) {
            let last = lingering.entry(answer.service).or_default();
            if answer.status == 200 {
                *last = answer.answered.saturating_sub(*revoked).max(*last);
            }
        }
        lingering
    }

    /// The answers of services that were neither 200 nor 401.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.answers.iter().filter(|answer| !answer.is_decision()).count()
    }

    /// The last `iat` of a token of this key.
    #[must_use]
    pub fn last_signed(&self, kid: &str) -> Option<Moment> {
        let of_key = self.tokens.iter().filter(|token| token.genuine && *token.kid == *kid);
        of_key.map(|token| token.issued_at).max()
    }

    /// When tokens of another key than before began to be issued, by `iat`.
    #[must_use]
    pub fn switches(&self) -> Vec<Moment> {
        let mut seen: HashMap<&str, HashSet<&str>> = HashMap::new();
        let mut switches = Vec::new();
        for token in self.tokens.iter().filter(|token| token.genuine) {
            let kids = seen.entry(token.audience).or_default();
            if kids.insert(&token.kid) && kids.len() > 1 {
                switches.push(token.issued_at);
            }
        }
        switches
    }

    fn is_revoked(&self, kid: &str, at: Moment) -> bool {
        self.revoked.get(kid).is_some_and(|revoked| *revoked <= at)
    }

    fn told(&self, answer: &Answer) -> String {
        let token = &self.tokens[answer.token];
        let Answer { service, status, asked, .. } = *answer;
        let (age, rest) = (asked.saturating_sub(token.issued_at), token.expires_at.saturating_sub(asked));
        let revoked = self.revoked.get(&token.kid).map(|revoked| asked.saturating_sub(*revoked));
        let genuine = token.genuine;
        format!(
            "service {service} answered {status} to a token of {} (genuine: {genuine}), {age:?} old, {rest:?} before its \
             end, revoked since {revoked:?}",
            token.kid
        )
    }
}

/// The value below which this share of them lies, in percent; zero of none.
#[must_use]
pub fn percentile(values: impl IntoIterator<Item = Duration>, percent: usize) -> Duration {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable();
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
