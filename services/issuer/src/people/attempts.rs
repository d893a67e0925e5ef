//! Where guesses at passwords are counted.

use std::{net::IpAddr, time::Duration};

use claviger_store::{AttemptLimits, Bucket, Username};

use super::device::KnownDevice;
use crate::http::subscriber;

/// Guesses at one account: ten, then a pause that doubles, and none after a hundred in a row (NIST SP 800-63B-4 section
/// 3.2.2).
const ACCOUNT: AttemptLimits = AttemptLimits::Guesses {
    most: 10,
    within: Duration::from_mins(10),
    longest: Duration::from_hours(24),
    stop: 100,
};
/// Wrong ones from one address, at whomever: behind one may be an office.
const ADDRESS: AttemptLimits = AttemptLimits::Rate { burst: 100, each: Duration::from_secs(6) };

/// The buckets in which an attempt counts. A browser in which this person has logged in before has one of its own: strangers
/// who guess wrong lock out strangers, and the person gets in.
pub(super) fn buckets(name: &Username, device: Option<&KnownDevice>, address: IpAddr) -> [Bucket; 2] {
    let guesses = match device {
        Some(device) => Bucket::of_browser(device.mark(), name, ACCOUNT),
        None => Bucket::of_account(name, ACCOUNT),
    };
    [guesses, Bucket::new("address", &subscriber(address).to_string(), ADDRESS)]
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-90
    #[test]
    fn all_ways_to_write_a_name_count_together_and_a_known_device_by_itself() {
        let address = "192.0.2.7".parse().unwrap();
        let of = |name: &str, device| buckets(&name.parse().unwrap(), device, address);
        assert_eq!(of("Ada", None), of(" ada", None));
        assert_ne!(of("ada", None)[0], of("bob", None)[0]);
        assert_eq!(of("ada", None)[1], of("bob", None)[1]);
        let devices = super::super::Devices::new(&[7; 32]);
        let name: Username = "ada".parse().unwrap();
        let (one, two) = (devices.remember(&name), devices.remember(&name));
        let one = devices.recognise(&name, &one);
        let two = devices.recognise(&name, &two);
        assert_ne!(of("ada", one.as_ref())[0], of("ada", None)[0]);
        assert_ne!(of("ada", one.as_ref())[0], of("ada", two.as_ref())[0]);
    }
}
