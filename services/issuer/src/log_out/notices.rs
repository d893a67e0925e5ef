use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_jose::{Algorithm, NumericDate, Typ};
use claviger_keyring::SigningKey;
use claviger_oauth::{ClientId, Issuer, LogoutTokenClaims, Subject, TokenError};
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

/// How many notices are delivered at once.
const AT_ONCE: usize = 64;
/// How many of them to one client: one that takes connections and never answers leaves the others their places.
const OF_ONE: u32 = 8;
/// For how long notices are taken. Those under way then come to an end, well before the ticker would cut them off: the
/// attempts would be spent, and clients told twice.
const LONGEST: Duration = Duration::from_secs(30);
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
    /// It may be mended, declared again, or enabled again.
    #[error("it is disabled, or not there, or cannot be read")]
    NotThere,
    #[error("backchannel_logout_uri: {0}")]
    Uri(#[from] Refused),
    #[error("no log-out token: {0}")]
    Token(#[from] TokenError),
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("it answered {0}")]
    Status(StatusCode),
}

/// What is being delivered to one client.
#[derive(Debug, Default)]
struct UnderWay {
    deliveries: u32,
    is_away: bool,
}

/// Whether there was somebody to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Yes,
    No,
}

impl Notices {
    pub(crate) fn new(issuance: Arc<Issuance>, store: Store) -> Self {
        let outbound = Arc::new(Outbound::new(&issuance.config.issuer));
        Self { issuance, store, outbound }
    }

    /// Tells the clients that are due, until there are none, or for as long as it may. Nobody waits for a client that is slow but
    /// those who have more to tell the same one.
    ///
    /// # Errors
    /// [`StoreError`]; what a client does is no error of ours.
    pub(crate) async fn deliver(&self) -> Result<(), StoreError> {
        let begun = Instant::now();
        let mut under_way = JoinSet::new();
        let mut clients: HashMap<ClientId, UnderWay> = HashMap::new();
        let mut outcome = Ok(());
        let mut may_be_more = true;
        loop {
            while may_be_more && under_way.len() + OF_ONE as usize <= AT_ONCE {
                // Who cannot sign could only use attempts up.
                if begun.elapsed() > LONGEST || outcome.is_err() || self.signer().is_err() {
                    break;
                }
                let busy: Vec<_> = clients.keys().cloned().collect();
                let due = match self.store.take_logout_notices(OF_ONE, &busy).await {
                    Ok(due) => due,
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                };
                may_be_more = !due.is_empty();
                for notice in due {
                    clients.entry(notice.client_id.clone()).or_default().deliveries += 1;
                    under_way.spawn(self.clone().settle(notice));
                }
            }
            let Some(settled) = under_way.join_next().await else {
                return outcome;
            };
            // A panic has taken the attempt of one, which comes again; until the next time its client is left alone.
            let Ok((client_id, settled)) = settled else {
                continue;
            };
            let is_last = clients.get_mut(&client_id).is_some_and(|client| {
                client.deliveries -= 1;
                client.is_away |= matches!(settled, Ok(Reached::No));
                client.deliveries == 0
            });
            outcome = outcome.and(settled.map(|_| ()));
            if is_last && let Some(UnderWay { is_away, .. }) = clients.remove(&client_id) {
                may_be_more = true;
                if is_away {
                    outcome = outcome.and(self.store.put_off_logout_notices(&client_id).await);
                }
            }
        }
    }

    /// Gives up the clients that could not be told for so long.
    pub(crate) async fn abandon(&self) -> Result<(), StoreError> {
        for notice in self.store.abandon_logout_notices().await? {
            let LogoutNotice { client_id, attempts, .. } = notice;
            tracing::error!(%client_id, attempts, "a client was not told that a session has ended: given up");
        }
        Ok(())
    }

    async fn settle(self, notice: LogoutNotice) -> (ClientId, Result<Reached, StoreError>) {
        let told = self.tell(&notice).await;
        let LogoutNotice { id, client_id, attempts, .. } = notice;
        let settled = match told {
            Ok(()) => self.store.settle_logout_notice(&id).await.map(|()| Reached::Yes),
            Err(error) => {
                tracing::warn!(%client_id, attempts, %error, "a client was not told that a session has ended");
                Ok(error.reached())
            }
        };
        (client_id, settled)
    }

    /// Tells one client. One that does not want to be told is told by that.
    async fn tell(&self, notice: &LogoutNotice) -> Result<(), Untold> {
        let registry = self.issuance.registry.load();
        let client = registry.client(&notice.client_id).filter(|client| !client.disabled);
        let application = client.ok_or(Untold::NotThere)?.application.as_ref();
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
        let key = self.signer()?;
        let now = wall_clock();
        let claims = Claims {
            issuer: issuance.config.issuer.clone(),
            notice: notice.clone(),
            jti: random_id().to_string(),
            now,
        };
        issuance.mint.sign(&key, Typ::LogoutToken, claims).await
    }

    /// As for ID tokens: of the one algorithm that every client of OpenID Connect knows.
    fn signer(&self) -> Result<Arc<SigningKey>, TokenError> {
        self.issuance.signer(Algorithm::Rs256)
    }
}

impl Untold {
    /// Whether the next notice to the same client may fare better.
    fn reached(&self) -> Reached {
        match self {
            Self::NotThere | Self::Uri(_) | Self::Http(_) => Reached::No,
            Self::Token(_) | Self::Status(_) => Reached::Yes,
        }
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

#[cfg(test)]
mod tests {
    use migrations::Migrator;
    use sea_orm::{ConnectionTrait, Database};

    use super::*;
    use crate::{config::Config, http::Shutdown, mint::Mint, signer_pool::SignerPool};

    // S-84
    #[tokio::test]
    async fn without_a_key_to_sign_with_no_attempt_is_spent() {
        let directory = tempfile::tempdir().unwrap();
        let text = "issuer = \"https://id.test\"\nlisten = \"127.0.0.1:0\"\n\
                    database = \"sqlite://claviger.db\"\nkey_encryption_key = \"kek\"";
        let config = Config::parse("claviger.toml", text, directory.path(), |_| None).unwrap();
        let store = Store::open::<Migrator>(&config.database).await.unwrap();
        let due = "INSERT INTO logout_notice (id, client_id, account, sid, attempts, created_at, next_at)
                   VALUES ('notice', 'shop', 'ada', 's1', 0, 1, 0)";
        let database = Database::connect(&config.database).await.unwrap();
        database.execute_unprepared(due).await.unwrap();
        let mint = Mint::new(config.issuer.clone(), SignerPool::start().unwrap());
        let (shutdown, _) = Shutdown::manual();
        let issuance = Issuance::new(config, mint, shutdown);
        issuance.lease.confirm(Instant::now());
        assert_eq!(issuance.lease.refusal(), None, "the process may sign, and has no key");
        Notices::new(Arc::new(issuance), store.clone()).deliver().await.unwrap();
        let due = store.take_logout_notices(9, &[]).await.unwrap();
        assert_eq!(due.iter().map(|notice| notice.attempts).collect::<Vec<_>>(), [1]);
    }
}
