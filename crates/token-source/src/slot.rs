//! What is held for one audience and scope, and what to do next about it.

use std::time::Duration;

use tokio::time::Instant;

use crate::{AccessToken, TokenSourceError, policy::Policy};

/// A token and its times, all counted from before it was asked for: the network's delay shortens
/// a token's use and never prolongs it.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) token: AccessToken,
    pub(crate) lifetime: Duration,
    pub(crate) since: Instant,
}

/// Why an attempt brought no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The issuer said no, with a code of RFC 6749 section 5.2.
    Refused { code: Box<str> },
    /// Anything else.
    Unavailable { reason: &'static str, retry_after: Option<Duration> },
}

/// The state behind one key of the cache.
#[derive(Debug)]
pub(crate) struct Slot {
    held: Option<Grant>,
    /// The outcome of the last attempt, if that failed.
    fault: Option<Fault>,
    /// Attempts in a row that failed.
    failures: u32,
    /// No attempt is made before this.
    due: Instant,
    /// When somebody last wanted the token.
    asked: Instant,
    /// Whether a refresher runs: it alone makes attempts, so that there is one at a time.
    pub(crate) refreshing: bool,
}

/// What a caller gets.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A token that outlives the call.
    Token(AccessToken),
    /// The last attempt failed and it is too early for another.
    Fault(TokenSourceError),
    /// An attempt is under way; ask again when the slot has changed.
    Wait,
}

/// What the refresher does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask the issuer now.
    Fetch,
    /// Nothing until then.
    SleepUntil(Instant),
    /// End: nobody needs this token, or the next caller decides whether to try again.
    End,
}

impl Slot {
    pub(crate) fn empty(now: Instant) -> Self {
        Self { held: None, fault: None, failures: 0, due: now, asked: now, refreshing: false }
    }

    /// Answers a caller. One that has `waited` for an attempt gets its outcome, or it could wait
    /// for one attempt after another.
    pub(crate) fn ask(&mut self, now: Instant, waited: bool) -> Answer {
        self.asked = now;
        if let Some(grant) = self.usable(now) {
            return Answer::Token(grant.token.clone());
        }
        match &self.fault {
            Some(fault) if waited || now < self.due => Answer::Fault(self.told(fault, now)),
            _ => Answer::Wait,
        }
    }

    /// Whether a refresher has to be started: there is something to fetch, now or later.
    pub(crate) fn needs_refresher(&self, now: Instant) -> bool {
        !self.refreshing && (now >= self.due || self.usable(now).is_some())
    }

    /// The refresher's next step.
    pub(crate) fn plan(&mut self, now: Instant) -> Step {
        if now < self.due {
            let sleeps = self.usable(now).is_some();
            return if sleeps { Step::SleepUntil(self.due) } else { Step::End };
        }
        match &self.held {
            Some(grant) if now.duration_since(self.asked) > grant.lifetime => {
                *self = Self { asked: self.asked, refreshing: self.refreshing, ..Self::empty(now) };
                Step::End
            }
            _ => Step::Fetch,
        }
    }

    /// Takes the outcome of an attempt that ended now.
    pub(crate) fn record(
        &mut self,
        outcome: Result<Grant, Fault>,
        now: Instant,
        policy: &Policy,
        chance: f64,
    ) {
        let outcome =
            outcome.and_then(|grant| if grant.is_usable(now) { Ok(grant) } else { Err(Fault::TOO_SHORT) });
        match outcome {
            Ok(grant) => {
                self.due = grant.since + policy.refresh_after(grant.lifetime, chance);
                (self.held, self.fault, self.failures) = (Some(grant), None, 0);
            }
            Err(fault) => {
                self.failures = self.failures.saturating_add(1);
                self.due = now
                    + match &fault {
                        Fault::Refused { .. } => policy.after_refusal(chance),
                        Fault::Unavailable { retry_after, .. } => {
                            policy.backoff(self.failures, *retry_after, chance)
                        }
                    };
                self.fault = Some(fault);
            }
        }
    }

    fn usable(&self, now: Instant) -> Option<&Grant> {
        self.held.as_ref().filter(|grant| grant.is_usable(now))
    }

    fn told(&self, fault: &Fault, now: Instant) -> TokenSourceError {
        match fault {
            Fault::Refused { code } => TokenSourceError::Refused { code: code.clone() },
            Fault::Unavailable { reason, .. } => {
                let retry_after = self.due.saturating_duration_since(now);
                TokenSourceError::Unavailable { reason, retry_after }
            }
        }
    }
}

impl Grant {
    fn is_usable(&self, now: Instant) -> bool {
        now < self.since + Policy::usable_for(self.lifetime)
    }
}

impl Fault {
    const TOO_SHORT: Self = Self::unavailable("the issuer's token lives too short to be used");

    pub(crate) const fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable { reason, retry_after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slot, and a clock that counts milliseconds from its making.
    struct Story {
        start: Instant,
        slot: Slot,
    }

    impl Story {
        fn new() -> Self {
            let start = Instant::now();
            Self { start, slot: Slot::empty(start) }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        /// A token that was asked for at `since` and arrives at `now`; jitter at its middle.
        fn granted(&mut self, token: &str, lifetime: u64, since: u64, now: u64) {
            let lifetime = Duration::from_secs(lifetime);
            let token = AccessToken::new(token.to_owned(), self.at(since) + lifetime);
            let grant = Grant { token, lifetime, since: self.at(since) };
            self.slot.record(Ok(grant), self.at(now), &Policy::default(), 0.5);
        }

        fn failed(&mut self, fault: Fault, now: u64) {
            self.slot.record(Err(fault), self.at(now), &Policy::default(), 1.0);
        }

        fn check_ask(&mut self, ms: u64, expected: &str) {
            self.check(ms, false, expected);
        }

        fn check(&mut self, ms: u64, waited: bool, expected: &str) {
            let answer = match self.slot.ask(self.at(ms), waited) {
                Answer::Token(token) => token.as_str().to_owned(),
                Answer::Fault(TokenSourceError::Unavailable { retry_after, .. }) => {
                    format!("{retry_after:?}")
                }
                Answer::Fault(error) => error.to_string(),
                Answer::Wait => "wait".to_owned(),
            };
            assert_eq!(answer, expected, "at {ms} ms");
        }

        fn check_plan(&mut self, ms: u64, expected: Step) {
            assert_eq!(self.slot.plan(self.at(ms)), expected, "at {ms} ms");
        }
    }

    const DOWN: Fault = Fault::unavailable("down");

    #[test]
    fn the_first_caller_waits_for_the_first_token() {
        let mut story = Story::new();
        story.check_ask(0, "wait");
        assert!(story.slot.needs_refresher(story.at(0)));
        story.check_plan(0, Step::Fetch);
        story.granted("first", 100, 0, 50);
        story.check(50, true, "first");
    }

    #[test]
    fn a_token_is_fetched_ahead_and_used_until_its_last_seconds() {
        let mut story = Story::new();
        story.granted("first", 100, 0, 50);
        let due = story.at(80_000);
        story.check_plan(50, Step::SleepUntil(due));
        story.check_ask(79_999, "first");
        story.check_plan(79_999, Step::SleepUntil(due));
        story.check_plan(80_000, Step::Fetch);
        story.check_ask(94_999, "first");
        story.check_ask(95_000, "wait");
        story.granted("second", 100, 95_000, 95_100);
        story.check_ask(95_100, "second");
    }

    #[test]
    fn an_outage_shorter_than_the_rest_of_the_token_is_not_noticed() {
        let mut story = Story::new();
        story.granted("first", 100, 0, 50);
        story.check_ask(80_000, "first");
        story.failed(DOWN, 80_000);
        let next = story.at(80_250);
        story.check_plan(80_000, Step::SleepUntil(next));
        story.check_ask(80_100, "first");
        story.failed(DOWN, 80_250);
        story.check_ask(80_700, "first");
        story.granted("second", 100, 80_750, 80_760);
        story.check_ask(80_800, "second");
    }

    #[test]
    fn an_expired_token_is_never_handed_out() {
        let mut story = Story::new();
        story.granted("first", 100, 0, 50);
        story.failed(DOWN, 94_900);
        story.check_ask(94_999, "first");
        story.check_ask(95_000, "150ms");
        story.check_ask(95_149, "1ms");
        story.check_ask(95_150, "wait");
    }

    #[test]
    fn a_token_that_ended_on_its_way_is_a_failure() {
        let mut story = Story::new();
        story.granted("late", 10, 0, 9_000);
        story.check_ask(9_000, "125ms");
        story.granted("dead", 0, 9_000, 9_000);
        story.check_ask(9_000, "250ms");
    }

    #[test]
    fn while_the_issuer_is_left_alone_callers_learn_it_at_once() {
        let mut story = Story::new();
        story.failed(DOWN, 0);
        story.check_ask(0, "250ms");
        story.check_ask(249, "1ms");
        assert!(!story.slot.needs_refresher(story.at(249)));
        story.check_plan(249, Step::End);
        story.check_ask(250, "wait");
        assert!(story.slot.needs_refresher(story.at(250)));
        story.check_plan(250, Step::Fetch);
    }

    #[test]
    fn who_waited_for_an_attempt_gets_its_outcome() {
        let mut story = Story::new();
        story.failed(DOWN, 0);
        story.check(300, true, "0ns");
        story.check_ask(300, "wait");
    }

    #[test]
    fn a_refusal_is_told_and_asked_again_after_half_a_minute() {
        let mut story = Story::new();
        story.failed(Fault::Refused { code: "invalid_client".into() }, 0);
        story.check_ask(0, "the issuer refused the token request: invalid_client");
        story.check_ask(29_999, "the issuer refused the token request: invalid_client");
        story.check_ask(30_000, "wait");
    }

    #[test]
    fn a_refusal_does_not_take_a_good_token_away() {
        let mut story = Story::new();
        story.granted("first", 100, 0, 0);
        story.failed(Fault::Refused { code: "invalid_client".into() }, 80_000);
        story.check_ask(94_999, "first");
        story.check_ask(95_000, "the issuer refused the token request: invalid_client");
    }

    #[test]
    fn a_token_that_nobody_wants_is_let_go() {
        let mut story = Story::new();
        story.check_ask(0, "wait");
        story.granted("first", 100, 0, 0);
        story.check_plan(80_000, Step::Fetch);
        story.granted("second", 100, 80_000, 80_000);
        story.check_plan(160_000, Step::End);
        story.check_ask(160_001, "wait");
    }

    #[test]
    fn there_is_one_refresher_at_a_time() {
        let mut story = Story::new();
        story.granted("first", 100, 0, 0);
        assert!(story.slot.needs_refresher(story.at(1)));
        story.slot.refreshing = true;
        for ms in [1, 80_000, 100_000] {
            assert!(!story.slot.needs_refresher(story.at(ms)), "{ms}");
        }
    }
}
