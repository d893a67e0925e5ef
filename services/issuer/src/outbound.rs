//! Requests to where a client says: its key set, its end of a log-out.
//!
//! The URL is in a declaration that the operator has looked at, but what its name resolves to is decided anew each time by
//! somebody else. So the address is checked when it is dialled, and nothing inside this network can be reached: no loopback,
//! private, link-local or metadata address. An issuer that is itself on loopback is somebody's development machine, and may
//! ask it anything.

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use claviger_oauth::Issuer;
use reqwest::{
    Client, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect, retry,
};
use url::{Host, Url};

const CONNECT: Duration = Duration::from_secs(1);
const REQUEST: Duration = Duration::from_secs(3);
const USER_AGENT: &str = concat!("claviger/", env!("CARGO_PKG_VERSION"));
/// Azure's host platform answers virtual machines there, although the address is a public one.
const AZURE_HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Why a URL is not asked, or an answer not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it must be an https URL without user name, password and fragment")]
    Url,
    #[error("it leads into this machine or its network")]
    Address,
    #[error("the answer is too large")]
    TooLarge,
    #[error("the answer broke off")]
    Broken,
}

/// An HTTP client that goes to other people's servers and to nowhere else.
#[derive(Debug)]
pub(crate) struct Outbound {
    local: bool,
    client: OnceLock<Client>,
}

impl Outbound {
    pub(crate) fn new(issuer: &Issuer) -> Self {
        Self { local: issuer.is_loopback(), client: OnceLock::new() }
    }

    /// The URL, if it may be asked. An address in it is dialled without a look-up, so it is judged here.
    pub(crate) fn check(&self, url: &str) -> Result<Url, Refused> {
        check(url, self.local)
    }

    /// The client: no redirects, no proxy, no retries; 1 s to connect, 3 s in all. It is made when it is first wanted: most
    /// issuers never want it, and the system's certificates are some megabytes.
    pub(crate) fn http(&self) -> reqwest::Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = if self.local { builder() } else { builder().dns_resolver(Arc::new(Guarded(System))) };
        let client = client.build()?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Whether a URL may be asked by an issuer; `local`: by one on loopback.
pub(crate) fn check(text: &str, local: bool) -> Result<Url, Refused> {
    let url = Url::parse(text).map_err(|_| Refused::Url)?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let address = match url.host().ok_or(Refused::Url)? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::from(address)),
        Host::Ipv6(address) => Some(IpAddr::from(address)),
    };
    let on_loopback =
        url.host_str() == Some("localhost") || address.is_some_and(|address| address.is_loopback());
    match url.scheme() {
        "https" if plain => {}
        "http" if plain && local && on_loopback => {}
        _ => return Err(Refused::Url),
    }
    if !local && (url.host_str() == Some("localhost") || address.is_some_and(|address| !is_public(address))) {
        return Err(Refused::Address);
    }
    Ok(url)
}

/// Reads a body, and counts while it does: it may come without a length, or with a false one.
pub(crate) async fn body_of(mut response: Response, limit: usize) -> Result<Vec<u8>, Refused> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Refused::Broken)? {
        if body.len() + chunk.len() > limit {
            return Err(Refused::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn builder() -> reqwest::ClientBuilder {
    Client::builder()
        .tls_backend_rustls()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(REQUEST)
        // A connection that is kept was checked under a name that may mean another address by now.
        .pool_max_idle_per_host(0)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
}

/// Answers with the addresses that are then dialled: between this look and the connection nobody looks again, so a name
/// cannot be one thing when it is checked and another when it is used.
struct Guarded<R>(R);

impl<R: Resolve> Resolve for Guarded<R> {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.0.resolve(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            // One bad address among good ones is an attempt, and which of them is dialled is chance.
            if found.iter().all(|address| is_public(address.ip())) {
                Ok(Box::new(found.into_iter()) as Addrs)
            } else {
                Err(Box::new(Refused::Address) as Box<dyn Error + Send + Sync>)
            }
        })
    }
}

struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is somewhere on the Internet, by the registries of special addresses (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127 | 224.., ..]
        | [100, 64..=127, ..]
        | [169, 254, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => true,
        _ => address == AZURE_HOST,
    };
    !special
}

/// Only 2000::/3 is given out; of that, not what carries an IPv4 address inside, nor what is for documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let special = match address.segments() {
        [0x2001, 0x0000..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0x0000..=0x0fff, ..] => true,
        [first, ..] => !(0x2000..=0x3fff).contains(&first),
    };
    !special
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;

    use super::*;

    fn outbound(issuer: &str) -> Outbound {
        Outbound::new(&issuer.parse().unwrap())
    }

    // S-59
    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for special in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2001:4860::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    // S-59
    #[test]
    fn a_url_with_an_address_of_this_network_is_refused_however_it_is_spelt() {
        let outbound = outbound("https://id.fleet.test");
        for bad in [
            "https://127.0.0.1/jwks",
            "https://127.1/jwks",
            "https://2130706433/jwks",
            "https://0x7f.1/jwks",
            "https://[::1]/jwks",
            "https://[::ffff:127.0.0.1]/jwks",
            "https://169.254.169.254/latest",
            "https://10.0.0.1",
            "https://localhost/jwks",
        ] {
            assert_eq!(outbound.check(bad), Err(Refused::Address), "{bad}");
        }
        for bad in [
            "http://client.fleet.test/jwks",
            "http://127.0.0.1/jwks",
            "ftp://client.fleet.test",
            "client.fleet.test",
            "https://a@client.fleet.test",
            "https://client.fleet.test/#a",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(outbound.check(bad), Err(Refused::Url), "{bad}");
        }
        assert!(outbound.check("https://client.fleet.test/jwks?v=1").is_ok());
    }

    #[test]
    fn an_issuer_on_loopback_asks_loopback() {
        let outbound = outbound("http://127.0.0.1:8080");
        for good in
            ["http://127.0.0.1:1/jwks", "http://[::1]:1/jwks", "http://localhost:1/", "https://10.0.0.1/"]
        {
            assert!(outbound.check(good).is_ok(), "{good}");
        }
        assert_eq!(outbound.check("http://client.fleet.test/jwks"), Err(Refused::Url));
    }

    /// Counts the connections that reach this machine.
    struct Canary {
        port: u16,
        seen: Arc<AtomicUsize>,
    }

    async fn canary() -> Canary {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&seen);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Canary { port, seen }
    }

    /// Answers a public address when it is first asked, and loopback from then on.
    struct Rebinding(AtomicUsize);

    impl Resolve for Rebinding {
        fn resolve(&self, _: Name) -> Resolving {
            let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
            let address = if first { [1, 1, 1, 1] } else { [127, 0, 0, 1] };
            Box::pin(async move { Ok(Box::new([SocketAddr::from((address, 0))].into_iter()) as Addrs) })
        }
    }

    // S-59
    #[tokio::test]
    async fn a_name_that_means_this_machine_when_it_is_dialled_is_not_dialled() {
        let canary = canary().await;
        let rebinding = Rebinding(AtomicUsize::new(0));
        rebinding.resolve("client.fleet.test".parse().unwrap()).await.unwrap(); // whoever looked before
        let client = builder().dns_resolver(Arc::new(Guarded(rebinding))).build().unwrap();
        let url = format!("https://client.fleet.test:{}/jwks", canary.port);
        assert!(client.get(url).send().await.unwrap_err().is_connect());
        assert_eq!(canary.seen.load(Ordering::SeqCst), 0);
    }

    // S-59
    #[tokio::test]
    async fn the_system_s_own_names_of_this_machine_are_not_dialled() {
        let canary = canary().await;
        let outbound = outbound("https://id.fleet.test");
        let url = format!("https://localhost:{}/jwks", canary.port);
        assert!(outbound.http().unwrap().get(url).send().await.is_err());
        assert_eq!(canary.seen.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn one_local_address_among_public_ones_is_enough_to_refuse() {
        struct Mixed;
        impl Resolve for Mixed {
            fn resolve(&self, _: Name) -> Resolving {
                let addresses = [[1, 1, 1, 1], [10, 0, 0, 1]].map(|address| SocketAddr::from((address, 0)));
                Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
            }
        }
        let name = "client.fleet.test".parse().unwrap();
        let Err(refused) = Guarded(Mixed).resolve(name).await else { panic!("dialled") };
        assert_eq!(refused.downcast_ref(), Some(&Refused::Address));
    }
}
