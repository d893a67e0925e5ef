//! What is to happen, in its order.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::time::Millis;

/// Something that happens at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A replica looks into the database, and something may have changed.
    Look(u8),
    /// Steps of the plan may be due.
    Tick,
    /// An operator does something of his own accord.
    Operate,
    /// An operator tries again to rotate the keys of this algorithm.
    Rotate {
        alg: u8,
        wait: bool,
        again: u8,
    },
    /// An operator tries again to revoke a key.
    Revoke(usize),
    /// A replica loses the database.
    ReplicaCut(u8),
    /// And finds it again.
    ReplicaBack(u8),
    /// All verifiers look at what is published, for it may differ from where they ask.
    Stir,
    /// A verifier makes an attempt, if this is still when it wants to.
    Poll(u32),
    /// An answer arrives that was slow.
    Reply(u32),
    /// Somebody presents tokens to a verifier that lacked their key.
    Meet(u32),
    /// Something befalls some verifier.
    Mishap,
    /// A verifier reaches the issuer again.
    VerifierBack(u32),
    /// Somebody floods a verifier with kids that nobody has ever seen.
    Flood(u32),
    /// A feed that was frozen is so no more.
    Thaw(u32),
    /// A thief signs statements with this key.
    Steal(usize),
    /// Tokens are revoked, and judged.
    RevokeTokens,
    CheckTokens(usize),
    /// The whole issuer is out of reach; and back.
    Outage(bool),
    /// From now on, or no longer, every poll is counted.
    Window(bool),
}

/// The events to come.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Reverse<(Millis, u64, Event)>>,
    count: u64,
}

impl Agenda {
    /// Of two at one moment, the one that was put in first comes first.
    pub(crate) fn put(&mut self, at: Millis, event: Event) {
        self.heap.push(Reverse((at, self.count, event)));
        self.count += 1;
    }

    pub(crate) fn next(&mut self) -> Option<(Millis, Event)> {
        self.heap.pop().map(|Reverse((at, _, event))| (at, event))
    }
}
