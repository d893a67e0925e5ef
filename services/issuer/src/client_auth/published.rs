//! Key sets that clients publish (`jwks_uri`): fetched when they are needed, held while they are good.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use claviger_jose::Kid;
use claviger_oauth::Issuer;
use reqwest::{StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::key_set::{KeySet, KeySetError};
use crate::{
    outbound::{Outbound, Refused, body_of},
    registry_view::RegistryView,
};

/// How long a set is used without a question.
const FRESH: Duration = Duration::from_mins(5);
/// How long it is used while the client's server does not answer.
const STALE: Duration = Duration::from_hours(24);
/// How long it is left alone after it was asked, whatever it answered.
const PAUSE: Duration = Duration::from_secs(30);
/// How many sets are fetched at once.
const AT_ONCE: usize = 8;
const MAX_BODY: usize = 256 * 1024;

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The set is current and lacks it.
    Unknown,
    /// Nobody knows: the set cannot be had now.
    Unavailable,
}

/// The key sets of all clients that publish theirs.
#[derive(Debug)]
pub(super) struct Published {
    outbound: Arc<Outbound>,
    places: Arc<Semaphore>,
    sets: Mutex<Sets>,
}

#[derive(Debug, Default)]
struct Sets {
    /// The registry that they are of.
    revision: u64,
    by_url: HashMap<Box<str>, watch::Sender<Held>>,
}

/// What is held of one URL.
#[derive(Debug, Default)]
struct Held {
    set: Option<(Arc<KeySet>, Instant)>,
    asked_at: Option<Instant>,
    /// The answer has not come yet.
    is_asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Use,
    Fetch,
    /// Somebody has asked.
    Wait,
    Refuse(NoKey),
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("it is compressed")]
    Encoded,
    #[error(transparent)]
    Set(#[from] KeySetError),
}

impl Published {
    pub(super) fn new(issuer: &Issuer) -> Self {
        let (outbound, places) = (Arc::new(Outbound::new(issuer)), Arc::new(Semaphore::new(AT_ONCE)));
        Self { outbound, places, sets: Mutex::default() }
    }

    /// The set at a URL, which has the key of this name. At most one request per URL and [`PAUSE`], whoever asks for whichever
    /// name, and whether or not they stay for the answer; those who need it wait for it, and who asks for a known key
    /// does not.
    pub(super) async fn set(
        &self,
        url: &str,
        kid: &Kid,
        registry: &RegistryView,
    ) -> Result<Arc<KeySet>, NoKey> {
        let held = self.held(url, registry);
        let mut news = held.subscribe();
        if held.borrow().step(kid, Instant::now()) == Step::Fetch {
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                return held.borrow().known(kid, Instant::now()).ok_or(NoKey::Unavailable);
            };
            if held.send_if_modified(|held| held.begin(kid, Instant::now())) {
                self.fetch(url, held, place);
                // Who asks, wants to know.
                let _ = news.wait_for(|held| !held.is_asked).await;
            }
        }
        let settled = news.wait_for(|held| held.step(kid, Instant::now()) != Step::Wait).await;
        let held = settled.map_err(|_| NoKey::Unavailable)?;
        match (held.step(kid, Instant::now()), &held.set) {
            (Step::Use, Some((set, _))) => Ok(Arc::clone(set)),
            (Step::Refuse(why), _) => Err(why),
            _ => Err(NoKey::Unavailable),
        }
    }

    /// Asks in a task of its own: whoever wanted to know may be gone before the answer, and the others want it too.
    fn fetch(&self, url: &str, held: watch::Sender<Held>, place: OwnedSemaphorePermit) {
        let (outbound, url) = (Arc::clone(&self.outbound), url.to_owned());
        tokio::spawn(async move {
            let fetched = fetch(&outbound, &url).await;
            drop(place);
            if let Err(error) = &fetched {
                tracing::warn!(%error, "the key set of a client cannot be fetched");
            }
            held.send_modify(|held| held.answered(fetched.ok(), Instant::now()));
        });
    }

    /// What is held of a URL. What the registry no longer names is forgotten.
    fn held(&self, url: &str, registry: &RegistryView) -> watch::Sender<Held> {
        let mut sets = self.sets();
        if sets.revision != registry.revision {
            let named = registry.jwks_uris();
            sets.by_url.retain(|url, _| named.contains(&**url));
            sets.revision = registry.revision;
        }
        sets.by_url.entry(url.into()).or_default().clone()
    }

    fn sets(&self) -> MutexGuard<'_, Sets> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(outbound: &Outbound, url: &str) -> Result<KeySet, FetchError> {
    let url = outbound.check(url)?;
    let request = outbound.http()?.get(url);
    let request = request.header(header::ACCEPT, "application/jwk-set+json, application/json");
    let response = request.header(header::ACCEPT_ENCODING, "identity").send().await;
    // Its text would show the URL, and a query in it may be a secret.
    let response = response.map_err(reqwest::Error::without_url)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    if response.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(FetchError::Encoded);
    }
    Ok(KeySet::parse(&body_of(response, MAX_BODY).await?)?)
}

impl Held {
    fn step(&self, kid: &Kid, now: Instant) -> Step {
        let since = |then: Instant| now.saturating_duration_since(then);
        let may_ask = self.asked_at.is_none_or(|asked| since(asked) >= PAUSE);
        let without = |why| if self.is_asked { Step::Wait } else { Step::Refuse(why) };
        let Some((set, fetched)) = &self.set else {
            return if may_ask { Step::Fetch } else { without(NoKey::Unavailable) };
        };
        let (age, has) = (since(*fetched), set.key(kid).is_some());
        match (has, age < FRESH, may_ask) {
            (true, true, _) => Step::Use,
            (_, _, true) => Step::Fetch,
            (true, false, false) if age < STALE => Step::Use,
            (false, true, false) => without(NoKey::Unknown),
            _ => without(NoKey::Unavailable),
        }
    }

    /// Whether a question begins now: of many who need the answer one asks.
    fn begin(&mut self, kid: &Kid, now: Instant) -> bool {
        let begins = self.step(kid, now) == Step::Fetch;
        if begins {
            (self.asked_at, self.is_asked) = (Some(now), true);
        }
        begins
    }

    fn answered(&mut self, set: Option<KeySet>, now: Instant) {
        (self.asked_at, self.is_asked) = (Some(now), false);
        if let Some(set) = set {
            self.set = Some((Arc::new(set), now));
        }
    }

    /// The set, if it has this key and is not too old to be used.
    fn known(&self, kid: &Kid, now: Instant) -> Option<Arc<KeySet>> {
        let (set, fetched) = self.set.as_ref()?;
        let is_good = set.key(kid).is_some() && now.saturating_duration_since(*fetched) < STALE;
        is_good.then(|| Arc::clone(set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &[u8] = br#"{"keys":[{"kty":"EC","crv":"P-256","kid":"K","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

    /// What is done for a known and for an unknown key, `now` seconds after the set was fetched; the last question was at
    /// `asked`.
    fn check(asked: u64, now: u64, known: Step, unknown: Step) {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let set = Arc::new(KeySet::parse(SET).unwrap());
        let held = Held { set: Some((set, at(0))), asked_at: Some(at(asked)), is_asked: false };
        let step = |kid: &str| held.step(&kid.parse().unwrap(), at(now));
        assert_eq!((step("K"), step("other")), (known, unknown), "asked at {asked}, now {now}");
    }

    // S-59
    #[test]
    fn a_set_is_fetched_rarely_and_outlives_an_outage_of_its_server() {
        use NoKey::{Unavailable, Unknown};
        use Step::{Fetch, Refuse, Use};
        check(0, 0, Use, Refuse(Unknown));
        check(0, 29, Use, Refuse(Unknown));
        check(0, 30, Use, Fetch);
        check(0, 299, Use, Fetch);
        check(0, 300, Fetch, Fetch);
        // What was asked in between has failed: nobody knows what the set is now.
        check(300, 301, Use, Refuse(Unavailable));
        check(86_390, 86_399, Use, Refuse(Unavailable));
        check(86_390, 86_400, Refuse(Unavailable), Refuse(Unavailable));
        check(86_390, 86_420, Fetch, Fetch);
    }

    #[test]
    fn who_has_never_answered_is_asked_again_after_a_pause() {
        let start = Instant::now();
        let (kid, later) = ("K".parse().unwrap(), start + PAUSE);
        assert_eq!(Held::default().step(&kid, start), Step::Fetch);
        let held = Held { set: None, asked_at: Some(start), is_asked: false };
        assert_eq!(held.step(&kid, start), Step::Refuse(NoKey::Unavailable));
        assert_eq!(held.step(&kid, later), Step::Fetch);
    }
    // S-59
    #[test]
    fn while_a_set_is_asked_for_its_known_keys_are_used_and_only_unknown_ones_wait() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (known, other) = ("K".parse().unwrap(), "other".parse().unwrap());
        let mut held = Held::default();
        assert!(held.begin(&known, start), "the first who comes asks");
        assert!(!held.begin(&known, start), "and nobody else");
        assert_eq!(held.step(&known, start), Step::Wait);
        held.answered(KeySet::parse(SET).ok(), at(1));
        assert_eq!(
            (held.step(&known, at(1)), held.step(&other, at(1))),
            (Step::Use, Step::Refuse(NoKey::Unknown))
        );
        assert!(held.begin(&other, at(400)));
        assert_eq!((held.step(&known, at(400)), held.step(&other, at(400))), (Step::Use, Step::Wait));
        assert_eq!(held.step(&known, at(500)), Step::Fetch, "an answer that never came is not waited for");
        held.answered(None, at(501));
        assert_eq!(held.step(&other, at(501)), Step::Refuse(NoKey::Unavailable));
        assert!(held.known(&known, at(501)).is_some() && held.known(&other, at(501)).is_none());
        assert!(held.known(&known, at(86_401)).is_none());
    }
}
