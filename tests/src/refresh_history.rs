//! What must hold of refresh tokens, checked over all that clients have asked and were answered (SECURITY.md F13): pure
//! functions over values.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::account::Moment;

/// Stored times are whole seconds.
const ROUNDING: Duration = Duration::from_secs(1);

/// A token by its hash, or by any other name that only it has.
pub type Name = String;

/// A refresh token that was presented, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The family that the token is of.
    pub family: usize,
    /// The token.
    pub token: Name,
    /// When it was sent.
    pub invoked: Moment,
    /// When it was answered, or given up.
    pub returned: Moment,
    /// What came back.
    pub outcome: Outcome,
}

/// What a client saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Tokens, with this one to go on with.
    Refreshed(Name),
    /// `invalid_grant`: it has to have the person sign in again.
    Refused,
    /// 503: it may ask again. Nothing says whether the token was used.
    Unavailable,
    /// Nothing. Nothing says whether the token was used.
    Unanswered,
}

/// All calls of some families, in any order.
#[derive(Debug, Clone)]
pub struct RefreshHistory {
    /// G.
    pub grace: Duration,
    /// The first token of each family.
    pub first: Vec<Name>,
    /// The calls.
    pub calls: Vec<Call>,
}

impl RefreshHistory {
    /// Tokens that were answered with more than one child: each of them may live.
    #[must_use]
    pub fn forks(&self) -> Vec<String> {
        let mut children: HashMap<&Name, HashSet<&Name>> = HashMap::new();
        for (call, child) in self.refreshed() {
            children.entry(&call.token).or_default().insert(child);
        }
        let forked = children.iter().filter(|(_, children)| children.len() > 1);
        let mut forked: Vec<_> =
            forked.map(|(token, children)| format!("{token} has {} children", children.len())).collect();
        forked.sort();
        forked
    }

    /// Tokens that were good once more when they could not be: after the time of grace, after the use of their child, or
    /// when the family was dead.
    #[must_use]
    pub fn double_uses(&self) -> Vec<String> {
        // When a token was known to be used, and a family to be dead: the first answer that says so.
        let (mut used, mut dead) = (HashMap::new(), HashMap::new());
        for call in &self.calls {
            let first = match call.outcome {
                Outcome::Refreshed(_) => used.entry(&call.token).or_insert(call.returned),
                Outcome::Refused => dead.entry(call.family).or_insert(call.returned),
                Outcome::Unavailable | Outcome::Unanswered => continue,
            };
            *first = call.returned.min(*first);
        }
        let after = |call: &Call, moment: Option<&Moment>, more: Duration| {
            moment.is_some_and(|moment| call.invoked > *moment + more)
        };
        let mut found = Vec::new();
        for (call, child) in self.refreshed() {
            let token = &call.token;
            if after(call, used.get(token), self.grace + ROUNDING) {
                found.push(format!("{token} was good again after the time of grace"));
            }
            if after(call, used.get(child), Duration::ZERO) {
                found.push(format!("{token} was good again after its child was used"));
            }
            if after(call, dead.get(&call.family), Duration::ZERO) {
                found.push(format!("{token} was good when its family was dead"));
            }
        }
        found
    }

    /// Refusals that a client did not deserve: nobody had refused its family before, its token had no child that anybody had
    /// used, and it was not presented too late.
    #[must_use]
    pub fn wrong_log_outs(&self) -> Vec<String> {
        let refused = self.calls.iter().filter(|call| call.is_refused());
        let wrong = refused.filter(|call| {
            let begun = |other: &&Call| other.invoked <= call.returned;
            let dead = self.calls.iter().any(|other| {
                other.family == call.family && other.is_refused() && other.returned < call.returned
            });
            let known = self.first.contains(&call.token)
                || self
                    .refreshed()
                    .any(|(parent, child)| *child == call.token && parent.invoked < call.returned);
            let since = self.of(&call.token).filter(begun).map(|other| other.invoked).min();
            let since = since.unwrap_or(call.invoked);
            let child_used = self
                .refreshed()
                .filter(|(parent, _)| parent.token == call.token)
                .any(|(_, child)| self.of(child).find(begun).is_some());
            let in_time = call.returned.saturating_sub(since) + ROUNDING < self.grace;
            !dead && known && !child_used && in_time
        });
        wrong.map(|call| format!("{} was refused in family {}", call.token, call.family)).collect()
    }

    /// What the database holds that nobody was given, and was given that it does not hold. A token whose use was never
    /// answered may have a child that nobody knows.
    #[must_use]
    pub fn unaccounted(&self, stored: &HashSet<Name>) -> Vec<String> {
        let given: HashSet<&Name> =
            self.first.iter().chain(self.refreshed().map(|(_, child)| child)).collect();
        let lost = given.iter().filter(|token| !stored.contains(**token));
        let mut found: Vec<String> = lost.map(|token| format!("{token} is not stored")).collect();
        let unanswered: HashSet<&Name> = self
            .calls
            .iter()
            .filter(|call| matches!(call.outcome, Outcome::Unanswered | Outcome::Unavailable))
            .map(|call| &call.token)
            .filter(|token| !self.of(token).any(Call::is_refreshed))
            .collect();
        let unknown = stored.iter().filter(|token| !given.contains(token)).count();
        if unknown > unanswered.len() {
            let excess = unknown - unanswered.len();
            found.push(format!("{excess} tokens are stored that nobody was given"));
        }
        found.sort();
        found
    }

    fn refreshed(&self) -> impl Iterator<Item = (&Call, &Name)> {
        self.calls.iter().filter_map(|call| match &call.outcome {
            Outcome::Refreshed(child) => Some((call, child)),
            _ => None,
        })
    }

    fn of<'h>(&'h self, token: &'h Name) -> impl Iterator<Item = &'h Call> {
        self.calls.iter().filter(move |call| call.token == *token)
    }
}

impl Call {
    fn is_refreshed(&self) -> bool {
        matches!(self.outcome, Outcome::Refreshed(_))
    }

    fn is_refused(&self) -> bool {
        self.outcome == Outcome::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call of family 0 that takes a second: when, which token, and its child, `!` for a refusal, `?` for nothing.
    fn call((at, token, outcome): &(u64, &str, &str)) -> Call {
        Call {
            family: 0,
            token: (*token).to_owned(),
            invoked: Duration::from_secs(*at),
            returned: Duration::from_secs(*at + 1),
            outcome: match *outcome {
                "!" => Outcome::Refused,
                "?" => Outcome::Unanswered,
                "503" => Outcome::Unavailable,
                child => Outcome::Refreshed(child.to_owned()),
            },
        }
    }

    fn history(calls: &[(u64, &str, &str)]) -> RefreshHistory {
        let grace = Duration::from_secs(10);
        RefreshHistory { grace, first: vec!["r1".to_owned()], calls: calls.iter().map(call).collect() }
    }

    /// Forks, double uses and wrong log-outs.
    #[track_caller]
    fn check(calls: &[(u64, &str, &str)], expected: [usize; 3]) {
        let history = history(calls);
        let found = [history.forks(), history.double_uses(), history.wrong_log_outs()];
        assert_eq!(found.each_ref().map(Vec::len), expected, "{calls:?}: {found:?}");
    }

    #[test]
    fn a_line_of_uses_and_retries_in_time_is_as_it_should_be() {
        check(&[(0, "r1", "r2"), (20, "r2", "r3")], [0, 0, 0]);
        check(&[(0, "r1", "r2"), (0, "r1", "r2"), (3, "r1", "r2"), (9, "r2", "r3")], [0, 0, 0]);
        check(&[(0, "r1", "?"), (2, "r1", "503"), (4, "r1", "r2")], [0, 0, 0]);
    }

    #[test]
    fn two_children_of_one_token_are_found() {
        check(&[(0, "r1", "r2"), (0, "r1", "x2")], [1, 0, 0]);
    }

    #[test]
    fn a_token_that_is_good_too_late_is_found() {
        check(&[(0, "r1", "r2"), (11, "r1", "r2")], [0, 0, 0]);
        check(&[(0, "r1", "r2"), (13, "r1", "r2")], [0, 1, 0]);
        check(&[(0, "r1", "r2"), (2, "r2", "r3"), (5, "r1", "r2")], [0, 1, 0]);
    }

    #[test]
    fn a_use_in_a_dead_family_is_found_and_the_death_is_none() {
        check(&[(0, "r1", "r2"), (2, "r2", "r3"), (5, "r1", "!"), (7, "r3", "!")], [0, 0, 0]);
        check(&[(0, "r1", "r2"), (2, "r2", "r3"), (5, "r1", "!"), (7, "r3", "r4")], [0, 1, 0]);
    }

    #[test]
    fn a_refusal_that_nobody_deserved_is_found() {
        check(&[(0, "r1", "!")], [0, 0, 1]);
        check(&[(0, "r1", "r2"), (2, "r2", "!")], [0, 0, 1]);
        check(&[(0, "r1", "r2"), (2, "r1", "!")], [0, 0, 1]);
        // However many present it at once.
        check(&[(0, "r1", "?"), (1, "r1", "?"), (2, "r1", "?"), (3, "r1", "?"), (4, "r1", "!")], [0, 0, 1]);
        // Too late, of a stranger's making.
        check(&[(0, "r1", "r2"), (12, "r1", "!")], [0, 0, 0]);
        check(&[(0, "x", "!")], [0, 0, 0]);
    }

    #[test]
    fn what_is_stored_is_what_was_given() {
        let check = |calls: &[(u64, &str, &str)], stored: &[&str], expected: usize| {
            let stored = stored.iter().map(|&name| name.to_owned()).collect();
            let found = history(calls).unaccounted(&stored);
            assert_eq!(found.len(), expected, "{calls:?} {found:?}");
        };
        check(&[(0, "r1", "r2")], &["r1", "r2"], 0);
        check(&[(0, "r1", "r2")], &["r1"], 1);
        check(&[(0, "r1", "r2")], &["r1", "r2", "x2"], 1);
        check(&[(0, "r1", "r2"), (2, "r2", "?")], &["r1", "r2", "r3"], 0);
        check(&[(0, "r1", "?"), (2, "r1", "r2")], &["r1", "r2", "x2"], 1);
    }
}
