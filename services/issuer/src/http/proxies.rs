use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies that are believed when they say for whom they ask.
///
/// From them, and from nobody else, `X-Forwarded-For` is read. `Forwarded` (RFC 7239) is not read at all: a proxy
/// that writes the one header passes the other on as its client sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<TrustedProxy>);

/// One address, or all with one prefix: `10.0.0.7`, `10.0.0.0/24`, `2001:db8::/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

/// Why a text names no proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedProxyError {
    /// It is neither.
    #[error("neither an address nor a prefix such as 10.0.0.0/24")]
    Malformed,
    /// A prefix of no bits.
    #[error("anybody could say to come from anywhere")]
    Everybody,
}

impl TrustedProxies {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the other end of a connection is one of them.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|proxy| proxy.0.contains(&address))
    }

    /// Where a request comes from that `peer` has sent: the last address in `X-Forwarded-For` that is not a proxy's. What is
    /// before it anybody may have written. A proxy that says nothing, or something else than addresses, asks for itself.
    pub(super) fn origin(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        if self.is_empty() || !self.contains(peer.ip()) {
            return peer;
        }
        // The port is not its, and nothing goes by it.
        self.forwarded_for(headers).map_or(peer, |address| SocketAddr::new(address, 0))
    }

    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut farthest = None;
        // Several lines are one list; each proxy appends the address from which it was asked.
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            for entry in line.as_bytes().rsplit(|byte| *byte == b',') {
                let address = address(entry)?;
                farthest = Some(address);
                if !self.contains(address) {
                    return farthest;
                }
            }
        }
        farthest
    }
}

/// One entry of the list. Some proxies append the port.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    Some(bare.parse().ok().or_else(with_port)?.to_canonical())
}

impl FromStr for TrustedProxy {
    type Err = TrustedProxyError;

    fn from_str(text: &str) -> Result<Self, TrustedProxyError> {
        let address = || text.parse().ok().map(|address: IpAddr| address.to_canonical().into());
        let network: IpNet = text.parse().ok().or_else(address).ok_or(TrustedProxyError::Malformed)?;
        if network.prefix_len() == 0 {
            return Err(TrustedProxyError::Everybody);
        }
        Ok(Self(network))
    }
}

/// With commas between them, as an environment variable has them.
impl FromStr for TrustedProxies {
    type Err = TrustedProxyError;

    fn from_str(text: &str) -> Result<Self, TrustedProxyError> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(str::parse).collect()
    }
}

impl FromIterator<TrustedProxy> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = TrustedProxy>>(proxies: I) -> Self {
        Self(proxies.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXIES: &str = "10.0.0.7, 10.1.0.0/16,2001:db8:ffff::/48";

    /// Where a request comes from that `peer` sends with these lines of the header.
    #[track_caller]
    fn check(peer: &str, lines: &[&[u8]], expected: &str) {
        let proxies: TrustedProxies = PROXIES.parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("forwarded", "for=198.51.100.66".parse().unwrap());
        for line in lines {
            headers.append(FORWARDED_FOR, http::HeaderValue::from_bytes(line).unwrap());
        }
        let found = proxies.origin(SocketAddr::new(peer.parse().unwrap(), 1234), &headers);
        assert_eq!(found.ip(), expected.parse::<IpAddr>().unwrap(), "{lines:?}");
    }

    // S-104
    #[test]
    fn a_trusted_proxy_says_where_a_request_comes_from() {
        for proxy in ["10.0.0.7", "10.1.2.3", "2001:db8:ffff::7", "::ffff:10.0.0.7"] {
            check(proxy, &[b"192.0.2.1"], "192.0.2.1");
        }
        check("10.0.0.7", &[b"192.0.2.1:4711"], "192.0.2.1");
        check("10.0.0.7", &[b"2001:db8::1"], "2001:db8::1");
        check("10.0.0.7", &[b" [2001:db8::1]"], "2001:db8::1");
        check("10.0.0.7", &[b"[2001:db8::1]:443"], "2001:db8::1");
        check("10.0.0.7", &[b"::ffff:192.0.2.1"], "192.0.2.1");
    }

    // S-104
    #[test]
    fn what_a_caller_has_written_itself_is_not_believed() {
        check("10.0.0.7", &[b"198.51.100.66, 192.0.2.1"], "192.0.2.1");
        check("10.0.0.7", &[b"10.0.0.7, 192.0.2.1"], "192.0.2.1");
        check("10.0.0.7", &[b"198.51.100.66", b"192.0.2.1"], "192.0.2.1");
        check("10.0.0.7", &[b"\xff garbage,,, 192.0.2.1"], "192.0.2.1");
        for stranger in ["192.0.2.9", "10.0.0.8", "2001:db8::7"] {
            check(stranger, &[b"198.51.100.66"], stranger);
        }
    }

    // S-104
    #[test]
    fn proxies_behind_proxies_are_passed_over() {
        check("10.0.0.7", &[b"198.51.100.66, 192.0.2.1, 10.1.0.1, 10.1.0.2"], "192.0.2.1");
        check("10.0.0.7", &[b"192.0.2.1", b"10.1.0.1, 2001:db8:ffff::1"], "192.0.2.1");
        check("10.0.0.7", &[b"10.1.0.2, 10.1.0.1"], "10.1.0.2");
    }

    // S-104
    #[test]
    fn a_proxy_that_names_nobody_asks_for_itself() {
        let nobody: [&[u8]; 5] = [b"", b"unknown", b"192.0.2.1,", b"192.0.2.1, \xff", b"_hidden"];
        check("10.0.0.7", &[], "10.0.0.7");
        for line in nobody {
            check("10.0.0.7", &[line], "10.0.0.7");
        }
        check("10.0.0.7", &[b"192.0.2.1, unknown, 10.1.0.1"], "10.0.0.7");
    }

    // S-104
    #[test]
    fn by_default_nobody_is_believed() {
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED_FOR, "192.0.2.1".parse().unwrap());
        let peer = "127.0.0.1:80".parse().unwrap();
        assert_eq!(TrustedProxies::default().origin(peer, &headers), peer);
    }

    // S-104
    #[test]
    fn not_everybody_can_be_trusted() {
        let parsed = |text: &str| text.parse::<TrustedProxies>().map(|proxies| proxies.0.len());
        assert_eq!(parsed(PROXIES), Ok(3));
        assert_eq!(parsed(" "), Ok(0));
        assert_eq!(parsed("0.0.0.0/0"), Err(TrustedProxyError::Everybody));
        assert_eq!(parsed("10.0.0.7, ::/0"), Err(TrustedProxyError::Everybody));
        for malformed in ["10.0.0.7/33", "proxy.test", "10.0.0", "10.0.0.7 10.0.0.8", "10.0.0.7:80"] {
            assert_eq!(parsed(malformed), Err(TrustedProxyError::Malformed), "{malformed}");
        }
    }
}
