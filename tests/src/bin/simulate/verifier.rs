//! A verifier: ours, which runs the real policies, in several versions; or one of other people's.

use std::{collections::BTreeSet, time::Duration};

use claviger_jose::{NumericDate, Revocations};
use claviger_jwks_client::{
    KeyError, Timing,
    simulation::{
        AsOf, FeedPolicy, Horizons, MIN_POLL, Policy, PollEnd, PollTimes, RevocationList, SignedFor,
        StatementAges, Turn, Want, poll_ended,
    },
};

use crate::{
    chance::Chance,
    database::{KeyNo, Version},
    disturbance::Disturbances,
    meddling::Freeze,
    scenario::Scenario,
    statement::Statement,
    time::{HOUR, Millis, SECOND, date_off, millis, monotonic},
};

/// The least freshness that a client of an issuer on https takes.
const MIN_FRESHNESS: Duration = Duration::from_mins(1);
/// An attempt that nobody will make.
pub(crate) const NEVER: Millis = Millis::MAX;

/// What kind of verifier it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// Ours, with the revocation feed.
    Feed,
    /// Ours, of before the feed: the key set only.
    KeySet,
    /// Somebody else's: a cache for an hour, and nothing asks in between.
    HourCache,
    /// Somebody else's: fetches when a kid is unknown and never else (go-oidc).
    OnUnknownKid,
    /// Somebody else's: fetches at its start, and never again. No lead can cover it.
    AtStart,
}

impl Class {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Feed => "ours, feed",
            Self::KeySet => "ours, key set only",
            Self::HourCache => "foreign, cached 1 h",
            Self::OnUnknownKid => "foreign, on unknown kid",
            Self::AtStart => "foreign, at start only",
        }
    }

    pub(crate) const fn is_ours(self) -> bool {
        matches!(self, Self::Feed | Self::KeySet)
    }

    /// The share of each among a thousand: with foreign ones if they are allowed for.
    pub(crate) fn of(number: usize, foreign: bool) -> Self {
        match (number * 617) % 1000 {
            0..600 => Self::Feed,
            600..800 => Self::KeySet,
            _ if !foreign => Self::Feed,
            800..900 => Self::HourCache,
            900..960 => Self::OnUnknownKid,
            _ => Self::AtStart,
        }
    }
}

/// A verifier and what it knows.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four things that are true or not, each by itself")]
pub(crate) struct Verifier {
    pub(crate) class: Class,
    /// By how much its clock is off.
    pub(crate) clock: i64,
    /// The set that it holds.
    pub(crate) held: Option<Version>,
    pub(crate) client: Client,
    /// When it last told the issuer what it holds, and what that was.
    pub(crate) told: Option<(Millis, Option<Version>)>,
    /// Cut off from the issuer.
    pub(crate) is_cut: bool,
    /// Its last contact failed, or was lost.
    pub(crate) is_disturbed: bool,
    /// When it was cut off or lost messages.
    pub(crate) disturbances: Disturbances,
    /// When it last began with nothing: it knows of no revocation then until its first poll.
    pub(crate) began_at: Millis,
    /// Its last polls through a cache that was stuck.
    pub(crate) frozen: Option<Freeze>,
    /// The thief of this key has told it something, and the issuer nothing since.
    pub(crate) robbed_by: Option<KeyNo>,
    /// Somebody drains its bucket for unknown kids until then.
    pub(crate) flooded_until: Millis,
    /// When its next attempt is; the event of any other time is void.
    pub(crate) next_poll: Millis,
    /// Nothing but confirmations will come: its attempts are not simulated one by one.
    pub(crate) is_quiet: bool,
    /// A request waits for the attempt under way.
    pub(crate) is_waited_for: bool,
    /// When tokens of a key that it lacks are presented again.
    pub(crate) meets_at: Millis,
    /// The revoked keys that it knows to be so, though its set has them.
    pub(crate) denied: BTreeSet<KeyNo>,
    /// The newest key that it has ever held.
    pub(crate) knows_up_to: KeyNo,
    /// What will arrive, if that takes long.
    pub(crate) in_flight: Option<InFlight>,
}

/// The policies that it lives by.
#[derive(Debug)]
pub(crate) enum Client {
    Ours { policy: Box<Policy>, feed: Option<Box<Feed>> },
    Foreign { fetched_at: Millis },
}

/// The part that follows the revocation feed.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) policy: FeedPolicy,
    pub(crate) list: RevocationList,
    /// The statement that was taken last.
    pub(crate) latest: Option<Latest>,
    ages: StatementAges,
}

/// What the client keeps of a statement.
#[derive(Debug, Clone)]
pub(crate) struct Latest {
    pub(crate) statement: Statement,
    times: SignedFor,
    set: Version,
}

impl Latest {
    pub(crate) fn of(statement: Statement, said: &Revocations, set: Version) -> Self {
        Self { statement, times: SignedFor { iat: said.iat, exp: said.exp }, set }
    }
}

impl Feed {
    /// What an answered poll tells that has left this statement the latest, to a verifier that holds this set. The answer
    /// says nothing of its own age: it comes from the issuer, or from a cache that keeps that to itself.
    pub(crate) fn end(
        &mut self,
        held: Option<Version>,
        (here, now): (NumericDate, Millis),
        fresh: Duration,
    ) -> PollEnd {
        let fresh = Some(fresh);
        let Some(latest) = &self.latest else { return PollEnd::NoNews { fresh } };
        match self.ages.age(latest.times, here, monotonic(now)) {
            Ok(age) => PollEnd::News { fresh, age, is_held: held.map(|held| held == latest.set) },
            Err(_) => PollEnd::NoNews { fresh },
        }
    }
}

/// An exchange with the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    Feed,
    KeySet,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct InFlight {
    pub(crate) errand: Errand,
    pub(crate) began: Millis,
    /// The replica that answers.
    pub(crate) replica: usize,
    /// What it published when it was asked.
    pub(crate) version: Version,
    /// When it had last seen that in the database.
    pub(crate) looked: Millis,
}

impl Verifier {
    pub(crate) fn new(number: usize, scenario: &Scenario, chance: &mut Chance) -> Self {
        let class = Class::of(number, scenario.policy.lifetimes().foreign_verifiers);
        let skew = millis(scenario.policy.lifetimes().skew);
        // Some clocks are wrong. With the feed only one, for it takes no statement and is never quiet.
        let is_wrong = if class == Class::KeySet { chance.once_in(20) } else { number == 0 };
        let clock = if is_wrong { chance.within(3 * skew) } else { chance.within(skew / 2) };
        Self {
            class,
            clock,
            held: None,
            told: None,
            client: Client::started(class, scenario),
            is_cut: false,
            is_disturbed: false,
            disturbances: Disturbances::default(),
            began_at: 0,
            frozen: None,
            robbed_by: None,
            flooded_until: 0,
            next_poll: NEVER,
            is_quiet: false,
            is_waited_for: false,
            meets_at: 0,
            denied: BTreeSet::new(),
            knows_up_to: 0,
            in_flight: None,
        }
    }

    /// Begins anew; with its copy on disk, if it has one.
    pub(crate) fn restart(&mut self, scenario: &Scenario, now: Millis, with_copy: bool) {
        let age = match &self.client {
            Client::Ours { policy, .. } => policy.age(monotonic(now)),
            Client::Foreign { .. } => None,
        };
        let mut started = Client::started(self.class, scenario);
        if let Client::Ours { policy, feed } = &mut started
            && let (Some(age), true) = (age, with_copy)
        {
            let fresh = Policy::new(timing(scenario), MIN_FRESHNESS);
            **policy = fresh.restored(monotonic(now), age, scenario.staleness);
            if let (Some(feed), Client::Ours { feed: Some(kept), .. }) = (feed, &self.client) {
                feed.list = kept.list.clone();
            }
        } else {
            (self.held, self.began_at) = (None, now);
        }
        self.disturbances.note(now);
        (self.client, self.in_flight, self.is_waited_for, self.is_quiet) = (started, None, false, false);
    }

    /// What it does now, if anything is due. A set that is asked for is then under way.
    pub(crate) fn begin(&mut self, now: Millis) -> Option<Errand> {
        match &mut self.client {
            Client::Ours { feed: Some(feed), .. } if feed.policy.pause(monotonic(now)).is_zero() => {
                Some(Errand::Feed)
            }
            Client::Ours { policy, .. } => {
                matches!(policy.turn(monotonic(now)), Turn::Fetch(_)).then_some(Errand::KeySet)
            }
            Client::Foreign { .. } => Some(Errand::KeySet),
        }
    }

    /// An attempt came to nothing.
    pub(crate) fn failed(&mut self, errand: Errand, now: Millis, chance: &mut Chance) {
        self.is_disturbed = true;
        self.disturbances.note(now);
        match (&mut self.client, errand) {
            (Client::Ours { feed: Some(feed), .. }, Errand::Feed) => {
                feed.policy.failed(monotonic(now), None, chance.unit());
            }
            (Client::Ours { policy, .. }, _) => {
                policy.failed(monotonic(now), None, chance.unit());
            }
            (Client::Foreign { .. }, _) => {}
        }
    }

    /// Whether its set is surely later than one that is offered. Other people's clients do not ask.
    pub(crate) fn holds_later(&self, now: Millis, age: Duration) -> bool {
        match &self.client {
            Client::Ours { policy, .. } => {
                let held = policy.as_of(monotonic(now));
                held.is_some_and(|held| AsOf::new(monotonic(now), age).is_older_than(held))
            }
            Client::Foreign { .. } => false,
        }
    }

    /// A set has come, or the word that it is the same.
    pub(crate) fn fetched(&mut self, version: Version, now: Millis, says: Horizons, chance: &mut Chance) {
        let confirmed = self.held == Some(version);
        match &mut self.client {
            Client::Ours { policy, .. } => {
                policy.succeeded(monotonic(now), confirmed, says, chance.unit());
            }
            Client::Foreign { fetched_at } => *fetched_at = now,
        }
        (self.held, self.is_disturbed) = (Some(version), false);
    }

    /// When it will do something by itself.
    pub(crate) fn next_attempt(&mut self, now: Millis, chance: &mut Chance) -> Millis {
        match &mut self.client {
            Client::Ours { policy, feed } => {
                // Asked twice at one moment, it answers the same twice.
                let set = match policy.turn(monotonic(now)) {
                    Turn::Fetch(_) => Duration::ZERO,
                    Turn::Sleep(pause) => pause,
                };
                let feed = feed.as_ref().map_or(Duration::MAX, |feed| feed.policy.pause(monotonic(now)));
                let pause = set.min(feed);
                now + millis(pause) + Millis::from(pause.subsec_nanos() % 1_000_000 > 0)
            }
            Client::Foreign { .. } if self.held.is_none() => now + SECOND,
            Client::Foreign { fetched_at } => match self.class {
                Class::HourCache if self.is_disturbed => now + chance.between(SECOND, 10 * SECOND),
                Class::HourCache => *fetched_at + HOUR,
                _ => NEVER,
            },
        }
    }

    /// Until when it uses the set that it holds.
    pub(crate) fn usable_until(&self) -> Millis {
        match &self.client {
            Client::Ours { policy, .. } => policy.usable_until().map_or(0, millis),
            Client::Foreign { .. } => NEVER,
        }
    }

    /// A request needs a kid that is not there.
    pub(crate) fn want(&mut self, now: Millis) -> Want {
        match &mut self.client {
            Client::Ours { policy, .. } => policy.want(monotonic(now)),
            Client::Foreign { .. } if self.class == Class::OnUnknownKid => Want::Granted,
            Client::Foreign { .. } => Want::Refused,
        }
    }

    /// What a request is told whose kid is still not there.
    pub(crate) fn refusal(&self, now: Millis) -> KeyError {
        match &self.client {
            Client::Ours { policy, .. } => policy.refusal(monotonic(now)),
            Client::Foreign { .. } => KeyError::UnknownKid,
        }
    }

    /// What the issuer last heard of it.
    pub(crate) fn reported(&self, now: Millis) -> Option<(Millis, Option<Version>)> {
        if self.is_quiet { Some((now, self.held)) } else { self.told }
    }

    pub(crate) fn list(&self) -> Option<&RevocationList> {
        match &self.client {
            Client::Ours { feed: Some(feed), .. } => Some(&feed.list),
            _ => None,
        }
    }

    pub(crate) fn latest(&self) -> Option<&Latest> {
        match &self.client {
            Client::Ours { feed: Some(feed), .. } => feed.latest.as_ref(),
            _ => None,
        }
    }

    /// What has become of it that could excuse it.
    pub(crate) fn fate(&self) -> String {
        let Self { class, clock, is_cut, disturbances, robbed_by, .. } = self;
        let frozen = self.frozen.map(|freeze| (freeze.from, freeze.until));
        format!(
            "it is {}, its clock off by {clock} ms, it is cut off: {is_cut}, was out of reach {disturbances:?}, its feed stood \
             still {frozen:?}, a thief of key {robbed_by:?} has told it something",
            class.name()
        )
    }

    /// The cache that it polls through is stuck.
    pub(crate) fn freeze(&self, now: Millis) -> Option<Freeze> {
        self.frozen.filter(|freeze| now < freeze.until)
    }

    pub(crate) fn is_flooded(&self, now: Millis) -> bool {
        now < self.flooded_until
    }

    /// It has confirmed the same set over and over while nobody looked: now it is as after the last of these times,
    /// which is drawn from where such a row of polls may stand at any moment.
    pub(crate) fn catch_up(
        &mut self,
        now: Millis,
        (says, poll): (Horizons, Duration),
        latest: &Latest,
        chance: &mut Chance,
    ) {
        if self.next_poll > now {
            return; // nothing has happened since
        }
        let (version, class) = (self.held, self.class);
        match &mut self.client {
            Client::Ours { policy, feed } => {
                let fresh = says.fresh.unwrap_or_default().max(MIN_FRESHNESS);
                let longest = if feed.is_some() { Duration::from_hours(1) } else { fresh };
                let (at, jitter) = last_of_a_row(longest.mul_f64(0.8), now, chance);
                policy.turn(monotonic(at));
                policy.succeeded(monotonic(at), version.is_some(), says, jitter);
                if let Some(feed) = feed {
                    let (at, jitter) = last_of_a_row(poll, now, chance);
                    feed.latest = Some(latest.clone());
                    let end = feed.end(version, (date_off(at, self.clock), at), poll);
                    let times = PollTimes { began: monotonic(at), now: monotonic(at) };
                    poll_ended(end, times, [jitter, chance.unit()], &mut feed.policy, policy);
                }
            }
            Client::Foreign { fetched_at } if class == Class::HourCache => {
                *fetched_at = now.saturating_sub(chance.between(0, HOUR - 1));
            }
            Client::Foreign { .. } => {}
        }
    }
}

impl Client {
    fn started(class: Class, scenario: &Scenario) -> Self {
        if !class.is_ours() {
            return Self::Foreign { fetched_at: 0 };
        }
        let feed = || Feed {
            policy: FeedPolicy::new(scenario.poll, MIN_POLL),
            list: RevocationList::default(),
            latest: None,
            ages: StatementAges::default(),
        };
        Self::Ours {
            policy: Box::new(Policy::new(timing(scenario), MIN_FRESHNESS)),
            feed: (class == Class::Feed).then(|| Box::new(feed())),
        }
    }
}

fn timing(scenario: &Scenario) -> Timing {
    Timing::default().with_staleness(scenario.staleness).expect("M is within its bounds")
}

/// Of a row of events, each 0.9 to 1.1 times `pause` after the one before, the last one until now, and the jitter of
/// the pause after it. A longer pause is more likely to be the one that now is in.
fn last_of_a_row(pause: Duration, now: Millis, chance: &mut Chance) -> (Millis, f64) {
    let mut jitter = chance.unit();
    while chance.unit() * 1.1 > 0.9 + 0.2 * jitter {
        jitter = chance.unit();
    }
    let since = millis(pause.mul_f64((0.9 + 0.2 * jitter) * chance.unit()));
    (now.saturating_sub(since), jitter)
}
