use claviger_jose::{JwsError, NumericDate, Payload, Typ, UnverifiedJws};
use claviger_keyring::{KeyState, Keyring};
use claviger_oauth::{AudienceClaim, ClientId, Issuer, Sid, Subject};
use serde::Deserialize;

/// What an ID token of this issuer shows that comes back, at the log-out and before a log-in: which client asks, and for
/// whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    /// To whom the token was given.
    pub(crate) client_id: ClientId,
    /// Of whom it tells.
    pub(crate) subject: Subject,
    /// In which session.
    pub(crate) sid: Option<Sid>,
}

/// Why a hint shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HintFault {
    /// No key of ours has signed it.
    #[error("signed by no key of this issuer")]
    Key,
    /// Not a token, or not one of this kind.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Of another issuer, for nobody in particular, or from the future.
    #[error("not an ID token of this issuer for one client")]
    Claims,
    /// Of another client than the request says.
    #[error("given to another client than the one that asks")]
    OtherClient,
}

#[derive(Deserialize)]
struct HintClaims {
    iss: Box<str>,
    sub: Subject,
    aud: AudienceClaim,
    iat: NumericDate,
    #[serde(default)]
    sid: Option<Sid>,
}

impl Payload for HintClaims {
    const TYP: Typ = Typ::Jwt;
}

impl Hint {
    /// Verifies an ID token that comes back. That it has expired does not matter, nor that the key has left
    /// the published set meanwhile: it is no proof of who is there, it only shows that a client of this person asks. A key that
    /// is revoked shows nothing; somebody else may have it.
    ///
    /// `asked` is the client that the request names, if it names one.
    ///
    /// [OpenID Connect RP-Initiated Logout 1.0 section 2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)
    ///
    /// # Errors
    /// [`HintFault`].
    pub(crate) fn verify(
        token: &str,
        keys: &Keyring,
        issuer: &Issuer,
        asked: Option<&ClientId>,
        latest: NumericDate,
    ) -> Result<Self, HintFault> {
        let jws = UnverifiedJws::parse(token)?;
        let known = keys.keys().iter().find(|key| key.jwk.kid() == jws.kid());
        let key = known.filter(|key| !matches!(key.state, KeyState::Revoked { .. })).ok_or(HintFault::Key)?;
        let key = key.jwk.verifying_key().map_err(|_| HintFault::Key)?;
        let claims = key.verify::<HintClaims>(&jws)?.into_inner();
        if &*claims.iss != issuer.as_str() || claims.iat > latest {
            return Err(HintFault::Claims);
        }
        let client_id = match asked {
            Some(asked) if claims.aud.contains(asked.as_str()) => asked.clone(),
            Some(_) => return Err(HintFault::OtherClient),
            None => only(&claims.aud).ok_or(HintFault::Claims)?,
        };
        Ok(Self { client_id, subject: claims.sub, sid: claims.sid })
    }
}

fn only(aud: &AudienceClaim) -> Option<ClientId> {
    let mut names = aud.iter();
    let first = names.next()?;
    names.next().is_none().then(|| first.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use claviger_jose::Algorithm;
    use claviger_keyring::{ManagedKey, SigningKey, generate};
    use serde_json::{Value, json};

    use super::*;
    use crate::rng::SystemRng;

    const NOW: NumericDate = NumericDate::from_secs(1_000_000);

    struct House {
        key: Arc<SigningKey>,
        issuer: Issuer,
    }

    impl House {
        fn new() -> Self {
            let key = Arc::new(generate(Algorithm::Es256, &mut SystemRng).unwrap().1);
            Self { key, issuer: "https://id.test".parse().unwrap() }
        }

        fn sign(&self, typ: Typ, changes: &Value) -> String {
            let mut claims = json!({
                "iss": "https://id.test", "sub": "user:ada", "aud": "shop", "iat": 1000, "exp": 1300,
                "sid": "s1", "nonce": "n", "auth_time": 900,
            });
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            self.key.sign(typ, &claims).unwrap()
        }

        fn verify(&self, token: &str, state: KeyState, asked: Option<&str>) -> Result<Hint, HintFault> {
            let keys = Keyring::new(vec![ManagedKey { jwk: self.key.jwk().clone(), state }]);
            let asked = asked.map(|asked| asked.parse().unwrap());
            Hint::verify(token, &keys, &self.issuer, asked.as_ref(), NOW)
        }
    }

    const ACTIVE: KeyState = KeyState::Active { since: NumericDate::from_secs(0) };

    // S-97
    #[test]
    fn a_hint_that_has_expired_or_whose_key_has_left_the_set_still_shows_who_asks() {
        let house = House::new();
        let token = house.sign(Typ::Jwt, &json!({}));
        let shown = Hint {
            client_id: "shop".parse().unwrap(),
            subject: "user:ada".parse().unwrap(),
            sid: Some("s1".parse().unwrap()),
        };
        let (since, until) = (NumericDate::from_secs(2000), NumericDate::from_secs(3000));
        for state in [ACTIVE, KeyState::Retiring { since, until }, KeyState::Removed { at: until }] {
            assert_eq!(house.verify(&token, state, None), Ok(shown.clone()), "{state:?}");
        }
        assert_eq!(house.verify(&token, ACTIVE, Some("shop")), Ok(shown));
        let several = house.sign(Typ::Jwt, &json!({"aud": ["shop", "other"]}));
        assert_eq!(house.verify(&several, ACTIVE, Some("other")).unwrap().client_id.as_str(), "other");
    }

    // S-97
    #[test]
    fn what_this_issuer_has_not_signed_as_an_id_token_shows_nothing() {
        let house = House::new();
        let token = house.sign(Typ::Jwt, &json!({}));
        let check = |token: &str, state, asked, fault| {
            assert_eq!(house.verify(token, state, asked), Err(fault), "{token}");
        };
        check(&token, KeyState::Revoked { at: NOW }, None, HintFault::Key);
        check(&House::new().sign(Typ::Jwt, &json!({})), ACTIVE, None, HintFault::Key);
        check(&token, ACTIVE, Some("other"), HintFault::OtherClient);
        check(&house.sign(Typ::AtJwt, &json!({})), ACTIVE, None, HintFault::Jws(JwsError::Typ));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        let forged = format!("{signed}.{first}{}", &signature[1..]);
        check(&forged, ACTIVE, None, HintFault::Jws(JwsError::Signature));
        for claims in [
            json!({"iss": "https://evil.test"}),
            json!({"iat": 1_000_001}),
            json!({"aud": ["shop", "other"]}),
            json!({"aud": "-"}),
        ] {
            check(&house.sign(Typ::Jwt, &claims), ACTIVE, None, HintFault::Claims);
        }
        for claims in [json!({"sub": 7}), json!({"sid": "a b"}), json!({"aud": []})] {
            check(&house.sign(Typ::Jwt, &claims), ACTIVE, None, HintFault::Jws(JwsError::MalformedPayload));
        }
        check("", ACTIVE, None, HintFault::Jws(JwsError::MalformedCompact));
    }
}
