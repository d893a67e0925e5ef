//! Which tokens were verified and accepted a moment ago: a signature does not have to be checked on each of a
//! hundred requests.

use std::{fmt, time::Duration};

use claviger_jose::Clock;
use foldhash::quality::RandomState;
use moka::sync::Cache;

use crate::{BuildError, Principal, trusted::Trusted};

/// What an ordinary token takes in memory, in bytes, with what was read from it. One of 8 KiB counts as several.
const ORDINARY: usize = 2048;
const OVERHEAD: usize = 512;
const MAX_CAP: Duration = Duration::from_mins(1);

/// How many verified tokens are remembered, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheLimits {
    /// Without it, none.
    pub(crate) tokens: Option<usize>,
    pub(crate) cap: Duration,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { tokens: None, cap: MAX_CAP }
    }
}

impl CacheLimits {
    pub(crate) fn build(self) -> Result<Option<TokenCache>, BuildError> {
        if self.cap < Duration::from_secs(1) || self.cap > MAX_CAP {
            return Err(BuildError::CacheAge(self.cap));
        }
        let Some(tokens) = self.tokens else {
            return Ok(None);
        };
        let capacity = tokens.saturating_mul(ORDINARY);
        let tokens = Cache::builder()
            .max_capacity(capacity.try_into().unwrap_or(u64::MAX))
            .weigher(weight)
            // By moka's own clock, which decides nothing: it only lets go of what nobody asks for.
            .time_to_live(self.cap)
            // A token is long, and the hash is most of the time that a hit takes. Only good tokens are ever put in,
            // so nobody can make tokens that collide.
            .build_with_hasher(RandomState::default());
        Ok(Some(TokenCache { tokens, cap: self.cap }))
    }
}

/// Verified and accepted tokens, by their whole text, for one verifier, whose policy does not change.
pub(crate) struct TokenCache {
    tokens: Cache<Box<str>, Entry, RandomState>,
    cap: Duration,
}

#[derive(Clone)]
struct Entry {
    principal: Principal,
    by: JudgedBy,
    /// By the monotonic clock: setting the wall clock back must not keep it.
    until: Duration,
}

/// What a token was judged by. It would be judged the same way while this is so and its times hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JudgedBy {
    /// The position of the issuer whose keys and rules were asked.
    pub(crate) issuer: usize,
    /// The generation of its key set, as it was before the key was looked for: a change in between was not seen.
    pub(crate) generation: u64,
}

impl TokenCache {
    /// The principal of a token that would be verified and accepted now as it was before: the key set is usable
    /// and has not changed, and the token's times hold. Otherwise `None`, and the token is judged anew.
    pub(crate) fn find(&self, token: &str, issuers: &[Trusted], clock: &dyn Clock) -> Option<Principal> {
        let entry = self.tokens.get(token)?;
        let Trusted { keys, profile, .. } = &issuers[entry.by.issuer];
        let now = clock.now();
        let still_good = clock.monotonic() < entry.until
            && keys.generation() == entry.by.generation
            && keys.is_ready()
            && profile.check_times(entry.principal.times(), now).is_ok();
        if still_good {
            Some(entry.principal.accepted_again(now))
        } else {
            self.tokens.invalidate(token);
            None
        }
    }

    /// Remembers a token that was verified and accepted. Nothing else is ever remembered: what was refused may
    /// be good later, and would let anybody fill the cache.
    pub(crate) fn remember(&self, token: &str, principal: &Principal, by: JudgedBy, clock: &dyn Clock) {
        let until = clock.monotonic() + self.cap;
        self.tokens.insert(token.into(), Entry { principal: principal.clone(), by, until });
    }
}

/// In bytes, roughly. The claims are held twice, as they were sent and as they were read.
#[expect(clippy::borrowed_box, reason = "it is how moka holds its keys")]
fn weight(token: &Box<str>, entry: &Entry) -> u32 {
    let bytes = OVERHEAD + token.len() + 2 * entry.principal.payload_length();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("cap", &self.cap).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use claviger_jose::{NumericDate, UnverifiedJws};
    use claviger_testkit::{TestClock, TestKey};
    use serde_json::json;

    use super::*;
    use crate::{dialect::HOUSE, profile::Profile};

    const NOW: NumericDate = NumericDate::from_secs(1_700_000_000);

    /// A token with this padding, and its principal.
    fn accepted(jti: usize, padding: usize) -> (String, Principal) {
        let key = TestKey::es256();
        let token = key.access_token(&json!({
            "iss": "https://id.fleet.test", "aud": "https://orders.fleet.test", "sub": "client:a",
            "client_id": "a", "jti": jti.to_string(), "iat": NOW, "exp": NOW.as_secs() + 300,
            "padding": "a".repeat(padding),
        }));
        let jws = UnverifiedJws::parse(&token).unwrap();
        let payload = key.jwk().verifying_key().unwrap().verify_payload(&jws, &HOUSE.header_rules()).unwrap();
        let profile = Profile {
            issuer: "https://id.fleet.test".into(),
            audience: "https://orders.fleet.test".into(),
            leeway: Duration::ZERO,
            max_lifetime: Duration::from_mins(5),
            dialect: &HOUSE,
        };
        let principal = profile.accept(payload, NOW).unwrap();
        (token, principal)
    }

    // S-12 S-18
    #[test]
    fn what_is_remembered_is_bounded_by_its_bytes() {
        let clock = TestClock::at(NOW);
        for (padding, held) in [(0, 16..40), (3000, 1..6)] {
            let limits = CacheLimits { tokens: Some(16), cap: MAX_CAP };
            let cache = limits.build().unwrap().unwrap();
            for jti in 0..100 {
                let (token, principal) = accepted(jti, padding);
                cache.remember(&token, &principal, JudgedBy { issuer: 0, generation: 0 }, &clock);
                cache.tokens.run_pending_tasks();
                assert!(cache.tokens.weighted_size() <= 16 * 2048);
            }
            let count = usize::try_from(cache.tokens.entry_count()).unwrap();
            assert!(held.contains(&count), "{count} with a padding of {padding}");
        }
    }
}
