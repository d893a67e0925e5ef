use std::time::Duration;

use claviger_jose::{Algorithm, Kid, MAX_STATEMENT, Mark, Marked, NumericDate, Revocations, Typ};
use serde_json::json;

use crate::{TestIssuer, TestKey, server::tag_of, shared::State};

/// For how long a statement is news.
const LIFETIME: Duration = Revocations::MAX_LIFETIME;
/// A statement is signed again when it is this old.
const RENEWAL: Duration = Duration::from_mins(5);

/// Times are whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// What is revoked, and how it is told.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) fault: Option<FeedFault>,
    pub(crate) cache_control: String,
    /// The statement without its times.
    content: Revocations,
    /// The statement as it was signed last, and by whom.
    signed: Option<(Revocations, Kid, String)>,
}

/// How a revocation feed can lie. For what any endpoint can do wrong, see
/// [`fault_at`](crate::TestIssuer::fault_at) with [`Endpoint::Revocations`](crate::Endpoint::Revocations).
///
/// Where nothing else is said the statement is truly signed, and revokes nothing: whoever takes it for the last word
/// forgets all revocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeedFault {
    /// A text that is no JWS.
    Garbage,
    /// The statement before the last one.
    Rollback,
    /// The right statement, but signed by a key that the issuer never had.
    WrongSigner,
    /// The next statement, under the name of the right key, with the signature of another.
    Forged,
    /// The next statement, signed by a key that is revoked. Without one that is revoked, by a key that the issuer never
    /// had.
    RevokedSigner,
    /// The next statement, of which nobody would know that it was a lie: it no longer names what was revoked.
    Forgetful,
    /// The right statement, expired.
    Frozen,
    /// The next statement, from an hour ahead.
    FromFuture,
    /// The next statement, good for a day.
    LongLived,
    /// The next statement, of another issuer.
    OtherIssuer,
    /// The next statement, as an access token.
    OtherKind,
    /// The next statement, in more than 4 MiB.
    TooLarge,
}

impl FeedFault {
    /// One of each, in the order of the enum.
    pub const ALL: [Self; 12] = [
        Self::Garbage,
        Self::Rollback,
        Self::WrongSigner,
        Self::Forged,
        Self::RevokedSigner,
        Self::Forgetful,
        Self::Frozen,
        Self::FromFuture,
        Self::LongLived,
        Self::OtherIssuer,
        Self::OtherKind,
        Self::TooLarge,
    ];
}

impl Default for Feed {
    fn default() -> Self {
        let content = Revocations::of_nothing("", 1, NumericDate::from_secs(0));
        Self { fault: None, cache_control: "public, max-age=15".to_owned(), content, signed: None }
    }
}

impl State {
    /// The statement as it is served now; `None` if no key signs.
    pub(crate) fn statement(&mut self, issuer: &str, now: NumericDate) -> Option<String> {
        let signer = self.keys.active(Algorithm::Es256).or_else(|| self.keys.active(Algorithm::Rs256))?;
        let jwks = tag_of(&self.jwks());
        let right = Revocations {
            iss: issuer.to_owned(),
            iat: now,
            exp: now + LIFETIME,
            jwks,
            ..self.feed.content.clone()
        };
        if let Some(fault) = self.feed.fault {
            return Some(self.lie(fault, right, signer));
        }
        if let Some((statement, kid, text)) = &self.feed.signed {
            let same = Revocations { iat: statement.iat, exp: statement.exp, ..right.clone() };
            if *statement == same && kid == signer.kid() && now < statement.iat + RENEWAL {
                return Some(text.clone());
            }
        }
        let text = sign(&right, signer, Typ::Revocations);
        self.feed.signed = Some((right, *signer.kid(), text.clone()));
        Some(text)
    }

    fn lie(&self, fault: FeedFault, right: Revocations, signer: &'static TestKey) -> String {
        let (now, seq) = (right.iat, right.seq);
        let next = Revocations {
            iss: right.iss.clone(),
            seq: seq + 1,
            iat: now,
            exp: right.exp,
            jwks: right.jwks.clone(),
            ..Feed::default().content
        };
        let stranger = || self.keys.strange(signer.alg());
        let ours = |statement: &Revocations| sign(statement, signer, Typ::Revocations);
        match fault {
            FeedFault::Garbage => "no statement".to_owned(),
            FeedFault::Rollback => ours(&Revocations { seq: seq.saturating_sub(1), ..next }),
            FeedFault::WrongSigner => sign(&right, stranger(), Typ::Revocations),
            FeedFault::Forged => {
                let payload = json!(next).to_string();
                stranger().jws(header(signer, Typ::Revocations), &payload)
            }
            FeedFault::RevokedSigner => {
                let revoked = right.kid.iter().find_map(|kid| self.keys.known(kid));
                sign(&next, revoked.unwrap_or_else(stranger), Typ::Revocations)
            }
            FeedFault::Forgetful => ours(&next),
            FeedFault::Frozen => {
                let iat = now.minus(2 * LIFETIME);
                ours(&Revocations { iat, exp: iat + LIFETIME, ..right })
            }
            FeedFault::FromFuture => {
                let iat = now + Duration::from_hours(1);
                ours(&Revocations { iat, exp: iat + LIFETIME, ..next })
            }
            FeedFault::LongLived => ours(&Revocations { exp: now + Duration::from_hours(24), ..next }),
            FeedFault::OtherIssuer => {
                ours(&Revocations { iss: "https://another-issuer.test".to_owned(), ..next })
            }
            FeedFault::OtherKind => sign(&next, signer, Typ::AtJwt),
            FeedFault::TooLarge => {
                let blanks = " ".repeat(MAX_STATEMENT / 4 * 3);
                signer.jws(header(signer, Typ::Revocations), &format!("{}{blanks}", json!(next)))
            }
        }
    }
}

fn header(key: &TestKey, typ: Typ) -> serde_json::Value {
    json!({ "alg": key.alg(), "kid": key.kid(), "typ": typ.as_str() })
}

fn sign(statement: &Revocations, key: &TestKey, typ: Typ) -> String {
    key.jws(header(key, typ), &json!(statement).to_string())
}

/// What it has revoked. Each call is the next statement of the feed.
impl TestIssuer {
    /// Revokes a key: it leaves the set at once, if it is there, and is named in the feed.
    pub fn revoke_kid(&self, kid: &Kid) {
        let now = self.shared().clock.now();
        let _ = self.try_change(|keys| keys.revoke(kid, now));
        self.revoke_anew(|content, _| content.kid.push(*kid));
    }

    /// Revokes one token, by its `jti`.
    pub fn revoke_jti(&self, jti: &str) {
        self.revoke_anew(|content, _| content.jti.push(Mark::of(Marked::Jti, jti)));
    }

    /// Revokes the tokens of a session that were issued until now, this second included, by its `sid`. The feed tells the
    /// next second, as the issuer does: what was issued before is dead.
    pub fn revoke_sid(&self, sid: &str) {
        self.revoke_anew(|content, now| content.sid.push((Mark::of(Marked::Sid, sid), now + SECOND)));
    }

    /// Revokes the tokens of a subject that were issued until now.
    pub fn revoke_sub(&self, sub: &str) {
        self.revoke_anew(|content, now| content.sub.push((Mark::of(Marked::Sub, sub), now + SECOND)));
    }

    /// Revokes the tokens of a client that were issued until now.
    pub fn revoke_client(&self, client_id: &str) {
        self.revoke_anew(|content, now| {
            content.client.push((Mark::of(Marked::Client, client_id), now + SECOND));
        });
    }

    /// Revokes all tokens that were issued until now.
    pub fn revoke_all(&self) {
        self.revoke_anew(|content, now| content.all = Some(now + SECOND));
    }

    /// The number of the statement that the feed has now.
    #[must_use]
    pub fn feed_sequence(&self) -> u64 {
        self.shared().state().feed.content.seq
    }

    /// Lets the feed lie, until [`heal`](Self::heal).
    pub fn feed_fault(&self, fault: FeedFault) {
        self.shared().state().feed.fault = Some(fault);
    }

    /// Sets the `Cache-Control` of the feed; at first `public, max-age=15`.
    pub fn feed_cache_control(&self, value: &str) {
        value.clone_into(&mut self.shared().state().feed.cache_control);
    }

    fn revoke_anew(&self, revoke: impl FnOnce(&mut Revocations, NumericDate)) {
        let now = self.shared().clock.now();
        let mut state = self.shared().state();
        state.feed.content.seq += 1;
        revoke(&mut state.feed.content, now);
    }
}
