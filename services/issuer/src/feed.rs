//! The revocation feed: what is revoked, as one signed statement in memory.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::body::Bytes;
use claviger_jose::{Algorithm, Kid, MAX_STATEMENT, Mark, NumericDate, Revocations, Typ, base64url};
use claviger_keyring::{SignError, SigningKey};
use claviger_oauth::Issuer;
use claviger_store::{RevocationSnapshot, Revoked};
use http::HeaderValue;

use crate::keys::KeyView;

/// A signed statement, ready to be sent.
#[derive(Debug, Clone)]
pub struct SignedStatement {
    /// The compact JWS.
    pub body: Bytes,
    /// A strong validator: the hash of the JWS.
    pub etag: HeaderValue,
    /// Its `seq`.
    pub sequence: u64,
    /// When it was signed.
    pub signed: NumericDate,
    /// From then on it is no news.
    pub expires: NumericDate,
    /// The entity tag of the key set that it names.
    keys: String,
    signer: Kid,
}

/// There is no statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Nobody would read it.
    #[error("the statement has {0} bytes, and verifiers read no more than {MAX_STATEMENT}")]
    TooLarge(usize),
    /// No signature.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl SignedStatement {
    /// Signs a statement. Not on an async worker: with RS256, or of very many revocations, it takes milliseconds.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn sign(key: &SigningKey, statement: &Revocations) -> Result<Self, StatementError> {
        Self::of(key.sign(Typ::Revocations, statement)?, statement, *key.kid())
    }

    /// A statement that was signed as `jws` by the key `signer`.
    ///
    /// # Errors
    /// [`StatementError::TooLarge`].
    ///
    /// # Panics
    /// Never: base64url in quotes is a header value.
    pub fn of(jws: String, statement: &Revocations, signer: Kid) -> Result<Self, StatementError> {
        if jws.len() > MAX_STATEMENT {
            return Err(StatementError::TooLarge(jws.len()));
        }
        let hash = digest::digest(&digest::SHA256, jws.as_bytes());
        let etag = format!("\"{}\"", base64url::encode(&hash.as_ref()[..18]));
        Ok(Self {
            body: Bytes::from(jws),
            etag: HeaderValue::from_str(&etag).expect("base64url in quotes is a header value"),
            sequence: statement.seq,
            signed: statement.iat,
            expires: statement.exp,
            keys: statement.jwks.clone(),
            signer,
        })
    }

    /// Whether it says what is so, by a key that still signs, and the better half of its life is left.
    #[must_use]
    pub fn is_current(&self, sequence: u64, keys: &KeyView, now: NumericDate) -> bool {
        self.sequence == sequence
            && self.keys == keys.published.tag()
            && keys.signers().iter().any(|key| key.kid() == &self.signer)
            && (self.signed..self.signed + Revocations::MAX_LIFETIME / 2).contains(&now)
    }
}

/// What the issuer states at this moment. What concerns no token any more is left out.
#[must_use]
pub fn statement(
    issuer: &Issuer,
    snapshot: &RevocationSnapshot,
    keys: &KeyView,
    now: NumericDate,
) -> Revocations {
    let mut statement = Revocations {
        jwks: keys.published.tag().to_owned(),
        kid: snapshot.kids.clone(),
        ..Revocations::of_nothing(issuer.as_str(), snapshot.sequence, now)
    };
    for entry in snapshot.revocations.iter().filter(|entry| entry.until > now) {
        let before = entry.not_before;
        match entry.revoked {
            Revoked::Token { jti, .. } => statement.jti.push(jti),
            Revoked::Session(mark) => statement.sid.push((mark, before)),
            Revoked::Subject(mark) => statement.sub.push((mark, before)),
            Revoked::Client(mark) => statement.client.push((mark, before)),
            Revoked::All => statement.all = statement.all.max(Some(before)),
        }
    }
    statement
}

/// The key that signs the feed: an active one, never one that is revoked. Every verifier of this house takes ES256, and it
/// is the cheaper one.
#[must_use]
pub fn signer<'k>(keys: &'k KeyView, revoked: &[Kid]) -> Option<&'k Arc<SigningKey>> {
    let active = [Algorithm::Es256, Algorithm::Rs256].into_iter().filter_map(|alg| keys.signer(alg));
    active.into_iter().find(|key| !revoked.contains(key.kid()))
}

/// A token, as far as it can be revoked.
#[derive(Debug, Clone, Copy)]
pub struct Revocable {
    /// Its name.
    pub jti: Option<Mark>,
    /// The session of a person in which it was issued.
    pub sid: Option<Mark>,
    /// Whom it speaks for.
    pub sub: Mark,
    /// Who got it.
    pub client: Mark,
    /// When it was issued.
    pub issued: NumericDate,
}

/// Whether a token is revoked; of several times that apply, the latest counts. For the issuer's own API, which need not
/// wait for its own feed.
#[must_use]
pub fn denies(snapshot: &RevocationSnapshot, token: &Revocable) -> bool {
    snapshot.revocations.iter().any(|entry| match entry.revoked {
        Revoked::Token { jti, .. } => token.jti == Some(jti),
        Revoked::Session(sid) => token.sid == Some(sid) && token.issued < entry.not_before,
        Revoked::Subject(sub) => sub == token.sub && token.issued < entry.not_before,
        Revoked::Client(client) => client == token.client && token.issued < entry.not_before,
        Revoked::All => token.issued < entry.not_before,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use claviger_jose::{Marked, UnverifiedJws};
    use claviger_keyring::{Keyring, generate};
    use claviger_store::{MAX_REVOCATIONS, Revocation};

    use super::*;
    use crate::{keys::Opened, rng::SystemRng};

    fn at(secs: u64) -> NumericDate {
        NumericDate::from_secs(secs)
    }

    fn issuer() -> Issuer {
        "https://id.fleet.test".parse().unwrap()
    }

    fn view(algs: &[Algorithm]) -> KeyView {
        let signer = |alg: &Algorithm| Arc::new(generate(*alg, &mut SystemRng).unwrap().1);
        let signers = algs.iter().map(signer).collect();
        let opened = Opened {
            revision: 1,
            keyring: Keyring::default(),
            signers,
            unvouched: Vec::new(),
            unreadable: Vec::new(),
            verify_only: None,
        };
        KeyView::new(opened, Duration::from_mins(5), Duration::ZERO, Duration::from_mins(1))
    }

    fn jtis(count: u32) -> RevocationSnapshot {
        let entry = |number: u32| Revocation {
            revoked: Revoked::Token { jti: Mark::of(Marked::Jti, &number.to_string()), sub: None },
            not_before: at(1000),
            until: at(2000),
        };
        RevocationSnapshot { sequence: 9, kids: Vec::new(), revocations: (0..count).map(entry).collect() }
    }

    // S-43
    #[test]
    fn a_statement_says_all_that_is_in_force_and_nothing_that_has_passed() {
        let mark = |kind, name: &str| Mark::of(kind, name);
        let (sid, sub, client) =
            (mark(Marked::Sid, "s"), mark(Marked::Sub, "client:web"), mark(Marked::Client, "web"));
        let entry = |revoked, until| Revocation { revoked, not_before: at(900), until: at(until) };
        let snapshot = RevocationSnapshot {
            sequence: 17,
            kids: vec!["0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap()],
            revocations: vec![
                entry(Revoked::Token { jti: mark(Marked::Jti, "1"), sub: None }, 1001),
                entry(Revoked::Token { jti: mark(Marked::Jti, "2"), sub: None }, 1000),
                entry(Revoked::Session(sid), 1500),
                entry(Revoked::Subject(sub), 1500),
                entry(Revoked::Client(client), 1500),
                entry(Revoked::All, 1500),
            ],
        };
        let keys = view(&[]);
        let told = statement(&issuer(), &snapshot, &keys, at(1000));
        assert_eq!((told.seq, told.iat, told.exp), (17, at(1000), at(1600)));
        assert_eq!(told.jwks, keys.published.tag());
        assert_eq!((told.kid.len(), told.jti), (1, vec![mark(Marked::Jti, "1")]));
        assert_eq!((told.sid, told.sub), (vec![(sid, at(900))], vec![(sub, at(900))]));
        assert_eq!((told.client, told.all), (vec![(client, at(900))], Some(at(900))));
    }

    // S-43
    #[test]
    fn a_statement_is_signed_by_an_active_key_that_is_not_revoked() {
        let keys = view(&[Algorithm::Rs256, Algorithm::Es256]);
        let es256 = signer(&keys, &[]).unwrap();
        assert_eq!(es256.alg(), Algorithm::Es256);
        assert_eq!(signer(&keys, &[*es256.kid()]).unwrap().alg(), Algorithm::Rs256);
        assert!(signer(&view(&[]), &[]).is_none());

        let said = statement(&issuer(), &jtis(1), &keys, at(1000));
        let signed = SignedStatement::sign(es256, &said).unwrap();
        let jws = UnverifiedJws::parse(str::from_utf8(&signed.body).unwrap()).unwrap();
        let verified = es256.jwk().verifying_key().unwrap().verify::<Revocations>(&jws).unwrap();
        assert_eq!(verified.into_inner(), said);
    }

    #[test]
    fn a_statement_is_signed_anew_when_something_changed_or_half_its_life_is_over() {
        let keys = view(&[Algorithm::Es256]);
        let said = statement(&issuer(), &jtis(1), &keys, at(1000));
        let signed = SignedStatement::sign(signer(&keys, &[]).unwrap(), &said).unwrap();
        assert!(signed.is_current(9, &keys, at(1000)));
        assert!(signed.is_current(9, &keys, at(1299)));
        assert!(!signed.is_current(9, &keys, at(1300)), "half its life is over");
        assert!(!signed.is_current(9, &keys, at(999)), "the clock was set back");
        assert!(!signed.is_current(10, &keys, at(1000)), "there is a new revocation");
        assert!(!signed.is_current(9, &view(&[Algorithm::Es256]), at(1000)), "another key signs");
    }

    // S-85
    #[test]
    fn as_much_as_the_database_holds_fits_into_a_statement() {
        let keys = view(&[Algorithm::Es256]);
        let sign = |snapshot: &RevocationSnapshot| {
            let told = statement(&issuer(), snapshot, &keys, at(1_700_000_000));
            SignedStatement::sign(signer(&keys, &[]).unwrap(), &told)
        };
        let until = at(1_900_000_000);
        let token =
            |number: u64| Revoked::Token { jti: Mark::of(Marked::Jti, &number.to_string()), sub: None };
        let subject = |number: u64| Revoked::Subject(Mark::of(Marked::Sub, &number.to_string()));
        let of = |count: u64, revoked: &dyn Fn(u64) -> Revoked| RevocationSnapshot {
            sequence: u64::MAX,
            kids: vec!["0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap(); 1000],
            revocations: (0..count)
                .map(|number| Revocation { revoked: revoked(number), not_before: until, until })
                .collect(),
        };
        for snapshot in [of(100_000, &token), of(MAX_REVOCATIONS, &subject)] {
            let signed = sign(&snapshot).unwrap();
            assert!(signed.body.len() <= MAX_STATEMENT, "{}", signed.body.len());
        }
        assert!(matches!(sign(&of(200_000, &token)), Err(StatementError::TooLarge(_))));
    }

    // S-44
    #[test]
    fn of_several_times_that_apply_the_latest_counts() {
        let token = Revocable {
            jti: Some(Mark::of(Marked::Jti, "1")),
            sid: Some(Mark::of(Marked::Sid, "s1")),
            sub: Mark::of(Marked::Sub, "client:web"),
            client: Mark::of(Marked::Client, "web"),
            issued: at(1000),
        };
        let denied = |revocations: &[(Revoked, u64)]| {
            let entry = |(revoked, before): &(Revoked, u64)| Revocation {
                revoked: *revoked,
                not_before: at(*before),
                until: at(9999),
            };
            let revocations = revocations.iter().map(entry).collect();
            denies(&RevocationSnapshot { revocations, ..RevocationSnapshot::default() }, &token)
        };
        let (all, client) = (Revoked::All, Revoked::Client(token.client));
        assert!(!denied(&[]));
        assert!(!denied(&[(all, 1000), (client, 900)]), "issued at that time or later");
        assert!(denied(&[(all, 1001), (client, 900)]) && denied(&[(client, 900), (all, 1001)]));
        assert!(denied(&[(all, 900), (client, 1001)]));
        assert!(denied(&[(Revoked::Token { jti: Mark::of(Marked::Jti, "1"), sub: None }, 1)]));
        assert!(!denied(&[(Revoked::Client(token.sub), 2000), (Revoked::Subject(token.client), 2000)]));
        let session = |sid: &str| Revoked::Session(Mark::of(Marked::Sid, sid));
        assert!(denied(&[(session("s1"), 1001)]));
        assert!(!denied(&[
            (session("s1"), 1000),
            (session("s2"), 2000),
            (Revoked::Session(token.sub), 2000)
        ]));
    }
}
