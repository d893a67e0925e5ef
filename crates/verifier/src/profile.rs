//! Which verified tokens a service accepts (RFC 9068 section 4): a pure decision over claims,
//! configuration and time.

use std::{sync::Arc, time::Duration};

use claviger_jose::{NumericDate, VerifiedPayload};
use claviger_oauth::AccessTokenClaims;

use crate::{Principal, TokenFault, dialect::Dialect};

/// Whom a service trusts, who it is there, and how it reads times.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Compared byte for byte: no normalisation makes one issuer pass for another.
    pub(crate) issuer: Arc<str>,
    pub(crate) audience: Arc<str>,
    /// How far clocks may be apart.
    pub(crate) leeway: Duration,
    /// The longest lifetime: a stolen key cannot mint a token that outlives its discovery by years.
    pub(crate) max_lifetime: Duration,
    pub(crate) dialect: &'static Dialect,
}

/// The times of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) iat: NumericDate,
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) exp: NumericDate,
}

impl Profile {
    /// A token that is bound to a key of its holder is accepted here as it is; whoever has seen the request
    /// decides whether the possession was proven.
    pub(crate) fn accept(&self, payload: VerifiedPayload, now: NumericDate) -> Result<Principal, TokenFault> {
        let claims = self.dialect.read(&payload)?;
        self.check(&claims, now)?;
        Ok(Principal::new(self, claims.into(), payload, now))
    }

    pub(crate) fn check(&self, claims: &AccessTokenClaims<'_>, now: NumericDate) -> Result<(), TokenFault> {
        if *claims.iss != *self.issuer {
            return Err(TokenFault::Issuer);
        }
        if !claims.aud.contains(&self.audience) {
            return Err(TokenFault::Audience);
        }
        if claims.exp <= claims.iat || claims.exp.since(claims.iat) > self.max_lifetime {
            return Err(TokenFault::Lifetime);
        }
        self.check_times(Times { iat: claims.iat, nbf: claims.nbf, exp: claims.exp }, now)
    }

    /// What changes while a token lives, and nothing else.
    pub(crate) fn check_times(
        &self,
        Times { iat, nbf, exp }: Times,
        now: NumericDate,
    ) -> Result<(), TokenFault> {
        let latest = now + self.leeway;
        if iat > latest {
            return Err(TokenFault::IssuedInFuture);
        }
        if nbf.is_some_and(|nbf| nbf > latest) {
            return Err(TokenFault::NotYetValid);
        }
        if now >= exp + self.leeway {
            return Err(TokenFault::Expired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use claviger_jose::UnverifiedJws;
    use claviger_testkit::TestKey;
    use serde_json::{Value, json};

    use super::*;
    use crate::dialect::HOUSE;

    const IAT: u64 = 1_700_000_000;
    const EXP: u64 = IAT + 300;
    const LEEWAY: u64 = 30;

    fn profile() -> Profile {
        Profile {
            issuer: "https://id.fleet.test".into(),
            audience: "https://orders.fleet.test".into(),
            leeway: Duration::from_secs(LEEWAY),
            max_lifetime: Duration::from_hours(1),
            dialect: &HOUSE,
        }
    }

    /// Judges good claims with these changes at a time; every token is truly signed.
    fn check_at(now: u64, changes: &Value, expected: Result<(), TokenFault>) {
        let mut claims = json!({
            "iss": "https://id.fleet.test", "sub": "client:a", "client_id": "a", "jti": "1",
            "aud": "https://orders.fleet.test", "iat": IAT, "exp": EXP,
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let key = TestKey::es256();
        let token = key.access_token(&claims);
        let jws = UnverifiedJws::parse(&token).unwrap();
        let payload = key.jwk().verifying_key().unwrap().verify_payload(&jws, &HOUSE.header_rules()).unwrap();
        let verdict = profile().accept(payload, NumericDate::from_secs(now));
        let verdict = verdict.and_then(|principal| principal.refuse_bound());
        assert_eq!(verdict, expected, "{changes} at {now}");
    }

    fn check(changes: &Value, expected: Result<(), TokenFault>) {
        check_at(IAT, changes, expected);
    }

    // S-8
    #[test]
    fn a_token_lives_until_its_end_and_the_leeway() {
        let good = json!({});
        check_at(EXP - 1, &good, Ok(()));
        check_at(EXP, &good, Ok(()));
        check_at(EXP + LEEWAY - 1, &good, Ok(()));
        check_at(EXP + LEEWAY, &good, Err(TokenFault::Expired));
        check_at(EXP + LEEWAY + 1, &good, Err(TokenFault::Expired));
        check_at(u64::MAX, &good, Err(TokenFault::Expired));
    }

    // S-8
    #[test]
    fn a_token_from_the_future_is_refused_beyond_the_leeway() {
        check_at(IAT - LEEWAY, &json!({}), Ok(()));
        check_at(IAT - LEEWAY - 1, &json!({}), Err(TokenFault::IssuedInFuture));
        check_at(0, &json!({}), Err(TokenFault::IssuedInFuture));
        check(&json!({ "nbf": IAT + LEEWAY }), Ok(()));
        check(&json!({ "nbf": IAT + LEEWAY + 1 }), Err(TokenFault::NotYetValid));
        check(&json!({ "nbf": 0 }), Ok(()));
    }

    // S-8
    #[test]
    fn a_token_may_not_live_for_ever() {
        check(&json!({ "exp": IAT + 1 }), Ok(()));
        check(&json!({ "exp": IAT + 3600 }), Ok(()));
        for exp in [IAT + 3601, IAT + 315_360_000, 253_402_300_799, IAT, IAT - 1, 0] {
            check(&json!({ "exp": exp }), Err(TokenFault::Lifetime));
        }
        check(&json!({ "iat": 0 }), Err(TokenFault::Lifetime));
    }

    // S-5
    #[test]
    fn an_issuer_is_compared_byte_for_byte() {
        for other in [
            "https://id.fleet.test/",
            "https://ID.fleet.test",
            "HTTPS://id.fleet.test",
            "https://id.fleet.test:443",
            "https://id.fleet.tes",
            "https://id.fleet.test.evil.test",
            "http://id.fleet.test",
            "id.fleet.test",
            "*",
            " ",
        ] {
            check(&json!({ "iss": other }), Err(TokenFault::Issuer));
        }
    }

    // S-6
    #[test]
    fn an_audience_contains_this_very_service() {
        check(&json!({ "aud": ["https://orders.fleet.test"] }), Ok(()));
        check(&json!({ "aud": ["urn:a", "https://orders.fleet.test"] }), Ok(()));
        for other in [
            json!("https://ledger.fleet.test"),
            json!(["https://ledger.fleet.test", "urn:a"]),
            json!("https://orders.fleet.test/"),
            json!("https://orders.fleet.tes"),
            json!("HTTPS://orders.fleet.test"),
            json!("https://orders.fleet.test https://ledger.fleet.test"),
            json!("*"),
        ] {
            check(&json!({ "aud": other }), Err(TokenFault::Audience));
        }
    }

    // S-16
    #[test]
    fn a_bound_token_is_refused_whatever_binds_it() {
        for cnf in [
            json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }),
            json!({ "x5t#S256": "a" }),
            json!({ "unknown": true }),
            json!({}),
        ] {
            check(&json!({ "cnf": cnf }), Err(TokenFault::SenderConstrained));
        }
    }
}
