//! How often somebody may fail to be a client.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use claviger_oauth::ClientId;

/// How many failures come before the first wait.
const BURST: u32 = 20;
/// How long until one more is allowed.
const REFILL: Duration = Duration::from_secs(3);
/// How many pairs of client and address are remembered.
const MOST: usize = 4096;

/// Failed authentications, by client and by where they come from.
///
/// The secrets of clients cannot be guessed; what is limited is the noise, and the work for signatures. Both halves of the key
/// matter: without the address anybody who knows a client's name could lock it out, without the client one broken service
/// would silence its whole host.
#[derive(Debug, Default)]
pub(super) struct Failures {
    seen: Mutex<HashMap<(ClientId, IpAddr), Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When all failures will be forgotten.
    empty_at: Instant,
}

impl Failures {
    /// How long this client must wait here, if it must.
    pub(super) fn pause(&self, client: &ClientId, from: IpAddr, now: Instant) -> Option<Duration> {
        let seen = self.seen();
        let Bucket { empty_at } = seen.get(&key(client, from))?;
        let over = empty_at.saturating_duration_since(now).checked_sub(REFILL * (BURST - 1))?;
        (!over.is_zero()).then_some(over)
    }

    /// Counts a failure.
    pub(super) fn note(&self, client: &ClientId, from: IpAddr, now: Instant) {
        let mut seen = self.seen();
        if seen.len() >= MOST {
            seen.retain(|_, bucket| bucket.empty_at > now);
        }
        let full = seen.len() >= MOST;
        let bucket = seen.entry(key(client, from));
        if let std::collections::hash_map::Entry::Vacant(_) = &bucket
            && full
        {
            // Only registered clients are counted, so this takes thousands of addresses at once.
            return;
        }
        let bucket = bucket.or_insert(Bucket { empty_at: now });
        bucket.empty_at = bucket.empty_at.max(now) + REFILL;
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<(ClientId, IpAddr), Bucket>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An IPv6 caller usually owns a whole /64.
fn key(client: &ClientId, from: IpAddr) -> (ClientId, IpAddr) {
    let from = match from.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    };
    (client.clone(), from)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Guesser {
        failures: Failures,
        start: Instant,
    }

    impl Guesser {
        fn new() -> Self {
            Self { failures: Failures::default(), start: Instant::now() }
        }

        /// How many of `tries` at this second are evaluated; all fail.
        fn evaluated(&self, client: &str, from: &str, second: u64, tries: usize) -> usize {
            let (client, from) = (client.parse().unwrap(), from.parse().unwrap());
            let now = self.start + Duration::from_secs(second);
            let attempt = |_: &usize| {
                let evaluated = self.failures.pause(&client, from, now).is_none();
                if evaluated {
                    self.failures.note(&client, from, now);
                }
                evaluated
            };
            (0..tries).filter(attempt).count()
        }
    }

    // S-56
    #[test]
    fn after_a_burst_of_failures_one_more_is_evaluated_every_three_seconds() {
        let guesser = Guesser::new();
        assert_eq!(guesser.evaluated("shop", "192.0.2.1", 0, 1000), 20);
        assert_eq!(guesser.evaluated("shop", "192.0.2.1", 2, 1000), 0);
        assert_eq!(guesser.evaluated("shop", "192.0.2.1", 3, 1000), 1);
        assert_eq!(guesser.evaluated("shop", "192.0.2.1", 33, 1000), 10);
        assert_eq!(guesser.evaluated("shop", "192.0.2.1", 3600, 1000), 20);
    }

    // S-56
    #[test]
    fn neither_the_client_elsewhere_nor_others_here_are_locked_out() {
        let guesser = Guesser::new();
        assert_eq!(guesser.evaluated("shop", "2001:db8::1", 0, 1000), 20);
        assert_eq!(guesser.evaluated("shop", "2001:db8::2", 0, 1), 0, "the same network");
        assert_eq!(guesser.evaluated("shop", "192.0.2.2", 0, 1), 1);
        assert_eq!(guesser.evaluated("books", "2001:db8::1", 0, 1), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten() {
        let guesser = Guesser::new();
        for host in 0..2 * u32::try_from(MOST).unwrap() {
            guesser.evaluated("shop", &std::net::Ipv4Addr::from_bits(host).to_string(), 0, 1);
        }
        assert_eq!(guesser.failures.seen().len(), MOST);
        guesser.evaluated("shop", "192.0.2.1", 4, 1);
        assert_eq!(guesser.failures.seen().len(), 1);
    }
}
