//! The verdict on a presented refresh token (RFC 9700 section 4.14.2).
//!
//! All refresh tokens that follow from one authorization are a family: a line, each the child of the one
//! before, of which only the last is alive. Whoever shows another has got it from somebody: the family ends.
//! The one exception is a client that never got the answer. It shows the parent of the last token once more,
//! soon, and gets the same child: not a second one, so that a thief and the owner still hold the same token
//! and the second of them to use it is found out.

use std::time::Duration;

use claviger_jose::NumericDate;

use crate::RefreshPolicy;

/// How often the answer to one refresh may be asked for again.
pub const MAX_RETRIES: u16 = 3;

/// What is known of a family when one of its tokens is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// It was ended: by log-out, by revocation or because a token was used twice.
    pub ended: bool,
    /// When it ends whatever happens.
    pub expires_at: NumericDate,
    /// What becomes of a token when it is used.
    pub policy: RefreshPolicy,
    /// How long a token may lie unused.
    pub idle: Duration,
}

/// What is known of the token itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentedRefresh {
    /// It is refused from this time on, unused.
    pub idle_until: NumericDate,
    /// Its use, if it was used.
    pub used: Option<UsedRefresh>,
}

/// The use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedRefresh {
    /// When.
    pub at: NumericDate,
    /// Whether its child was used as well.
    pub child_used: bool,
    /// How often the answer was given again.
    pub retries: u16,
}

/// What to do about a presented token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Use it up and answer its child.
    Rotate,
    /// Answer the token itself: it stays alive.
    Same,
    /// Count the retry and answer the child that it has already.
    Retry,
    /// It was used before, and not by a client that missed the answer: end the family.
    Reuse,
    /// Refuse it and change nothing.
    Refuse(RefreshRefusal),
}

/// Why a token is refused that nobody has misused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshRefusal {
    /// The family was ended.
    #[error("the sign-in was ended")]
    Ended,
    /// The family is past its absolute end.
    #[error("the sign-in has expired")]
    Expired,
    /// The token was not used for too long.
    #[error("the refresh token was not used for too long")]
    Idle,
    /// The answer was given again [`MAX_RETRIES`] times within the time of grace. Nobody has misused anything yet: a client
    /// with many workers does this, and who stole the token would hold the same child as its owner.
    #[error("the answer to this refresh was given again too often")]
    TooOften,
}

impl Family {
    /// The verdict on one of the family's tokens, shown by the client that it was given to. `grace` is how long after a
    /// use its answer may be asked for again.
    ///
    /// Whether the client, the person and what was allowed are still as they were is another question, and is asked
    /// before this one is acted upon: a wrong client must not use up a token.
    #[must_use]
    pub fn present(&self, token: &PresentedRefresh, now: NumericDate, grace: Duration) -> Verdict {
        if self.ended {
            return Verdict::Refuse(RefreshRefusal::Ended);
        }
        if now >= self.expires_at {
            return Verdict::Refuse(RefreshRefusal::Expired);
        }
        match &token.used {
            Some(used) if used.child_used || now >= used.at + grace => Verdict::Reuse,
            Some(used) if used.retries >= MAX_RETRIES => Verdict::Refuse(RefreshRefusal::TooOften),
            Some(_) => Verdict::Retry,
            None if now >= token.idle_until => Verdict::Refuse(RefreshRefusal::Idle),
            None => self.rotation(token, now),
        }
    }

    fn rotation(&self, token: &PresentedRefresh, now: NumericDate) -> Verdict {
        let near_end = token.idle_until.since(now) < self.idle / 3;
        match self.policy {
            RefreshPolicy::Rotate => Verdict::Rotate,
            RefreshPolicy::RotateNearEnd if near_end => Verdict::Rotate,
            RefreshPolicy::RotateNearEnd | RefreshPolicy::Never => Verdict::Same,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const G: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_hours(24);

    fn at(secs: u64) -> NumericDate {
        NumericDate::from_secs(secs)
    }

    fn family() -> Family {
        Family { ended: false, expires_at: at(1_000_000), policy: RefreshPolicy::Rotate, idle: IDLE }
    }

    fn unused(idle_until: u64) -> PresentedRefresh {
        PresentedRefresh { idle_until: at(idle_until), used: None }
    }

    fn used(used_at: u64, child_used: bool, retries: u16) -> PresentedRefresh {
        let used = UsedRefresh { at: at(used_at), child_used, retries };
        PresentedRefresh { idle_until: at(100_000), used: Some(used) }
    }

    fn check(family: Family, token: PresentedRefresh, now: u64, expected: Verdict) {
        assert_eq!(family.present(&token, at(now), G), expected, "{family:?} {token:?} at {now}");
    }

    // S-77
    #[test]
    fn a_live_token_is_rotated_until_it_is_idle_or_the_family_expires() {
        check(family(), unused(1000), 999, Verdict::Rotate);
        check(family(), unused(1000), 1000, Verdict::Refuse(RefreshRefusal::Idle));
        check(family(), unused(2_000_000), 999_999, Verdict::Rotate);
        check(family(), unused(2_000_000), 1_000_000, Verdict::Refuse(RefreshRefusal::Expired));
        let ended = Family { ended: true, ..family() };
        check(ended, unused(1000), 1, Verdict::Refuse(RefreshRefusal::Ended));
        check(ended, used(1, false, 0), 2, Verdict::Refuse(RefreshRefusal::Ended));
    }

    // S-74
    #[test]
    fn the_immediate_parent_gets_the_same_child_soon_and_three_times() {
        check(family(), used(100, false, 0), 100, Verdict::Retry);
        check(family(), used(100, false, 2), 109, Verdict::Retry);
        check(family(), used(100, false, 3), 109, Verdict::Refuse(RefreshRefusal::TooOften));
        check(family(), used(100, false, 3), 110, Verdict::Reuse);
        check(family(), used(100, false, 0), 110, Verdict::Reuse);
    }

    // S-75
    #[test]
    fn a_used_token_with_a_used_child_is_reuse_at_once() {
        check(family(), used(100, true, 0), 100, Verdict::Reuse);
        check(family(), used(100, true, 0), 101, Verdict::Reuse);
        // Long idle, and still the sign of a theft.
        check(family(), used(100, false, 0), 999_999, Verdict::Reuse);
    }

    #[test]
    fn a_policy_says_when_a_token_is_rotated() {
        let idle = IDLE.as_secs();
        let near = Family { policy: RefreshPolicy::RotateNearEnd, ..family() };
        check(near, unused(idle), 0, Verdict::Same);
        check(near, unused(idle), idle - idle / 3, Verdict::Same);
        check(near, unused(idle), idle - idle / 3 + 1, Verdict::Rotate);
        let never = Family { policy: RefreshPolicy::Never, ..family() };
        check(never, unused(idle), idle - 1, Verdict::Same);
        check(never, unused(idle), idle, Verdict::Refuse(RefreshRefusal::Idle));
    }

    /// A family as a store keeps it: a line of tokens, and what became of each.
    struct Line {
        family: Family,
        tokens: Vec<PresentedRefresh>,
        now: u64,
    }

    impl Line {
        fn new() -> Self {
            Self { family: family(), tokens: vec![unused(IDLE.as_secs())], now: 0 }
        }

        /// Shows a token, does what the verdict says, and answers it with the token that the client gets.
        fn show(&mut self, index: usize) -> (Verdict, Option<usize>) {
            let verdict = self.family.present(&self.tokens[index], at(self.now), G);
            let got = match verdict {
                Verdict::Rotate => {
                    let used = UsedRefresh { at: at(self.now), child_used: false, retries: 0 };
                    self.tokens[index].used = Some(used);
                    if let Some(parent) = index.checked_sub(1).and_then(|at| self.tokens[at].used.as_mut()) {
                        parent.child_used = true;
                    }
                    self.tokens.push(unused(self.now + IDLE.as_secs()));
                    Some(index + 1)
                }
                Verdict::Retry => {
                    self.tokens[index].used.as_mut().expect("only a used token is retried").retries += 1;
                    Some(index + 1)
                }
                Verdict::Same => Some(index),
                Verdict::Reuse => {
                    self.family.ended = true;
                    None
                }
                Verdict::Refuse(_) => None,
            };
            (verdict, got)
        }

        fn live(&self) -> usize {
            self.tokens.iter().filter(|token| !self.family.ended && token.used.is_none()).count()
        }
    }

    /// Which token is shown, counted from the newest, and how much time goes by before.
    fn histories() -> impl Strategy<Value = Vec<(usize, u64)>> {
        let wait = prop_oneof![4 => 0..3u64, 2 => 8..12u64, 1 => 0..90_000u64];
        prop::collection::vec((prop_oneof![6 => Just(0usize), 3 => Just(1), 1 => 0..6usize], wait), 1..40)
    }

    proptest! {
        // S-74
        #[test]
        fn a_family_has_at_most_one_live_token_whatever_is_shown(history in histories()) {
            let mut line = Line::new();
            for (back, wait) in history {
                line.now += wait;
                let index = line.tokens.len().saturating_sub(1 + back);
                line.show(index);
                prop_assert!(line.live() <= 1);
            }
        }

        // S-74
        #[test]
        fn a_retry_inside_g_gets_the_same_child_and_at_most_three_times(history in histories(), again in 1..6u64) {
            let mut line = Line::new();
            for (back, wait) in history {
                line.now += wait;
                let index = line.tokens.len().saturating_sub(1 + back);
                line.show(index);
            }
            let newest = line.tokens.len() - 1;
            if let (Verdict::Rotate, child) = line.show(newest) {
                for retry in 1..=again {
                    line.now += 1;
                    let (verdict, got) = line.show(newest);
                    if retry <= u64::from(MAX_RETRIES) {
                        prop_assert_eq!((verdict, got), (Verdict::Retry, child));
                    } else {
                        prop_assert!(got.is_none(), "{:?}", verdict);
                        // Many workers of one client are no theft.
                        prop_assert!(line.now >= line.tokens[newest].used.unwrap().at.as_secs() + G.as_secs() || !line.family.ended);
                    }
                }
            }
        }

        // S-75
        #[test]
        fn a_grandparent_ends_the_family_however_soon(history in histories(), back in 2..6usize) {
            let mut line = Line::new();
            for (back, wait) in history {
                line.now += wait;
                let index = line.tokens.len().saturating_sub(1 + back);
                line.show(index);
            }
            let alive = !line.family.ended && line.now < line.family.expires_at.as_secs();
            if let Some(ancestor) = (line.tokens.len() - 1).checked_sub(back).filter(|_| alive) {
                prop_assert_eq!(line.show(ancestor).0, Verdict::Reuse);
                for index in 0..line.tokens.len() {
                    prop_assert_eq!(line.show(index).0, Verdict::Refuse(RefreshRefusal::Ended));
                }
            }
        }

        // S-75
        #[test]
        fn of_a_thief_and_the_owner_the_second_to_use_the_child_is_found_out(wait in 0..10u64, later in 0..1000u64) {
            let mut line = Line::new();
            let (_, owners) = line.show(0);
            line.now += wait;
            let (verdict, thiefs) = line.show(0);
            prop_assert_eq!(verdict, Verdict::Retry);
            prop_assert_eq!(owners, thiefs);
            let child = owners.expect("a child");
            line.show(child);
            line.show(child + 1);
            line.now += later;
            prop_assert_eq!(line.show(child).0, Verdict::Reuse);
        }
    }
}
