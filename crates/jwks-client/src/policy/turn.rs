//! Whether an attempt is made: for the task, for requests of unknown kids, and for who asks.

use super::{ASKED_PAUSE, BUCKET, Duration, MAX_WAIT, Policy};

/// What the refresh task does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Make an attempt and tell the policy how it ended.
    Fetch(Cause),
    /// Nothing for so long, unless somebody wants a fetch.
    Sleep(Duration),
}

/// Why an attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its time has come, or somebody asked for it.
    Due,
    /// The one before failed.
    Retry,
    /// A request waits for a kid that is not held.
    Wanted,
}

/// Whether a request that lacks its kid waits for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// For one that is made anyway.
    Joined,
    /// For one that was granted to it.
    Granted,
    /// No: it is told what is known.
    Refused,
}

impl Want {
    /// Whether the request waits.
    #[must_use]
    pub fn is_worth_waiting(self) -> bool {
        self != Self::Refused
    }
}

/// What becomes of the wish for an attempt at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Wait for the attempt that is made.
    Wait,
    /// The same, but that one has begun already.
    Joined,
    /// The last attempt is the answer: it was a moment ago, or the issuer has asked to be left alone, or there is
    /// nothing to fetch.
    LastResult,
}

impl Policy {
    /// The task asks for its next step. After [`Turn::Fetch`] an attempt is under way.
    pub fn turn(&mut self, now: Duration) -> Turn {
        let pause = self.next_at.saturating_sub(now);
        if !pause.is_zero() {
            return Turn::Sleep(pause);
        }
        self.under_way = Some(now);
        self.promised = false;
        Turn::Fetch(match (std::mem::take(&mut self.granted), self.failures) {
            (true, _) => Cause::Wanted,
            (false, 0) => Cause::Due,
            (false, _) => Cause::Retry,
        })
    }

    /// A request asks for a kid that is not held, or nothing usable is held at all. Answers whether
    /// waiting is worth while: an attempt is under way, due, or has now been granted.
    ///
    /// The bucket is charged per attempt that is granted here, however it ends, and never for joining.
    pub fn want(&mut self, now: Duration) -> Want {
        let want = self.judge_want(now);
        self.promised |= want.is_worth_waiting() && self.under_way.is_none();
        want
    }

    fn judge_want(&mut self, now: Duration) -> Want {
        if self.is_asleep() {
            self.wake(now);
        }
        if self.is_imminent(now) {
            return Want::Joined;
        }
        if !self.is_fixed() && self.barred_until <= now && self.charge_bucket(now) {
            self.next_at = now;
            self.granted = true;
            return Want::Granted;
        }
        // With nothing to answer from, an attempt that comes soon is worth more than an answer now.
        let soon = self.next_at.saturating_sub(now) <= MAX_WAIT;
        if soon && !self.is_usable(now) { Want::Joined } else { Want::Refused }
    }

    /// Somebody asks for an attempt at once. It is outside the bucket: who asks is the operator, not the network.
    pub fn ask(&mut self, now: Duration) -> Asked {
        if self.under_way.is_some() {
            return Asked::Joined;
        }
        if self.is_imminent(now) {
            self.promised = true;
            return Asked::Wait;
        }
        let too_soon = self.asked_at.is_some_and(|at| now < at + ASKED_PAUSE);
        if too_soon || now < self.barred_until || self.is_fixed() {
            return Asked::LastResult;
        }
        self.asked_at = Some(now);
        self.next_at = now;
        self.promised = true;
        Asked::Wait
    }

    fn is_imminent(&self, now: Duration) -> bool {
        self.under_way.is_some() || self.next_at <= now
    }

    fn charge_bucket(&mut self, now: Duration) -> bool {
        let interval = self.timing.unknown_kid_interval();
        let full_at = self.bucket_full_at.max(now);
        let granted = full_at.saturating_sub(now) <= interval * (BUCKET - 1);
        if granted {
            self.bucket_full_at = full_at + interval;
        }
        granted
    }
}
