use std::net::{IpAddr, Ipv6Addr};

/// What one subscriber has, for limits that count by address: an address of version 4, the first 64 bits of one of version
/// 6, of which anybody could come from another each time.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-90
    #[test]
    fn one_subscriber_is_one_address() {
        let subscriber = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(subscriber("192.0.2.7"), subscriber("::ffff:192.0.2.7"));
        assert_ne!(subscriber("192.0.2.7"), subscriber("192.0.2.8"));
        assert_eq!(subscriber("2001:db8:1:2:3:4:5:6"), subscriber("2001:db8:1:2::1"));
        assert_ne!(subscriber("2001:db8:1:2::1"), subscriber("2001:db8:1:3::1"));
    }
}
