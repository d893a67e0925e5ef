use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::subscriber;

/// How many of something each subscriber has at once: of the connections that are open, of the places in a queue.
#[derive(Debug)]
pub(crate) struct PerIp {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One of them; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Share {
    count: Arc<PerIp>,
    address: IpAddr,
}

impl PerIp {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// One more, or none if its address has had its share.
    pub(crate) fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<Share> {
        let address = subscriber(ip);
        let mut open = self.open();
        let connections = open.entry(address).or_default();
        if *connections >= self.most {
            return None;
        }
        *connections += 1;
        Some(Share { count: Arc::clone(self), address })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Entry::Occupied(mut connections) = self.count.open().entry(self.address) {
            *connections.get_mut() -= 1;
            if *connections.get() == 0 {
                connections.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_admitted(most: usize, ips: &[&str], expected: &[bool]) {
        let count = PerIp::new(most);
        let places: Vec<_> = ips.iter().map(|ip| count.admit(ip.parse().unwrap())).collect();
        let admitted: Vec<_> = places.iter().map(Option::is_some).collect();
        assert_eq!(admitted, expected, "{ips:?}");
    }

    // S-102
    #[test]
    fn an_address_gets_its_share_and_no_more() {
        check_admitted(2, &["192.0.2.1"; 3], &[true, true, false]);
        check_admitted(1, &["192.0.2.1", "192.0.2.2"], &[true, true]);
        check_admitted(1, &["192.0.2.1", "::ffff:192.0.2.1"], &[true, false]);
        check_admitted(1, &["2001:db8::1", "2001:db8::2:1"], &[true, false]);
        check_admitted(1, &["2001:db8::1", "2001:db8:0:1::1"], &[true, true]);
        check_admitted(0, &["127.0.0.1"], &[false]);
    }

    #[test]
    fn a_place_given_back_leaves_no_trace() {
        let count = PerIp::new(1);
        let place = count.admit(IpAddr::from([192, 0, 2, 1]));
        drop(place);
        assert!(count.open().is_empty());
    }
}
