//! From a grant to a signed token.

use std::{sync::Arc, time::Duration};

use claviger_jose::{Algorithm, NumericDate, Typ};
use claviger_keyring::{SignError, SigningKey};
use claviger_oauth::{
    Audience, ClientId, Issuer, MintClaims, PersonClaims, RefreshToken, ScopeSet, Sid, Subject, TokenError,
    TokenResponse, TokenType,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{counters::Tally, keys::ExternalSigning, signer_pool::SignerPool};

/// What a client was granted: every grant type ends in one of these, and [`Mint::mint`] is the
/// only way from here to a token.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Whom the token speaks for.
    pub subject: Subject,
    /// Who asked for it.
    pub client_id: ClientId,
    /// Whom it is for.
    pub audience: Audience,
    /// What it allows.
    pub scope: ScopeSet,
    /// The algorithm of the audience.
    pub alg: Algorithm,
    /// How long it lives.
    pub lifetime: Duration,
    /// The person it speaks for, if it is not a service for itself.
    pub person: Option<Box<Person>>,
}

/// A person who has signed in, and what the client gets beside the access token.
#[derive(Debug, Clone)]
pub struct Person {
    /// The session.
    pub sid: Sid,
    /// When the person authenticated.
    pub auth_time: NumericDate,
    /// How strongly.
    pub acr: Option<String>,
    /// In which ways.
    pub amr: Vec<String>,
    /// Claims of the access token that the fleet has declared.
    pub extra: Map<String, Value>,
    /// What the ID token says besides; without it there is none.
    pub id_token: Option<Told>,
    /// What the next token is got with.
    pub refresh: Option<RefreshToken>,
}

/// What an ID token says besides who has signed in.
#[derive(Debug, Clone)]
pub struct Told {
    /// What the client finds again of its request.
    pub nonce: Option<String>,
    /// Claims about the person.
    pub extra: Map<String, Value>,
}

impl Person {
    /// What tokens say of the person, with these claims.
    #[must_use]
    pub fn claims<'a>(&'a self, extra: Option<&'a Map<String, Value>>) -> PersonClaims<'a> {
        PersonClaims {
            auth_time: self.auth_time,
            acr: self.acr.as_deref(),
            amr: &self.amr,
            sid: self.sid.as_str(),
            extra: extra.filter(|extra| !extra.is_empty()),
        }
    }
}

/// Makes access tokens (RFC 9068 section 2). Nothing is stored per token.
#[derive(Debug)]
pub struct Mint {
    issuer: Arc<Issuer>,
    pool: SignerPool,
    external: Option<ExternalSigning>,
}

impl Mint {
    /// A mint for this issuer.
    #[must_use]
    pub fn new(issuer: Issuer, pool: SignerPool) -> Self {
        Self { issuer: Arc::new(issuer), pool, external: None }
    }

    /// The same, for keys that are kept elsewhere too.
    #[must_use]
    pub fn with_external(self, external: ExternalSigning) -> Self {
        Self { external: Some(external), ..self }
    }

    /// What became of the signatures by keys that are kept elsewhere, if there may be such keys.
    #[must_use]
    pub fn external_outcomes(&self) -> Option<&Arc<Tally<6>>> {
        self.external.as_ref().map(ExternalSigning::outcomes)
    }

    /// Signs an access token.
    ///
    /// # Errors
    /// `temporarily_unavailable` if the signing queue is full, signing fails, or a key that is kept elsewhere gives no
    /// signature within a quarter of a second.
    pub async fn mint(
        &self,
        key: &Arc<SigningKey>,
        grant: Grant,
        now: NumericDate,
    ) -> Result<TokenResponse, TokenError> {
        let access_token = if is_quick(key) {
            sign(&self.issuer, key, &grant, now).map_err(|error| refuse(key, 5, &error))?
        } else {
            let (issuer, signer, grant) = (Arc::clone(&self.issuer), Arc::clone(key), grant.clone());
            self.sign_aside(key, move || sign(&issuer, &signer, &grant, now)).await?
        };
        Ok(TokenResponse {
            access_token,
            token_type: TokenType::Bearer,
            expires_in: grant.lifetime.as_secs(),
            scope: Some(grant.scope),
            refresh_token: None,
            id_token: None,
        })
    }

    /// Signs claims of another kind in the same way: nobody waits for long, and no async worker is blocked.
    ///
    /// # Errors
    /// As for [`mint`](Self::mint).
    pub async fn sign(
        &self,
        key: &Arc<SigningKey>,
        typ: Typ,
        claims: impl Serialize + Send + 'static,
    ) -> Result<String, TokenError> {
        if is_quick(key) {
            return key.sign(typ, &claims).map_err(|error| refuse(key, 5, &error));
        }
        let signer = Arc::clone(key);
        self.sign_aside(key, move || signer.sign(typ, &claims)).await
    }

    async fn sign_aside(
        &self,
        key: &SigningKey,
        attempt: impl Fn() -> Result<String, SignError> + Send + 'static,
    ) -> Result<String, TokenError> {
        match &self.external {
            Some(external) if key.is_external() => {
                external.sign(attempt).await.map_err(|error| refuse(key, 1, &error))
            }
            _ => {
                let signed = self.pool.run(attempt).await;
                let signed = signed.map_err(|_| TokenError::TemporarilyUnavailable { retry_after: 1 })?;
                signed.map_err(|error| refuse(key, 5, &error))
            }
        }
    }
}

/// 12 µs: handing an ES256 signature to another thread would cost more than making it.
fn is_quick(key: &SigningKey) -> bool {
    key.alg() == Algorithm::Es256 && !key.is_external()
}

fn refuse(key: &SigningKey, retry_after: u32, error: &dyn std::error::Error) -> TokenError {
    tracing::error!(%error, kid = %key.kid(), "a token could not be signed");
    TokenError::TemporarilyUnavailable { retry_after }
}

fn sign(issuer: &Issuer, key: &SigningKey, grant: &Grant, now: NumericDate) -> Result<String, SignError> {
    let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
    let jti = token_id(now).hyphenated().encode_lower(&mut buffer);
    key.sign(
        Typ::AtJwt,
        &MintClaims {
            iss: issuer.as_str(),
            sub: grant.subject.as_str(),
            aud: grant.audience.as_str(),
            exp: now + grant.lifetime,
            iat: now,
            jti,
            client_id: grant.client_id.as_str(),
            scope: Some(&grant.scope).filter(|scope| !scope.is_empty()),
            person: grant.person.as_ref().map(|person| person.claims(Some(&person.extra))),
        },
    )
}

/// A UUID of version 7 (RFC 9562 section 5.7): ordered by time, with 74 random bits.
fn token_id(now: NumericDate) -> uuid::Uuid {
    let mut random = [0; 10];
    aws_lc_rs::rand::fill(&mut random).expect("the system's random source answers");
    uuid::Builder::from_unix_timestamp_millis(now.as_secs() * 1000, &random).into_uuid()
}
