use std::time::Duration;

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use claviger_jose::{NumericDate, base64url};
use claviger_oauth::{Allowed, AuthorizationRequest, Issuer, Sid};
use serde::{Deserialize, Serialize};

use crate::rng::random_nonce;

/// How long a page may be left open.
const LIFETIME: Duration = Duration::from_mins(15);
/// For how long after that it is still known what the page was for, and the person can start again where he was.
const MEMORY: Duration = Duration::from_hours(24);
/// What is sealed is of no use anywhere else.
const PURPOSE: &str = "claviger interaction 1\0";

/// What somebody is signing in for, while pages go back and forth. Nothing of it is stored: it travels in the pages,
/// sealed, so that a restart, another replica or a database that is away for a moment loses nobody's way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Interaction {
    /// Where it leads.
    pub(super) goal: Goal,
    /// The session in which somebody has signed in for this very request: whatever it demands of the log-in is met.
    pub(super) signed_in: Option<Sid>,
    /// What the consent page that it travels in has shown: a yes is to no more than that.
    #[serde(default)]
    pub(super) shown: Option<Allowed>,
    expires_at: NumericDate,
}

/// Where an interaction leads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    /// Back to a client, with a code.
    Client(Box<AuthorizationRequest>),
    /// To one's own sessions.
    Sessions,
}

/// What a page has brought back.
#[derive(Debug)]
pub(super) enum Opened {
    /// It may go on.
    Fresh(Interaction),
    /// The page was open for too long: what it was for is known, what was entered into it does not count.
    Stale(Interaction),
}

/// Not sealed by this issuer, or too long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an interaction of this issuer")]
pub(super) struct NotOurs;

impl Interaction {
    pub(super) fn new(goal: Goal, now: NumericDate) -> Self {
        Self { goal, signed_in: None, shown: None, expires_at: now + LIFETIME }
    }

    /// The same, from now on.
    pub(super) fn renewed(self, now: NumericDate) -> Self {
        Self { expires_at: now + LIFETIME, ..self }
    }

    /// The same, in a page that asks for this.
    pub(super) fn showing(self, allowed: Allowed) -> Self {
        Self { shown: Some(allowed), ..self }
    }

    /// The same, in no such page.
    pub(super) fn showing_nothing(self) -> Self {
        Self { shown: None, ..self }
    }

    /// The same, after somebody has signed in for it.
    pub(super) fn after_log_in(self, sid: Sid) -> Self {
        Self { signed_in: Some(sid), ..self }
    }

    /// Seals it for a page: AES-256-GCM, in base64url.
    pub(super) fn seal(&self, key: &LessSafeKey, issuer: &Issuer) -> String {
        let mut buffer = serde_json::to_vec(self).expect("a structure of texts and numbers is JSON");
        let nonce: [u8; NONCE_LEN] = random_nonce();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), context(issuer), &mut buffer)
            .expect("a few kilobytes are within the bound of AES-GCM");
        base64url::encode(&[&nonce[..], &buffer].concat())
    }

    /// Opens what a page has brought back.
    ///
    /// # Errors
    /// [`NotOurs`], for one and all causes.
    pub(super) fn open(
        sealed: &str,
        key: &LessSafeKey,
        issuer: &Issuer,
        now: NumericDate,
    ) -> Result<Opened, NotOurs> {
        let mut bytes = base64url::decode(sealed).map_err(|_| NotOurs)?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(NotOurs)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotOurs)?;
        let plain = key.open_in_place(nonce, context(issuer), sealed).map_err(|_| NotOurs)?;
        let interaction: Self = serde_json::from_slice(plain).map_err(|_| NotOurs)?;
        if now < interaction.expires_at {
            Ok(Opened::Fresh(interaction))
        } else if now < interaction.expires_at + MEMORY {
            Ok(Opened::Stale(Self { signed_in: None, ..interaction }.showing_nothing().renewed(now)))
        } else {
            Err(NotOurs)
        }
    }
}

/// Two issuers never share a key, and if they did, a page of one would still be none of the other's.
fn context(issuer: &Issuer) -> Aad<Vec<u8>> {
    Aad::from([PURPOSE.as_bytes(), issuer.as_str().as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::{AES_256_GCM, UnboundKey};

    use super::*;

    const NOW: NumericDate = NumericDate::from_secs(1_000_000);

    fn key(byte: u8) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[byte; 32]).unwrap())
    }

    fn issuer(text: &str) -> Issuer {
        text.parse().unwrap()
    }

    fn opened(sealed: &str, after: Duration) -> &'static str {
        match Interaction::open(sealed, &key(1), &issuer("https://id.test"), NOW + after) {
            Ok(Opened::Fresh(interaction)) if interaction.signed_in.is_some() => "fresh and signed in",
            Ok(Opened::Fresh(_)) => "fresh",
            Ok(Opened::Stale(interaction)) if interaction.signed_in.is_some() => "stale and signed in",
            Ok(Opened::Stale(_)) => "stale",
            Err(NotOurs) => "not ours",
        }
    }

    #[test]
    fn a_page_is_good_for_a_quarter_of_an_hour_and_remembered_for_a_day() {
        let interaction = Interaction::new(Goal::Sessions, NOW).after_log_in("s1".parse().unwrap());
        let sealed = interaction.seal(&key(1), &issuer("https://id.test"));
        assert_eq!(opened(&sealed, Duration::ZERO), "fresh and signed in");
        assert_eq!(
            opened(&sealed, LIFETIME.checked_sub(Duration::from_secs(1)).unwrap()),
            "fresh and signed in"
        );
        assert_eq!(opened(&sealed, LIFETIME), "stale", "and whoever signed in for it does so again");
        assert_eq!(
            opened(&sealed, (LIFETIME + MEMORY).checked_sub(Duration::from_secs(1)).unwrap()),
            "stale"
        );
        assert_eq!(opened(&sealed, LIFETIME + MEMORY), "not ours");
    }

    // S-61
    #[test]
    fn nobody_else_makes_or_changes_one() {
        let sealed = Interaction::new(Goal::Sessions, NOW).seal(&key(1), &issuer("https://id.test"));
        assert_eq!(opened(&sealed, Duration::ZERO), "fresh");
        let bytes = base64url::decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert_eq!(opened(&base64url::encode(&bytes), Duration::ZERO), "not ours", "{at}");
        }
        for forged in ["", "x", "AAAA", &sealed[1..], &format!("{sealed}="), &"A".repeat(100_000)] {
            assert_eq!(opened(forged, Duration::ZERO), "not ours");
        }
        let other_key = Interaction::new(Goal::Sessions, NOW).seal(&key(2), &issuer("https://id.test"));
        assert_eq!(opened(&other_key, Duration::ZERO), "not ours");
        let other_issuer = Interaction::new(Goal::Sessions, NOW).seal(&key(1), &issuer("https://id.test/b"));
        assert_eq!(opened(&other_issuer, Duration::ZERO), "not ours");
    }

    #[test]
    fn two_of_the_same_do_not_look_alike() {
        let interaction = Interaction::new(Goal::Sessions, NOW);
        let seal = || interaction.seal(&key(1), &issuer("https://id.test"));
        assert_ne!(seal(), seal());
    }
}
