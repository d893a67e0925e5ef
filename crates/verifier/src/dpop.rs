//! Proofs of possession beside an access token (RFC 9449).

use std::time::Duration;

use aws_lc_rs::digest;
use claviger_jose::{NumericDate, Payload, Typ, UnverifiedProof, base64url};
use fluent_uri::Uri;
use http::{HeaderValue, header::HeaderName, request::Parts};
use serde::Deserialize;

use crate::{
    BuildError, Principal, ProofFault, Refusal,
    nonce::Nonces,
    replay::{Fingerprint, SpentOnce, Unspendable},
};

static DPOP: HeaderName = HeaderName::from_static("dpop");
const MAX_AGE: Duration = Duration::from_mins(1);
/// How far the clock of a client may be ahead. Each second of it is one more in which a proof has to be remembered.
const MAX_AHEAD: Duration = Duration::from_secs(5);
const CAPACITY: usize = 262_144;

/// Takes tokens that are bound to a key of their holder, by a proof beside each
/// ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)).
///
/// A token that was stolen, from a log or from another service, is worth nothing without that key. Bearer
/// tokens are still taken, unless they are bound; a bound token is never taken as a bearer token.
///
/// A proof is taken once, as far as one verifier knows: which proofs it has seen, it keeps in memory. Of
/// several instances of a service, another one would take it again, for as long as it is fresh. Where that
/// matters, let all requests of a client reach one instance and ask for a nonce
/// ([`with_nonce`](Self::with_nonce)), or let one shared front verify.
///
/// ```
/// use claviger_verifier::{Dpop, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = Verifier::builder("https://id.fleet.test", "https://orders.fleet.test")
///     .dpop(Dpop::at("https://orders.example.com"))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "give it to a verifier"]
pub struct Dpop {
    url: String,
    max_age: Duration,
    capacity: usize,
    nonce: bool,
}

impl Dpop {
    /// Proofs for a service that its clients know at this URL: scheme and authority, and the path that a proxy
    /// takes away, if it does. Behind a proxy no service can know that by itself, and what a request says of it
    /// is its sender's word.
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), max_age: MAX_AGE, capacity: CAPACITY, nonce: false }
    }

    /// How old a proof may be: 1 to 60 s; without this, 60 s
    /// ([RFC 9449 section 11.1](https://www.rfc-editor.org/rfc/rfc9449#section-11.1)). It may also be from the near
    /// future, because clocks differ: by 5 s, or by less where the verifier's leeway or this is less.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// How many proofs are remembered while they are fresh, at about 180 bytes each; without this, 262,144. One
    /// more is answered 503: a proof that was forgotten would be taken again. A proof is remembered for up to
    /// 65 s: its greatest age and the 5 s that it may be ahead.
    ///
    /// One client (by `iss` and `client_id`) may fill an eighth of this, and is answered 503 itself then: it cannot
    /// push out the others. So enough is eight times what the busiest client asks in 65 s; the 262,144 are enough
    /// for 504 requests per second of one client.
    pub fn remember(mut self, proofs: usize) -> Self {
        self.capacity = proofs;
        self
    }

    /// Asks for a nonce of this verifier in each proof
    /// ([RFC 9449 section 9](https://www.rfc-editor.org/rfc/rfc9449#section-9)): none can be made ahead, and
    /// none that was made for another instance is taken. A client without a current one is answered 401
    /// `use_dpop_nonce` with the nonce to use, which it may use for 5 to 10 minutes.
    pub fn with_nonce(mut self) -> Self {
        self.nonce = true;
        self
    }

    /// The leeway is how far the verifier believes clocks to be apart.
    pub(crate) fn build(self, leeway: Duration) -> Result<ProofRules, BuildError> {
        let base = self.url.strip_suffix('/').unwrap_or(&self.url);
        if base.contains(['?', '#']) || location(base).is_none() {
            return Err(BuildError::DpopUrl(self.url));
        }
        if self.max_age < Duration::from_secs(1) || self.max_age > MAX_AGE {
            return Err(BuildError::ProofAge(self.max_age));
        }
        let nonces = if self.nonce { Some(Nonces::new()?) } else { None };
        Ok(ProofRules {
            base: base.into(),
            max_age: self.max_age,
            max_ahead: MAX_AHEAD.min(leeway).min(self.max_age),
            spent: SpentOnce::in_shares(self.capacity),
            nonces,
        })
    }
}

/// Judges the proofs that requests bring.
#[derive(Debug)]
pub(crate) struct ProofRules {
    base: Box<str>,
    max_age: Duration,
    max_ahead: Duration,
    spent: SpentOnce,
    nonces: Option<Nonces>,
}

/// What a proof says (RFC 9449 section 4.2).
#[derive(Deserialize)]
struct ProofClaims {
    jti: String,
    htm: String,
    htu: String,
    iat: NumericDate,
    ath: String,
    nonce: Option<String>,
}

impl Payload for ProofClaims {
    const TYP: Typ = Typ::DpopJwt;
}

impl ProofRules {
    /// Whether the request proves the possession of the key with the thumbprint `jkt` for this very token:
    /// the checks of RFC 9449 section 4.3. What costs the least comes first, and only a proof that is good in
    /// every other respect takes room in memory.
    pub(crate) fn check(
        &self,
        principal: &Principal,
        request: &Parts,
        token: &str,
        jkt: &str,
    ) -> Result<(), Refusal> {
        let now = principal.accepted_at();
        let proof = UnverifiedProof::parse(the_proof(request)?).map_err(|_| ProofFault::Malformed)?;
        let (claims, thumbprint) = proof.verify::<ProofClaims>().map_err(|_| ProofFault::Malformed)?;
        if claims.jti.is_empty() {
            return Err(ProofFault::Malformed.into());
        }
        if thumbprint.as_str() != jkt || claims.ath != hash_of(token) {
            return Err(ProofFault::OtherToken.into());
        }
        if claims.htm != request.method.as_str() || !self.is_for(&claims.htu, request) {
            return Err(ProofFault::OtherRequest.into());
        }
        self.check_nonce(claims.nonce.as_deref(), now)?;
        let until = claims.iat + self.max_age;
        if claims.iat > now + self.max_ahead || now >= until {
            return Err(ProofFault::Stale.into());
        }
        // Of keys a client makes as many as it likes: whose the memory is, its issuer says.
        let owner = (principal.iss(), principal.client_id());
        let spent = self.spent.spend(owner, Fingerprint::of(thumbprint.as_str(), &claims.jti), until, now);
        spent.map_err(|reason| match reason {
            Unspendable::Spent => ProofFault::Replayed.into(),
            Unspendable::Outlived => ProofFault::Stale.into(),
            Unspendable::Full { retry_after } => Refusal::Busy { retry_after },
        })
    }

    fn is_for(&self, htu: &str, request: &Parts) -> bool {
        let path = path_of(request);
        // Without its slash a path would lengthen the name of the host.
        let asked = path.starts_with('/').then(|| location(&format!("{}{path}", self.base))).flatten();
        asked.is_some() && asked == location(htu)
    }

    fn check_nonce(&self, nonce: Option<&str>, now: NumericDate) -> Result<(), Refusal> {
        match &self.nonces {
            Some(nonces) if !nonce.is_some_and(|nonce| nonces.accepts(nonce, now)) => {
                Err(Refusal::NonceNeeded(nonces.current(now)))
            }
            _ => Ok(()),
        }
    }
}

/// Of two proofs, somebody else may read the other.
fn the_proof(request: &Parts) -> Result<&str, ProofFault> {
    let mut headers = request.headers.get_all(&DPOP).into_iter().map(HeaderValue::as_bytes);
    match (headers.next(), headers.next()) {
        (Some(proof), None) => str::from_utf8(proof).map_err(|_| ProofFault::Malformed),
        _ => Err(ProofFault::NotOne),
    }
}

/// The path that was asked for, also where a router has taken the beginning away.
fn path_of(request: &Parts) -> &str {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions.get::<axum::extract::OriginalUri>() {
        return original.path();
    }
    request.uri.path()
}

/// The `ath` of a token (RFC 9449 section 4.2).
fn hash_of(token: &str) -> String {
    base64url::encode(digest::digest(&digest::SHA256, token.as_bytes()).as_ref())
}

/// Where an http or https URL leads, in the one spelling that RFC 3986 sections 6.2.2 and 6.2.3 have for it.
/// Query and fragment are left out, and a URL with user information leads nowhere.
fn location(url: &str) -> Option<String> {
    let url = url.split(['?', '#']).next()?;
    let url = Uri::parse(url).ok()?.normalize();
    let authority = url.authority()?;
    let is_http = matches!(url.scheme().as_str(), "http" | "https");
    if !is_http || authority.has_userinfo() || authority.host().is_empty() {
        return None;
    }
    let path = if url.path().is_empty() { "/" } else { url.path().as_str() };
    Some(format!("{}://{authority}{path}", url.scheme()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_spelling() {
        let orders = location("https://orders.example.com/a/b").unwrap();
        for same in [
            "https://orders.example.com/a/b",
            "HTTPS://Orders.Example.COM:443/a/b",
            "https://orders.example.com:/a/b",
            "https://orders.example.com/a/%62",
            "https://orders.example.com/a/./c/../b",
            "https://orders.example.com/a/b?c=d",
            "https://orders.example.com/a/b#c?d",
        ] {
            assert_eq!(location(same).as_ref(), Some(&orders), "{same}");
        }
        for other in [
            "http://orders.example.com/a/b",
            "https://orders.example.com:8443/a/b",
            "https://orders.example.com./a/b",
            "https://orders.example.com/a/b/",
            "https://orders.example.com/A/b",
            "https://orders.example.com/a%2Fb",
            "https://orders.example.com//a/b",
            "https://orders.example.com/a\\b",
            "https://a@orders.example.com/a/b",
            "//orders.example.com/a/b",
            "/a/b",
            "https:/a/b",
            "https:///a/b",
            " https://orders.example.com/a/b",
            "",
        ] {
            assert_ne!(location(other).as_ref(), Some(&orders), "{other}");
        }
        assert_eq!(location("http://a"), location("http://a:80/"));
        assert_eq!(location("http://a/%e4"), location("http://a/%E4"));
    }

    #[test]
    fn rules_that_cannot_work_are_refused() {
        let build = |dpop: Dpop| dpop.build(MAX_AHEAD).map(drop).map_err(|error| error.to_string());
        for url in ["", "orders.example.com", "ftp://a", "https://a/?b", "https://a#b", "https://a@b", "/a"] {
            assert!(build(Dpop::at(url)).is_err(), "{url}");
        }
        for url in ["https://a", "https://a/", "http://127.0.0.1:1/base"] {
            assert_eq!(build(Dpop::at(url)), Ok(()), "{url}");
        }
        let age = |secs| build(Dpop::at("https://a").max_age(Duration::from_secs(secs)));
        assert!(age(0).is_err() && age(1).is_ok() && age(60).is_ok() && age(61).is_err());
    }
}
