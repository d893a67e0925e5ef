//! One attempt: from the configured places to keys that are ready to verify.

use std::time::Duration;

use claviger_jose::{Clock, JwkSet};
use reqwest::header::HeaderValue;
use url::Url;

use crate::{
    FetchError,
    event::Change,
    fetch::{Failed, Http},
    held::PreparedKeys,
    http_cache::{Horizons, Validators},
    policy::{AsOf, Cause},
    timing::MAX_WAIT,
};

mod discovery;
mod file;
mod order;
mod place;

pub(crate) use file::WatchedFile;
pub(crate) use place::Place;

/// All places together.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(8);

/// What a successful attempt brings.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The new keys, or `None` if the last ones are still right.
    pub(crate) keys: Option<PreparedKeys>,
    /// How long the answer says it may be used.
    pub(crate) says: Horizons,
    /// Which of the places it is from.
    pub(crate) place: usize,
    /// What was received, unless it is nothing new.
    pub(crate) received: Option<Received>,
    /// Where the place says that the revocation feed is.
    pub(crate) feed: Option<Url>,
}

/// Why an attempt is made, and the monotonic time at which it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When<'r> {
    pub(crate) cause: Cause,
    pub(crate) now: Duration,
    /// What the first place is told of who asks; the others are not the issuer.
    pub(crate) report: &'r [HeaderValue],
    /// By which the end of a request is dated.
    pub(crate) clock: &'r dyn Clock,
    /// When the held set was surely the issuer's: another one from the same place must not be older.
    pub(crate) as_of: Option<AsOf>,
}

/// A document and where it is from.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) document: String,
    pub(crate) provenance: Provenance,
}

/// The URL that a set was fetched from, and what makes the next request to the same URL conditional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    pub(crate) url: Option<String>,
    pub(crate) validators: Validators,
}

/// The set that was taken last: which place it is from, and how it came. Only that place can say "not modified", and only
/// what that place says is compared by its age.
#[derive(Debug)]
struct LastTaken {
    place: usize,
    provenance: Provenance,
    keys: PreparedKeys,
}

/// Where the key set of one issuer comes from, and what was learned about it.
#[derive(Debug)]
pub(crate) struct Source {
    http: Option<Http>,
    places: Vec<Place>,
    /// Reads a document: with the key names of this house, or of others.
    parse: Parse,
    held: Option<LastTaken>,
    /// The place that answered last: the second to be tried.
    last_good: usize,
}

/// How a document is read: [`JwkSet::parse`] or [`JwkSet::parse_foreign`].
pub(crate) type Parse = fn(&[u8]) -> Result<JwkSet, claviger_jose::JwkSetError>;

impl Source {
    /// Places in the order in which they are tried, and a client if one of them is a URL.
    pub(crate) fn new(http: Option<Http>, places: Vec<Place>, parse: Parse) -> Self {
        Self { http, places, parse, held: None, last_good: 0 }
    }

    /// Goes on where an earlier process was, with a set that is held again.
    pub(crate) fn resume(&mut self, place: usize, provenance: Provenance, keys: PreparedKeys) {
        self.held = Some(LastTaken { place, provenance, keys });
        self.last_good = place;
    }

    /// Makes no request conditional: what is held may not be what was last received.
    pub(crate) fn forget(&mut self) {
        self.held = None;
    }

    /// Whether a watched file is not as it was when it was last looked at: one that an attempt would read.
    pub(crate) async fn has_changed(&mut self, holding: Option<usize>) -> bool {
        let mut changed = false;
        let count = self.count(holding);
        for place in self.places.iter_mut().take(count) {
            if let Place::File(file) = place {
                changed |= file.has_changed().await;
            }
        }
        changed
    }

    /// Tries the places until one answers with a set that can be trusted. They share the time.
    ///
    /// While a usable set is held, those behind the place that it is from are not tried: a mirror may lag behind, and
    /// one failed request must not revive a key that the issuer has withdrawn.
    pub(crate) async fn attempt(
        &mut self,
        when: When<'_>,
        holding: Option<usize>,
    ) -> Result<Fetched, Failed> {
        let count = self.count(holding);
        let parts = u32::try_from(count).unwrap_or(1).max(1);
        let mut failed: Option<Failed> = None;
        for (tried, place) in order::of_attempt(count, self.last_good).enumerate() {
            // A request waits for this one: one place that hangs must not keep it from what the next has.
            let hurried = when.cause == Cause::Wanted && tried + 1 < count;
            match self.try_place(place, when, if hurried { MAX_WAIT } else { ATTEMPT } / parts).await {
                Ok(fetched) => return Ok(fetched),
                Err(failure) => {
                    let name = self.places.get(place).map(Place::name);
                    tracing::debug!(place = name, reason = %failure.error, "a place has no key set for us");
                    failed = Some(failed.map_or(failure, |first| first.and(failure)));
                }
            }
        }
        Err(failed.unwrap_or(FetchError::NoUsableKey.into()))
    }

    /// How many places an attempt would try.
    fn count(&self, holding: Option<usize>) -> usize {
        let count = self.places.len();
        holding.map_or(count, |place| count.min(place + 1))
    }

    async fn try_place(&mut self, index: usize, when: When<'_>, share: Duration) -> Result<Fetched, Failed> {
        let Some(place) = self.places.get_mut(index) else {
            return Err(FetchError::NoUsableKey.into());
        };
        let held = self.held.as_ref().filter(|held| held.place == index);
        let known = held.map(|held| &held.provenance);
        let when = if index == 0 { when } else { When { report: &[], ..when } };
        let attempt = place.fetch(self.http.as_ref(), known, when, self.parse);
        let result = tokio::time::timeout(share, attempt).await;
        let (keys, says, received) =
            result.unwrap_or_else(|_| Err(FetchError::Timeout.into())).inspect_err(|_| place.mistrust())?;
        let offered = AsOf::new(when.clock.monotonic(), says.age);
        let is_older = when.as_of.is_some_and(|held| offered.is_older_than(held));
        let held = self.held.as_ref().filter(|held| held.place == index);
        let (keys, received) = match (keys, held) {
            (Some(keys), Some(held)) if is_older => {
                if !Change::between(Some(&held.keys), &keys).is_none() {
                    return Err(FetchError::Older.into());
                }
                (None, None)
            }
            (keys, _) => (keys, received),
        };
        if let Some(keys) = &keys {
            let provenance = received.as_ref().map(|received| received.provenance.clone());
            let provenance = provenance.unwrap_or_default();
            self.held = Some(LastTaken { place: index, provenance, keys: keys.clone() });
        }
        self.last_good = index;
        let feed = place.revocations_uri().cloned();
        Ok(Fetched { keys, says, place: index, received, feed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_behind_the_place_in_use_is_not_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["first", "second"].map(|name| directory.path().join(name));
        let places = paths.iter().map(|path| Place::file(path.clone())).collect();
        let mut source = Source::new(None, places, JwkSet::parse);
        assert!(!source.has_changed(None).await);
        std::fs::write(&paths[1], "{}").unwrap();
        assert!(!source.has_changed(Some(0)).await);
        assert!(source.has_changed(Some(1)).await);
        std::fs::write(&paths[0], "{}").unwrap();
        assert!(source.has_changed(Some(0)).await);
    }
}
