//! When to fetch, what to wait for and what to answer. Pure: the time and a random number are
//! arguments, and what it answers is done by others.

use std::time::Duration;

use crate::{
    KeyError, Timing,
    http_cache::Horizons,
    timing::{MAX_FRESHNESS, MAX_STALENESS, MAX_WAIT},
};

mod turn;

pub use turn::{Asked, Cause, Turn, Want};

/// How many fetches unknown kids may cause at once.
const BUCKET: u32 = 2;
/// The shortest pause between attempts: no draw of the jitter and no answer turns the client into a busy loop.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// The first pause after a failure, and the longest, while nothing usable is held.
const COLD: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// The same while the held set bridges the outage.
const WARM: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often somebody may ask for an attempt at once.
const ASKED_PAUSE: Duration = Duration::from_secs(1);
/// Within which time the verifiers of a fleet fetch a set that they were told of.
const OUTDATED_SPREAD: Duration = Duration::from_secs(1);
/// When the issuer signs a statement of the feed anew at the latest: half its life.
const RESIGNED: Duration = Duration::from_mins(5);
/// By how much older at least, and at most by twice that, a statement is that the issuer has not sent: clocks are apart, and
/// polls, too.
const OLD_SPREAD: Duration = Duration::from_mins(1);
/// An attempt at this time is one that nobody makes.
const NEVER: Duration = Duration::MAX;

/// The state of one issuer's key set, as far as decisions need it. All times are monotonic.
#[derive(Debug)]
pub struct Policy {
    timing: Timing,
    /// The least freshness that the issuer can ask for.
    min_freshness: Duration,
    /// How long the held set is fresh.
    freshness: Duration,
    /// How long it may be used while the issuer cannot be reached: ours, or less if the issuer says so.
    staleness: Duration,
    /// The beginning of the last attempt that succeeded: the age of the set is never understated.
    contact: Option<Contact>,
    /// When the held set was surely the issuer's, as far as that can be compared.
    as_of: Option<AsOf>,
    /// The beginning of the attempt under way.
    under_way: Option<Duration>,
    /// When the next attempt is due.
    next_at: Duration,
    /// The next attempt is one that a request was granted.
    granted: bool,
    /// Somebody waits for the next attempt, or a source has changed: nothing puts it off.
    promised: bool,
    /// When somebody last asked for an attempt at once.
    asked_at: Option<Duration>,
    /// Attempts that failed in a row.
    failures: u32,
    /// It was told that the set is stale, and not yet that contact is back.
    told_stale: bool,
    /// The issuer asked to be left alone until then.
    barred_until: Duration,
    /// The beginning of the last attempt that succeeded in this process.
    fetched_at: Option<Duration>,
    /// How often in a row the feed said that the issuer has another set.
    outdated: u32,
    /// When the bucket for unknown kids will be full again.
    bucket_full_at: Duration,
}

/// `Age` counts whole seconds.
const AGE_UNIT: Duration = Duration::from_secs(1);
/// A statement of the feed may be signed by a replica whose look is a lease old, at most two minutes, and is dated by a clock
/// that is off by a minute at most.
const WORD_UNIT: Duration = Duration::from_mins(3);

/// When something was true at the issuer: so much `before` the monotonic time `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    at: Duration,
    before: Duration,
}

impl AsOf {
    /// An answer at this time that says that it is so old. Older than any set may be used is as old as it gets.
    #[must_use]
    pub fn new(at: Duration, age: Duration) -> Self {
        Self { at, before: age.min(MAX_STALENESS) }
    }

    /// Whether this was surely true at an earlier time than the other: a copy of a cache, or of a replica that is cut off.
    #[must_use]
    pub fn is_older_than(self, other: Self) -> bool {
        self.at + other.before + AGE_UNIT < other.at + self.before
    }

    fn or_later(self, other: Option<Self>) -> Self {
        other.filter(|other| self.at + other.before < other.at + self.before).unwrap_or(self)
    }
}

/// What is known about the last contact with the issuer.
#[derive(Debug, Clone, Copy)]
enum Contact {
    /// In this process, at `at`; what answered was a cache that had heard of the issuer that much before, or the issuer.
    Own { at: Duration, before: Duration },
    /// The feed, asked at `at`, has named the set in a statement that was signed that much before.
    Vouched { at: Duration, before: Duration },
    /// By an earlier process, that much before `at`. Nobody has confirmed the set since.
    Earlier { at: Duration, before: Duration },
    /// The set is the operator's word: it does not age.
    Fixed,
}

impl Policy {
    /// A policy that holds nothing and wants the first fetch now.
    #[must_use]
    pub fn new(timing: Timing, min_freshness: Duration) -> Self {
        Self {
            timing,
            min_freshness,
            freshness: timing.freshness(),
            staleness: timing.staleness(),
            contact: None,
            as_of: None,
            under_way: None,
            next_at: Duration::ZERO,
            granted: false,
            promised: false,
            asked_at: None,
            failures: 0,
            told_stale: false,
            barred_until: Duration::ZERO,
            fetched_at: None,
            outdated: 0,
            bucket_full_at: Duration::ZERO,
        }
    }

    /// Begins no attempt before somebody wants one.
    #[must_use]
    pub fn asleep(self) -> Self {
        Self { next_at: NEVER, ..self }
    }

    /// Holds a set that never changes.
    #[must_use]
    pub fn fixed(self) -> Self {
        Self { contact: Some(Contact::Fixed), next_at: NEVER, ..self }
    }

    /// Holds a set that an earlier process kept, `age` after its last contact. It is stale: an attempt is due as it
    /// was, and trust is not extended.
    #[must_use]
    pub fn restored(self, now: Duration, age: Duration, staleness: Duration) -> Self {
        let contact = Some(Contact::Earlier { at: now, before: age });
        let as_of = Some(AsOf::new(now, age));
        Self { contact, as_of, staleness: staleness.min(self.timing.staleness()), next_at: now, ..self }
    }

    /// An attempt is due now, or as soon as the issuer allows: somebody needs the set for the first time, or a source has
    /// changed.
    pub fn wake(&mut self, now: Duration) {
        if !self.is_fixed() {
            self.next_at = self.next_at.min(now.max(self.barred_until));
            self.promised = true;
        }
    }

    /// Whether no attempt is made before somebody wants one.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        self.next_at == NEVER && !self.is_fixed()
    }

    /// A set was fetched (or confirmed, with `confirmed`) that says how long it may be used, or does not. Answers
    /// whether this is the news that contact is back.
    pub fn succeeded(&mut self, now: Duration, confirmed: bool, says: Horizons, jitter: f64) -> bool {
        let default = if confirmed { self.freshness } else { self.timing.freshness() };
        self.freshness = says.fresh.unwrap_or(default).clamp(self.min_freshness, MAX_FRESHNESS);
        let default = if confirmed { self.staleness } else { self.timing.staleness() };
        self.staleness = says.stale.unwrap_or(default).min(self.timing.staleness());
        let began = self.under_way.take().unwrap_or(now);
        let said = AsOf::new(began, says.age);
        // Who has heard of the issuer longer ago than we confirms the set, and makes it no older.
        let known = self.age(began).filter(|_| confirmed && self.as_of.is_some());
        let before = known.map_or(said.before, |known| known.min(said.before));
        self.contact = Some(Contact::Own { at: began, before });
        self.as_of = Some(said.or_later(self.as_of.filter(|_| confirmed)));
        self.fetched_at = Some(began);
        self.failures = 0;
        self.barred_until = Duration::ZERO;
        self.next_at = (began + early(self.freshness, jitter)).max(now + MIN_PAUSE);
        std::mem::take(&mut self.told_stale)
    }

    /// An attempt failed; the issuer may have said when to come back. Answers whether this is the news that the held
    /// set is stale.
    pub fn failed(&mut self, now: Duration, retry_after: Option<Duration>, jitter: f64) -> bool {
        self.under_way = None;
        let (first, longest) = if self.is_usable(now) { WARM } else { COLD };
        let bound = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let pause = bound.mul_f64(jitter).max(MIN_PAUSE);
        let told = retry_after.unwrap_or(Duration::ZERO);
        self.barred_until = now + told;
        // All were told the same time: a tenth more, at random, keeps them from returning as one.
        self.next_at = now + pause.max(told.mul_f64(1.0 + 0.1 * jitter));
        let news = !self.told_stale && self.fresh_until().is_some_and(|until| until <= now);
        self.told_stale |= news;
        news
    }

    /// The feed, asked at `began`, says that the held set is the issuer's, in a statement that was signed `before` that: as
    /// good as to have asked for the set itself then. Answers whether this is the news that contact is back.
    pub fn vouched(&mut self, began: Duration, before: Duration, jitter: f64) -> bool {
        let is_later = !self.is_fixed() && self.age(began).is_some_and(|age| before <= age);
        if !is_later {
            return false;
        }
        self.contact = Some(Contact::Vouched { at: began, before });
        self.as_of = self.as_of.map(|known| AsOf::new(began, before + WORD_UNIT).or_later(Some(known)));
        self.outdated = 0;
        if self.failures == 0 && self.under_way.is_none() && !self.promised && self.next_at > began {
            self.next_at = self.fetch_after_word(began, before, jitter);
        }
        std::mem::take(&mut self.told_stale)
    }

    /// When the set is fetched although the feed vouches for it, unless it does so again.
    fn fetch_after_word(&self, began: Duration, before: Duration, jitter: f64) -> Duration {
        // Not for ever: where the set is, and what its answer says of itself, the feed does not tell.
        let latest = self.fetched_at.unwrap_or(began) + early(MAX_FRESHNESS, jitter);
        // In time, where the set may be used for no longer than it is fresh.
        let left = self.staleness.max(self.freshness).saturating_sub(before).min(self.freshness);
        // A statement that is older than any which the issuer sends comes from something on the way: ask for the set.
        let word = (RESIGNED + OLD_SPREAD.mul_f64(1.0 + jitter)).saturating_sub(before);
        (began + early(left, jitter).min(word)).min(latest)
    }

    /// The feed says that the issuer has another set than the held one: an attempt is due, within a second, so that not
    /// all verifiers come at once. If the set stays another one nevertheless, each attempt for it comes later than the
    /// one before.
    pub fn outdated(&mut self, now: Duration, jitter: f64) {
        if self.is_fixed() || self.under_way.is_some() {
            return;
        }
        let spacing = match self.outdated {
            0 => Duration::ZERO,
            in_row => OUTDATED_SPREAD.saturating_mul(1 << in_row.min(16)).min(self.freshness),
        };
        self.outdated = self.outdated.saturating_add(1);
        let earliest = self.fetched_at.map_or(Duration::ZERO, |at| at + spacing.max(MIN_PAUSE));
        let at = (now + OUTDATED_SPREAD.mul_f64(jitter)).max(earliest).max(self.barred_until);
        self.next_at = self.next_at.min(at);
    }

    /// What a kid that is still not held is told. A set that was never confirmed in this process does not say what
    /// the issuer lacks, nor does one that lay in a cache for longer than any set is fresh.
    #[must_use]
    pub fn refusal(&self, now: Duration) -> KeyError {
        let confirmed = !matches!(self.contact, Some(Contact::Earlier { .. }));
        let recent = self.age(now).is_some_and(|age| age <= MAX_FRESHNESS);
        if self.failures == 0 && confirmed && recent && self.is_usable(now) {
            KeyError::UnknownKid
        } else {
            self.unavailable(now)
        }
    }

    /// The answer for a request whose wait was over before the attempt was.
    #[must_use]
    pub fn unavailable(&self, now: Duration) -> KeyError {
        let left = if self.under_way.is_some() { Duration::ZERO } else { self.next_at.saturating_sub(now) };
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        KeyError::Unavailable { retry_after: Duration::from_secs(seconds.clamp(1, 60)) }
    }

    /// Until when the held set may be used; `None` without one. A set may always be used while it is fresh.
    #[must_use]
    pub fn usable_until(&self) -> Option<Duration> {
        self.contact.map(|contact| match contact {
            Contact::Own { at, before } => at + self.staleness.saturating_sub(before).max(self.freshness),
            Contact::Vouched { at, before } => at + self.staleness.max(self.freshness).saturating_sub(before),
            Contact::Earlier { at, before } => (at + self.staleness).saturating_sub(before),
            Contact::Fixed => NEVER,
        })
    }

    /// Until when the held set is fresh; `None` without one.
    #[must_use]
    pub fn fresh_until(&self) -> Option<Duration> {
        self.contact.map(|contact| match contact {
            Contact::Own { at, .. } | Contact::Vouched { at, .. } => at + self.freshness,
            Contact::Earlier { .. } => Duration::ZERO,
            Contact::Fixed => NEVER,
        })
    }

    /// The time since the last contact with the issuer itself, as far as it is known.
    #[must_use]
    pub fn age(&self, now: Duration) -> Option<Duration> {
        self.contact.map(|contact| match contact {
            Contact::Own { at, before }
            | Contact::Vouched { at, before }
            | Contact::Earlier { at, before } => now.saturating_sub(at) + before,
            Contact::Fixed => Duration::ZERO,
        })
    }

    /// When the held set was surely the issuer's, at the latest: another set from before is none to change to. `None` if that
    /// is not known, or the set is of no use any more.
    #[must_use]
    pub fn as_of(&self, now: Duration) -> Option<AsOf> {
        self.as_of.filter(|_| self.is_usable(now))
    }

    /// The monotonic clock may have stood still: ages by it and by the issuer's clock cannot be compared.
    pub fn slept(&mut self, now: Duration) {
        self.as_of = None;
        self.wake(now);
    }

    /// For how long after its last contact the held set may be used while the issuer cannot be reached.
    #[must_use]
    pub fn staleness(&self) -> Duration {
        self.staleness
    }

    fn is_fixed(&self) -> bool {
        matches!(self.contact, Some(Contact::Fixed))
    }

    /// Whether a set is held that may be used.
    #[must_use]
    pub fn is_usable(&self, now: Duration) -> bool {
        self.usable_until().is_some_and(|until| now < until)
    }
}

/// At 0.8 of the freshness, give or take a tenth: before it is over, and not all verifiers at once.
fn early(freshness: Duration, jitter: f64) -> Duration {
    freshness.mul_f64(0.8 * (0.9 + 0.2 * jitter))
}

#[cfg(test)]
mod tests;
