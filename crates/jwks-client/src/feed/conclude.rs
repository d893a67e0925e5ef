//! What a poll changes of what the handles and the task share.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use claviger_jose::NumericDate;
use reqwest::header::HeaderValue;
use tokio::time::timeout;
use url::Url;

use super::{
    FeedError, News, RevocationList, StatementFault,
    outcome::{Consequence, PollEnd, PollTimes, poll_ended},
    poll::{Fault, POLL, Polled},
    read::Taken,
};
use crate::{
    FetchError, KeysEvent,
    fetch::Failed,
    http_cache::Horizons,
    shared::{Shared, State},
};

/// Longer than a poll takes, by what a busy machine needs to begin it.
const ASKED_WAIT: Duration = POLL.saturating_add(Duration::from_secs(2));

impl Shared {
    /// Where the feed is, if a poll of it is due; otherwise for how long nothing is.
    pub(super) fn next_poll(&self) -> Result<Url, Duration> {
        let mut state = self.state();
        // A client that nobody has needed yet asks for nothing.
        let url = state.feed.url.clone().filter(|_| !state.policy.is_asleep()).ok_or(Duration::MAX)?;
        let pause = state.feed.policy.pause(self.clock.monotonic());
        state.feed.under_way = pause.is_zero();
        if state.feed.under_way { Ok(url) } else { Err(pause) }
    }

    /// The metadata says where the feed is. That it names none any more does not end the polls: nobody but the issuer's
    /// operator would want that, and a restart is in his power.
    pub(crate) fn learn_feed(&self, state: &mut State, told: Option<Url>) {
        let is_ours = !self.foreign && !state.feed.is_configured;
        if let Some(url) = told.filter(|_| is_ours)
            && state.feed.url.as_ref() != Some(&url)
        {
            state.feed.url = Some(url);
            self.poll_wanted.notify_one();
        }
    }

    /// What is sent with a request: nothing to an issuer that is not known to have a feed, which is one of this house.
    pub(crate) fn self_report(&self) -> Vec<HeaderValue> {
        let state = self.state();
        if state.feed.url.is_none() {
            return Vec::new();
        }
        let keys = state.tag.as_deref().filter(|_| state.place.is_some());
        self.reporter.lines(keys, state.feed.list.sequence())
    }

    /// Begins with what an earlier process has kept.
    pub(crate) fn remember(&self, state: &mut State, list: Arc<RevocationList>) {
        state.feed.list = list;
        self.publish(state);
    }

    /// Takes in how a poll ended, as one change under one lock. Answers whether its statement was taken.
    pub(super) fn conclude_poll(&self, began: Duration, result: Result<Polled, Fault>) -> bool {
        let now = self.clock.monotonic();
        let mut state = self.state();
        state.feed.under_way = false;
        let taken = match result {
            Ok(Polled::Statement { taken, says }) => {
                let taken = self.take_statement(&mut state, *taken);
                taken.map(|outcome| (outcome, says)).map_err(Fault::Statement)
            }
            Ok(Polled::Unchanged { says }) => Ok(("not_modified", says)),
            Err(fault) => Err(fault),
        };
        let (outcome, error, end) = match taken {
            Ok((outcome, says)) => match judge_latest(&mut state, self.clock.now(), now, says) {
                Ok(end) => (outcome, None, end),
                Err(error) => ("expired", Some(error), PollEnd::NoNews { fresh: says.fresh }),
            },
            Err(Fault::Fetch(Failed { error, retry_after })) => {
                (error.name(), Some(FeedError::Fetch(error)), PollEnd::Failed { retry_after })
            }
            Err(Fault::Statement(fault)) => {
                self.metrics.statement_refused(fault.name());
                ("refused", Some(FeedError::Refused(fault)), PollEnd::Refused(fault))
            }
        };
        self.follow(&mut state, end, PollTimes { began, now });
        self.note_end(&mut state, error);
        self.polled.send_modify(|count| *count += 1);
        drop(state);
        self.metrics.polled(outcome);
        !matches!(error, Some(FeedError::Fetch(_) | FeedError::Refused(_)))
    }

    /// Tells the policies, and does what follows.
    fn follow(&self, state: &mut State, end: PollEnd, times: PollTimes) {
        if let PollEnd::News { .. } = end {
            state.feed.fresh_at = Some(times.began);
        }
        let jitters = [fastrand::f64(), fastrand::f64()];
        match poll_ended(end, times, jitters, &mut state.feed.policy, &mut state.policy) {
            Consequence::Nothing => {}
            Consequence::Confirmed { is_back } => {
                if is_back {
                    tracing::info!(issuer = %self.issuer, "the issuer is reached again");
                    self.tell(KeysEvent::Recovered);
                }
                self.confirm(state, times.now);
            }
            Consequence::SetWanted => self.wanted.notify_one(),
        }
    }

    /// What is taken holds at once, for whoever looks from now on.
    fn take_statement(&self, state: &mut State, taken: Taken) -> Result<&'static str, StatementFault> {
        let Taken { list, news, latest, signer } = taken;
        // It may have died while the statement was read.
        if state.is_dead(&signer) {
            return Err(StatementFault::DeadSigner);
        }
        let before = state.feed.list.sequence();
        state.feed.list = Arc::new(list);
        state.feed.latest = Some(latest);
        self.publish(state);
        if news.is_change() {
            self.revoke(state, news);
        } else if before != state.feed.list.sequence() {
            self.save(state, false);
        }
        Ok("taken")
    }

    /// What the verifiers read. Before the generation moves: who reads that first never has less than it says.
    fn publish(&self, state: &State) {
        let list = &state.feed.list;
        self.revoked.store(list.is_about_tokens().then(|| Arc::clone(list)));
        self.metrics.revocations(list.sequence(), list.entries());
    }

    fn revoke(&self, state: &mut State, news: News) {
        let before = self.generation.load(Ordering::Acquire);
        self.swap_held(state);
        // A key that goes moves it already; the lock is held, so nobody else does.
        if self.generation.load(Ordering::Acquire) == before {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        let generation = self.generation.load(Ordering::Acquire);
        let entries = state.feed.list.entries();
        let sequence = state.feed.list.sequence();
        tracing::warn!(issuer = %self.issuer, kids = ?news.kids, entries, sequence, "the issuer has revoked more");
        self.tell(KeysEvent::Revoked { kids: news.kids, entries, generation });
        self.save(state, false);
    }

    /// The same fault again is no news.
    fn note_end(&self, state: &mut State, error: Option<FeedError>) {
        let before = std::mem::replace(&mut state.feed.last_error, error);
        let Some(reason) = error.filter(|_| error != before) else {
            return;
        };
        let issuer = &self.issuer;
        tracing::warn!(%issuer, %reason, "the revocation feed has brought no news; what is revoked stays so");
        if let FeedError::Refused(StatementFault::Rollback { held, offered }) = reason {
            self.tell(KeysEvent::RevocationsRolledBack { held, offered });
        }
    }

    /// Polls at once, and waits. What a poll brings that is under way already may be older than the call.
    pub(crate) async fn poll_now(&self) -> Result<(), FeedError> {
        if self.asked_poll().await? {
            self.asked_poll().await?;
        }
        self.state().feed.last_error.map_or(Ok(()), Err)
    }

    /// Answers whether the poll that has ended had begun before.
    async fn asked_poll(&self) -> Result<bool, FeedError> {
        let (joined, mut polled) = {
            let mut state = self.state();
            if state.feed.url.is_none() || state.lost {
                return Err(FeedError::NoFeed);
            }
            state.feed.policy.wake(self.clock.monotonic());
            (state.feed.under_way, self.polled.subscribe())
        };
        self.poll_wanted.notify_one();
        let in_time = timeout(ASKED_WAIT, polled.changed()).await;
        in_time.map_err(|_| FetchError::Timeout)?.map_err(|_| FetchError::Interrupted)?;
        Ok(joined)
    }
}

/// The last statement that was taken is the issuer's latest. If it is still news it says whether the held set is, too.
fn judge_latest(
    state: &mut State,
    wall: NumericDate,
    now: Duration,
    says: Horizons,
) -> Result<PollEnd, FeedError> {
    // "Not modified" is only taken for a statement that was.
    let latest = state.feed.latest.as_ref().ok_or(FeedError::Expired)?;
    let age = state.feed.ages.age(latest.times, wall, now)?.max(says.age);
    let is_held = state.tag.as_ref().map(|tag| *tag == latest.jwks);
    Ok(PollEnd::News { fresh: says.fresh, age, is_held })
}
