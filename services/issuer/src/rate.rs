//! How often a client may do something, by where it does it from.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use claviger_oauth::ClientId;

use crate::http::subscriber;

/// How many pairs of client and address are remembered.
const MOST: usize = 4096;

/// A burst of something, and then one at a time, by client and by where it comes from.
///
/// Both halves of the key matter: without the address anybody who knows a client's name could use up what it may do,
/// without the client one broken service would silence its whole host.
#[derive(Debug)]
pub(crate) struct Rate {
    burst: u32,
    each: Duration,
    /// When all of the burst may be had again.
    full_at: Mutex<HashMap<(ClientId, IpAddr), Instant>>,
}

impl Rate {
    /// So many at once, and one more each time that this has passed.
    pub(crate) fn new(burst: u32, each: Duration) -> Self {
        Self { burst, each, full_at: Mutex::default() }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// How long to wait, if there may be no more now. Then nothing is counted.
    pub(crate) fn take(&self, client: &ClientId, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut all = self.full_at();
        if all.len() >= MOST {
            all.retain(|_, full_at| *full_at > now);
        }
        let is_full = all.len() >= MOST;
        let mut one = match all.entry((client.clone(), subscriber(from))) {
            Entry::Occupied(entry) => entry,
            // Only registered clients are counted, so this takes thousands of addresses at once.
            Entry::Vacant(_) if is_full => return Ok(()),
            Entry::Vacant(entry) => entry.insert_entry(now),
        };
        let full_at = (*one.get()).max(now) + self.each;
        let over = full_at.saturating_duration_since(now).saturating_sub(self.each * self.burst);
        if !over.is_zero() {
            return Err(over);
        }
        one.insert(full_at);
        Ok(())
    }

    fn full_at(&self) -> MutexGuard<'_, HashMap<(ClientId, IpAddr), Instant>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Caller {
        rate: Rate,
        start: Instant,
    }

    impl Caller {
        fn new() -> Self {
            Self { rate: Rate::new(20, Duration::from_secs(3)), start: Instant::now() }
        }

        /// How many of `tries` at this second may be.
        fn passing(&self, client: &str, from: &str, second: u64, tries: usize) -> usize {
            let (client, from) = (client.parse().unwrap(), from.parse().unwrap());
            let now = self.start + Duration::from_secs(second);
            (0..tries).filter(|_| self.rate.take(&client, from, now).is_ok()).count()
        }
    }

    // S-56
    #[test]
    fn after_a_burst_there_is_one_more_every_three_seconds() {
        let caller = Caller::new();
        assert_eq!(caller.passing("shop", "192.0.2.1", 0, 1000), 20);
        assert_eq!(caller.passing("shop", "192.0.2.1", 2, 1000), 0);
        assert_eq!(caller.passing("shop", "192.0.2.1", 3, 1000), 1);
        assert_eq!(caller.passing("shop", "192.0.2.1", 33, 1000), 10);
        assert_eq!(caller.passing("shop", "192.0.2.1", 3600, 1000), 20);
    }

    // S-56
    #[test]
    fn who_must_wait_is_told_for_how_long() {
        let caller = Caller::new();
        caller.passing("shop", "192.0.2.1", 0, 20);
        let wait = |second| {
            let (client, from) = ("shop".parse().unwrap(), "192.0.2.1".parse().unwrap());
            caller.rate.take(&client, from, caller.start + Duration::from_secs(second))
        };
        assert_eq!(wait(0), Err(Duration::from_secs(3)));
        assert_eq!(wait(2), Err(Duration::from_secs(1)));
        assert_eq!(wait(3), Ok(()));
    }

    // S-56
    #[test]
    fn neither_the_client_elsewhere_nor_others_here_must_wait() {
        let caller = Caller::new();
        assert_eq!(caller.passing("shop", "2001:db8::1", 0, 1000), 20);
        assert_eq!(caller.passing("shop", "2001:db8::2", 0, 1), 0, "the same network");
        assert_eq!(caller.passing("shop", "192.0.2.2", 0, 1), 1);
        assert_eq!(caller.passing("books", "2001:db8::1", 0, 1), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten() {
        let caller = Caller::new();
        for host in 0..2 * u32::try_from(MOST).unwrap() {
            caller.passing("shop", &std::net::Ipv4Addr::from_bits(host).to_string(), 0, 1);
        }
        assert_eq!(caller.rate.full_at().len(), MOST);
        caller.passing("shop", "192.0.2.1", 4, 1);
        assert_eq!(caller.rate.full_at().len(), 1);
    }
}
