use std::{sync::Arc, time::Duration};

use claviger_jose::{Algorithm, NumericDate, Typ};
use claviger_oauth::{Issuer, LogoutTokenClaims, Subject, TokenError};
use claviger_store::{LogoutNotice, Store, StoreError};
use http::StatusCode;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    clock::wall_clock,
    outbound::{Outbound, Refused},
    rng::random_id,
    server::Issuance,
};

/// How many clients are told at once.
const AT_ONCE: u32 = 16;
/// How long a log-out token is good: long enough for the client's clock to be wrong by some, short enough to be of no use to
/// whoever finds it (S-84).
const LIFETIME: Duration = Duration::from_mins(2);

/// Tells clients that sessions have ended
/// ([OpenID Connect Back-Channel Logout 1.0](https://openid.net/specs/openid-connect-backchannel-1_0.html)).
///
/// What is to be told is in the database, queued in the transaction that ended the session. So it survives a restart, and a
/// client that cannot be reached is tried again for a day.
#[derive(Debug, Clone)]
pub(crate) struct Notices {
    issuance: Arc<Issuance>,
    store: Store,
    outbound: Arc<Outbound>,
}

/// Why a client was not told, this time.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error("backchannel_logout_uri: {0}")]
    Uri(#[from] Refused),
    #[error("no log-out token: {0}")]
    Token(#[from] TokenError),
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("it answered {0}")]
    Status(StatusCode),
}

impl Notices {
    pub(crate) fn new(issuance: Arc<Issuance>, store: Store) -> Self {
        let outbound = Arc::new(Outbound::new(&issuance.config.issuer));
        Self { issuance, store, outbound }
    }

    /// Tells the clients that are due, until there are none. Each is tried once.
    ///
    /// # Errors
    /// [`StoreError`]; what a client does is no error of ours.
    pub(crate) async fn deliver(&self) -> Result<(), StoreError> {
        // Who may not sign could only use attempts up.
        while self.issuance.lease.refusal().is_none() {
            let due = self.store.take_logout_notices(AT_ONCE).await?;
            let is_all = due.len() < AT_ONCE as usize;
            let mut deliveries: JoinSet<_> =
                due.into_iter().map(|notice| self.clone().settle(notice)).collect();
            while let Some(settled) = deliveries.join_next().await {
                // A panic has taken the attempt of one, which comes again.
                settled.unwrap_or(Ok(()))?;
            }
            if is_all {
                break;
            }
        }
        Ok(())
    }

    /// Gives up the clients that could not be told for so long.
    pub(crate) async fn abandon(&self) -> Result<(), StoreError> {
        for notice in self.store.abandon_logout_notices().await? {
            let LogoutNotice { client_id, attempts, .. } = notice;
            tracing::error!(%client_id, attempts, "a client was not told that a session has ended: given up");
        }
        Ok(())
    }

    async fn settle(self, notice: LogoutNotice) -> Result<(), StoreError> {
        match self.tell(&notice).await {
            Ok(()) => self.store.settle_logout_notice(&notice.id).await,
            Err(error) => {
                let LogoutNotice { client_id, attempts, .. } = notice;
                tracing::warn!(%client_id, attempts, %error, "a client was not told that a session has ended");
                Ok(())
            }
        }
    }

    /// Tells one client. One that does not want to be told, or is not there any more, is told by that.
    async fn tell(&self, notice: &LogoutNotice) -> Result<(), Untold> {
        let registry = self.issuance.registry.load();
        let client = registry.client(&notice.client_id).filter(|client| !client.disabled);
        let application = client.and_then(|client| client.application.as_ref());
        let uri = application.and_then(|application| application.backchannel_logout_uri.clone());
        drop(registry);
        let Some(uri) = uri else {
            return Ok(());
        };
        let url = self.outbound.check(&uri)?;
        let token = self.mint(notice).await?;
        let request = self.outbound.http()?.post(url).form(&[("logout_token", token)]);
        let answer = request.send().await.map_err(reqwest::Error::without_url)?;
        // Section 2.8; 204 is what many frameworks make of an empty 200.
        match answer.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            other => Err(Untold::Status(other)),
        }
    }

    /// A log-out token, made for this attempt: one that was made when the session ended would have expired by the next.
    async fn mint(&self, notice: &LogoutNotice) -> Result<String, TokenError> {
        let issuance = &self.issuance;
        // As ID tokens are: the one algorithm that every client of OpenID Connect knows.
        let key = issuance.signer(Algorithm::Rs256)?;
        let now = wall_clock();
        let claims = Claims {
            issuer: issuance.config.issuer.clone(),
            notice: notice.clone(),
            jti: random_id().to_string(),
            now,
        };
        issuance.mint.sign(&key, Typ::LogoutToken, claims).await
    }
}

/// The claims of a log-out token, by value: they may be signed on another thread.
struct Claims {
    issuer: Issuer,
    notice: LogoutNotice,
    jti: String,
    now: NumericDate,
}

impl Serialize for Claims {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { issuer, notice, jti, now } = self;
        let subject = Subject::of_user(&notice.account);
        let claims = LogoutTokenClaims {
            iss: issuer.as_str(),
            aud: notice.client_id.as_str(),
            iat: *now,
            exp: *now + LIFETIME,
            jti,
            sub: subject.as_str(),
            sid: notice.sid.as_str(),
        };
        claims.serialize(serializer)
    }
}
