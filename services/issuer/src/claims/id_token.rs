use std::time::Duration;

use claviger_jose::{Algorithm, NumericDate, Typ};
use claviger_oauth::{
    ClientId, IdTokenClaims, Issuer, PersonClaims, Sid, Subject, TokenError, UserId, access_token_hash,
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::server::Issuance;

/// An ID token that is about to be signed, wherever that happens.
#[derive(Debug)]
pub(crate) struct NewIdToken {
    /// Who signed in.
    pub(crate) user: UserId,
    /// For whom the token is.
    pub(crate) client_id: ClientId,
    /// The session.
    pub(crate) sid: Sid,
    /// When the person authenticated, in which ways, and how strongly.
    pub(crate) auth_time: NumericDate,
    pub(crate) amr: Vec<String>,
    pub(crate) acr: Option<String>,
    /// What the client finds again of its request.
    pub(crate) nonce: Option<String>,
    /// What else is said about the person.
    pub(crate) extra: Map<String, Value>,
    /// How long the token lives.
    pub(crate) lifetime: Duration,
}

/// Signs an ID token beside an access token (OpenID Connect Core section 2).
///
/// With RS256, which every client takes that did not agree on something else (section 3.1.3.7).
///
/// # Errors
/// As for [`Mint::sign`](crate::mint::Mint::sign).
pub(crate) async fn mint_id_token(
    issuance: &Issuance,
    token: NewIdToken,
    access_token: &str,
    now: NumericDate,
) -> Result<String, TokenError> {
    let key = issuance.signer(Algorithm::Rs256)?;
    let claims = Claims {
        issuer: issuance.config.issuer.clone(),
        subject: Subject::of_user(&token.user),
        at_hash: access_token_hash(access_token),
        now,
        token,
    };
    issuance.mint.sign(&key, Typ::Jwt, claims).await
}

struct Claims {
    issuer: Issuer,
    subject: Subject,
    at_hash: String,
    now: NumericDate,
    token: NewIdToken,
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let NewIdToken { client_id, sid, auth_time, amr, acr, nonce, extra, lifetime, .. } = &self.token;
        let claims = IdTokenClaims {
            iss: self.issuer.as_str(),
            sub: self.subject.as_str(),
            aud: client_id.as_str(),
            exp: self.now + *lifetime,
            iat: self.now,
            nonce: nonce.as_deref(),
            at_hash: Some(&self.at_hash),
            person: PersonClaims {
                auth_time: *auth_time,
                acr: acr.as_deref(),
                amr,
                sid: sid.as_str(),
                extra: Some(extra),
            },
        };
        claims.serialize(serializer)
    }
}
