//! What may be used once: the one store that remembers what was.
//!
//! A cache such as moka forgets the oldest entry when it is full, and so would accept it again; this store
//! refuses the new one instead.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    fmt,
    hash::BuildHasher,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest::{Context, SHA256};
use claviger_jose::NumericDate;
use foldhash::quality::RandomState;

/// What a thing is remembered by: a hash, so that nobody chooses how much memory it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The hash of a name and of who gave it: the same name given by another is another thing.
    pub(crate) fn of(giver: &str, name: &str) -> Self {
        let mut hash = Context::new(&SHA256);
        // The length comes first, so that the border between the two cannot be moved.
        hash.update(&(giver.len() as u64).to_be_bytes());
        hash.update(giver.as_bytes());
        hash.update(name.as_bytes());
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hash.finish().as_ref());
        Self(fingerprint)
    }
}

/// Why a thing is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unspendable {
    /// It was used before.
    Spent,
    /// Its like have been forgotten, because their time was over: it may have been among them.
    Outlived,
    /// There is no room, for all or for this owner, and none comes free before then.
    Full { retry_after: Duration },
}

/// Remembers what was used until it is worthless anyway. Bounded, and closed when full.
pub(crate) struct SpentOnce {
    capacity: usize,
    /// What one owner may fill of it.
    share: usize,
    /// Owners are counted by a hash that nobody can foretell: two that have the same one share a share.
    hasher: RandomState,
    memory: Mutex<Memory>,
}

struct Memory {
    /// How much each owner fills, of those who fill any.
    owners: HashMap<u64, usize>,
    known: HashSet<Fingerprint>,
    /// The same, by their ends, with their owners.
    ends: BinaryHeap<Reverse<(NumericDate, Fingerprint, u64)>>,
    /// The latest end of all that was forgotten. Without it, a clock that is set back would bring forgotten
    /// things back to life.
    forgotten_until: NumericDate,
}

impl SpentOnce {
    /// A memory that one owner may fill.
    pub(crate) fn new(capacity: usize) -> Self {
        let memory = Memory {
            owners: HashMap::new(),
            known: HashSet::new(),
            ends: BinaryHeap::new(),
            forgotten_until: NumericDate::from_secs(0),
        };
        Self { capacity, share: capacity, hasher: RandomState::default(), memory: Mutex::new(memory) }
    }

    /// A memory of which one owner may fill an eighth: whoever spends without end does it to nobody else.
    #[cfg(any(feature = "dpop", test))]
    pub(crate) fn in_shares(capacity: usize) -> Self {
        let share = (capacity / 8).max(capacity.min(1));
        Self { share, ..Self::new(capacity) }
    }

    /// Takes a thing that is worthless from `until` on, once. In O(log n); of two who ask at the same time, one
    /// is refused. The owner is whoever can make more of such things, by issuer and name.
    pub(crate) fn spend(
        &self,
        owner: (&str, &str),
        thing: Fingerprint,
        until: NumericDate,
        now: NumericDate,
    ) -> Result<(), Unspendable> {
        let owner = self.hasher.hash_one(owner);
        // Nothing below can stop halfway: a panic elsewhere leaves the memory consistent.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        // Two go for each that comes, so the store shrinks, and nobody pays for all the dead at once.
        memory.forget_one(now);
        memory.forget_one(now);
        if memory.known.contains(&thing) {
            return Err(Unspendable::Spent);
        }
        if until <= memory.forgotten_until {
            return Err(Unspendable::Outlived);
        }
        let held = memory.owners.get(&owner).copied().unwrap_or(0);
        if memory.known.len() >= self.capacity || held >= self.share {
            return Err(Unspendable::Full { retry_after: memory.next_end().since(now) });
        }
        memory.known.insert(thing);
        memory.ends.push(Reverse((until, thing, owner)));
        memory.owners.insert(owner, held + 1);
        Ok(())
    }
}

impl Memory {
    fn forget_one(&mut self, now: NumericDate) {
        let Some(&Reverse((until, thing, owner))) = self.ends.peek() else {
            return;
        };
        if until <= now {
            self.ends.pop();
            self.known.remove(&thing);
            match self.owners.get_mut(&owner) {
                Some(held) if *held > 1 => *held -= 1,
                _ => drop(self.owners.remove(&owner)),
            }
            self.forgotten_until = self.forgotten_until.max(until);
        }
    }

    fn next_end(&self) -> NumericDate {
        self.ends.peek().map_or(NumericDate::from_secs(0), |Reverse((until, ..))| *until)
    }
}

impl fmt::Debug for SpentOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpentOnce").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: (&str, &str) = ("issuer", "client");

    fn at(secs: u64) -> NumericDate {
        NumericDate::from_secs(secs)
    }

    fn thing(name: u64) -> Fingerprint {
        Fingerprint::of("giver", &name.to_string())
    }

    fn full(secs: u64) -> Result<(), Unspendable> {
        Err(Unspendable::Full { retry_after: Duration::from_secs(secs) })
    }

    // S-17
    #[test]
    fn a_thing_is_taken_once_until_its_end() {
        let store = SpentOnce::new(8);
        assert_eq!(store.spend(OWNER, thing(1), at(100), at(0)), Ok(()));
        for now in [0, 1, 99] {
            assert_eq!(store.spend(OWNER, thing(1), at(100), at(now)), Err(Unspendable::Spent));
            assert_eq!(store.spend(OWNER, thing(1), at(900), at(now)), Err(Unspendable::Spent));
        }
        assert_eq!(store.spend(OWNER, thing(2), at(100), at(0)), Ok(()));
    }

    // S-17
    #[test]
    fn a_full_store_refuses_and_does_not_forget() {
        let store = SpentOnce::new(2);
        assert_eq!(store.spend(OWNER, thing(1), at(100), at(0)), Ok(()));
        assert_eq!(store.spend(OWNER, thing(2), at(50), at(0)), Ok(()));
        for name in 3..1000 {
            assert_eq!(store.spend(OWNER, thing(name), at(200), at(1)), full(49));
        }
        assert_eq!(store.spend(OWNER, thing(1), at(100), at(1)), Err(Unspendable::Spent));
        assert_eq!(store.spend(OWNER, thing(3), at(200), at(50)), Ok(()));
        assert_eq!(store.spend(OWNER, thing(4), at(200), at(50)), full(50));
        assert_eq!(SpentOnce::new(0).spend(OWNER, thing(1), at(9), at(5)), full(0));
    }

    // S-17
    #[test]
    fn a_clock_that_is_set_back_brings_nothing_back() {
        let store = SpentOnce::new(8);
        assert_eq!(store.spend(OWNER, thing(1), at(100), at(0)), Ok(()));
        assert_eq!(store.spend(OWNER, thing(2), at(300), at(200)), Ok(()));
        assert_eq!(store.spend(OWNER, thing(1), at(100), at(0)), Err(Unspendable::Outlived));
        assert_eq!(store.spend(OWNER, thing(3), at(101), at(0)), Ok(()));
    }

    // S-17
    #[test]
    fn who_spends_without_end_does_it_to_nobody_else() {
        let store = SpentOnce::in_shares(64);
        let spend = |owner, name, now| store.spend(owner, thing(name), at(now + 60), at(now));
        let other = ("other issuer", "client");
        for name in 0..1000 {
            assert_eq!(spend(OWNER, name, 0), if name < 8 { Ok(()) } else { full(60) });
        }
        for name in 1000..1008 {
            assert_eq!(spend(other, name, 1), Ok(()));
        }
        assert_eq!(spend(other, 1008, 1), full(59));
        assert_eq!(spend(OWNER, 0, 1), Err(Unspendable::Spent));
        // What has ended makes room for its owner again, and for nobody else.
        assert_eq!(spend(OWNER, 8, 60), Ok(()));
        assert_eq!(spend(other, 1008, 60), full(0));
        // All of them together have no more than there is.
        let store = SpentOnce::in_shares(16);
        for client in 0..20 {
            let client = client.to_string();
            let both = [0, 1].map(|name| {
                let thing = Fingerprint::of(&client, if name == 0 { "a" } else { "b" });
                store.spend(("issuer", &client), thing, at(60), at(0))
            });
            let free = client.parse::<u64>().unwrap() < 8;
            assert_eq!(both, if free { [Ok(()); 2] } else { [full(60); 2] });
        }
        assert_eq!(SpentOnce::in_shares(1).spend(OWNER, thing(1), at(9), at(5)), Ok(()));
        assert_eq!(SpentOnce::in_shares(0).spend(OWNER, thing(1), at(9), at(5)), full(0));
    }

    #[test]
    fn the_store_keeps_no_more_than_what_is_alive() {
        let store = SpentOnce::new(1000);
        for now in 0..10_000 {
            assert_eq!(store.spend(OWNER, thing(now), at(now + 60), at(now)), Ok(()));
            let memory = store.memory.lock().unwrap();
            assert!(memory.known.len() <= 61 && memory.known.len() == memory.ends.len());
            assert_eq!(memory.owners.values().sum::<usize>(), memory.known.len());
        }
    }

    #[test]
    fn of_many_at_once_one_is_taken() {
        let store = SpentOnce::new(8);
        let taken: usize = std::thread::scope(|scope| {
            let spend = || usize::from(store.spend(OWNER, thing(1), at(100), at(0)).is_ok());
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(spend)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1);
    }

    #[test]
    fn the_giver_and_the_name_keep_their_border() {
        assert_ne!(Fingerprint::of("ab", "c"), Fingerprint::of("a", "bc"));
        assert_ne!(Fingerprint::of("", "abc"), Fingerprint::of("abc", ""));
        assert_eq!(Fingerprint::of("a", "b"), Fingerprint::of("a", "b"));
    }
}
