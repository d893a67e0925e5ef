//! Since when the database is not tidied.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// When the replica on duty last did all that keeps the database small and its log signed off. Whoever is not on duty knows
/// nothing of it.
#[derive(Debug, Default)]
pub(crate) struct Upkeep(Mutex<Option<Instant>>);

impl Upkeep {
    /// Another replica does it.
    pub(crate) fn is_others(&self) {
        *self.last() = None;
    }

    /// It was done, or something of it failed. Who fails from the start counts from then on.
    pub(crate) fn note(&self, is_done: bool) {
        let mut last = self.last();
        if is_done || last.is_none() {
            *last = Some(Instant::now());
        }
    }

    /// The time since it was last done.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.last().map(|last| last.elapsed())
    }

    fn last(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ages_from_the_last_time_that_all_was_done() {
        let upkeep = Upkeep::default();
        assert_eq!(upkeep.age(), None, "nothing is known before the first time");
        upkeep.note(false);
        let failing = *upkeep.last();
        assert!(upkeep.age().is_some(), "who never succeeds ages too");
        upkeep.note(false);
        assert_eq!(*upkeep.last(), failing);
        upkeep.note(true);
        assert!(*upkeep.last() > failing);
        upkeep.is_others();
        assert_eq!(upkeep.age(), None);
    }
}
