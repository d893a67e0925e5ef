//! An account of every token that was issued and every answer that was given, and what must be true of it.

use std::{collections::HashMap, sync::Arc, time::Duration};

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

    /// The same token with another signature.
    #[must_use]
    pub fn forged(&self) -> Self {
        let (signed, signature) = self.token.rsplit_once('.').unwrap_or((&self.token, ""));
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let token = format!("{signed}.{other}{}", signature.get(1..).unwrap_or_default());
        Self { token: token.into(), genuine: false, ..self.clone() }
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
        let wrong = |answer: &&Answer| {
            let token = &self.tokens[answer.token];
            let over = answer.asked > token.expires_at + allowance.skew + ROUNDING;
            let grace = allowance.partitioned.get(&answer.service).copied().unwrap_or(allowance.revocation);
            let since = answer.asked.checked_sub(grace);
            let revoked = since.is_some_and(|since| self.is_revoked(&token.kid, since));
            answer.status == 200 && (!token.genuine || over || revoked)
        };
        self.answers.iter().filter(wrong).map(|answer| self.told(answer)).collect()
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
        self.answers.iter().filter(|answer| ![200, 401].contains(&answer.status)).count()
    }

    /// The last `iat` of a token of this key.
    #[must_use]
    pub fn last_signed(&self, kid: &str) -> Option<Moment> {
        let of_key = self.tokens.iter().filter(|token| token.genuine && *token.kid == *kid);
        of_key.map(|token| token.issued_at).max()
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
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Moment {
        Duration::from_secs(secs)
    }

    /// One token from 100 to 200, asked for at this time; its key was revoked at 150, if so.
    fn account(genuine: bool, revoked: bool, asked: u64, status: u16) -> Account {
        let (issued_at, expires_at) = (secs(100), secs(200));
        let token =
            Held { token: "t".into(), kid: "k".into(), audience: "a", issued_at, expires_at, genuine };
        let answer = Answer { token: 0, service: 0, asked: secs(asked), answered: secs(asked), status };
        let revoked = revoked.then(|| ("k".into(), secs(150))).into_iter().collect();
        Account { tokens: vec![token], answers: vec![answer], revoked, ..Account::default() }
    }

    fn allowance() -> Allowance {
        Allowance { skew: secs(5), revocation: secs(20), partitioned: HashMap::from([(1, secs(40))]) }
    }

    #[test]
    fn a_good_token_that_is_rejected_is_a_violation_and_a_bad_one_is_none() {
        assert_eq!(account(true, false, 120, 401).rejected().len(), 1);
        for (genuine, revoked, asked, status) in [
            (true, false, 120, 200),
            (true, false, 120, 503),
            (true, false, 120, 0),
            (true, false, 199, 401),
            (true, false, 98, 401),
            (true, true, 150, 401),
            (false, false, 120, 401),
        ] {
            assert_eq!(account(genuine, revoked, asked, status).rejected(), Vec::<String>::new());
        }
        assert_eq!(account(true, true, 149, 401).rejected().len(), 1, "it was not revoked yet");
    }

    #[test]
    fn a_bad_token_that_is_accepted_is_a_violation_once_its_service_had_the_time_to_know() {
        let wrong = |account: Account| account.wrongly_accepted(&allowance()).len();
        assert_eq!(wrong(account(false, false, 120, 200)), 1, "forged");
        assert_eq!(wrong(account(true, false, 207, 200)), 1, "over");
        assert_eq!(wrong(account(true, false, 206, 200)), 0, "within the skew, and a second of rounding");
        assert_eq!(wrong(account(true, true, 170, 200)), 1, "revoked");
        assert_eq!(wrong(account(true, true, 169, 200)), 0, "it may not know yet");
        let mut partitioned = account(true, true, 180, 200);
        partitioned.answers[0].service = 1;
        assert_eq!(wrong(partitioned.clone()), 0);
        partitioned.answers[0].asked = secs(190);
        assert_eq!(wrong(partitioned), 1);
    }

    #[test]
    fn how_long_a_key_lingers_is_counted_from_its_revocation() {
        assert_eq!(account(true, true, 158, 200).lingering("k"), HashMap::from([(0, secs(8))]));
        assert_eq!(account(true, true, 158, 401).lingering("k"), HashMap::from([(0, secs(0))]));
        assert_eq!(account(true, false, 158, 200).lingering("k"), HashMap::new());
        assert_eq!(account(true, true, 158, 200).last_signed("k"), Some(secs(100)));
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values = || (1..=50).map(secs);
        assert_eq!((percentile(values(), 50), percentile(values(), 99)), (secs(25), secs(50)));
        assert_eq!(percentile([], 99), Duration::ZERO);
    }
}
