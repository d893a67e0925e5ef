//! Requests to where a client says: its key set, its end of a log-out.
//!
//! The URL is in a declaration that the operator has looked at, but what its name resolves to is decided anew each time by
//! somebody else. So the address is checked when it is dialled, and nothing inside this network can be reached: no loopback,
//! private, link-local or metadata address. An issuer that is itself on loopback is somebody's development machine, and may
//! ask it anything.

mod address;

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
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

use self::address::is_public;

const CONNECT: Duration = Duration::from_secs(1);
const REQUEST: Duration = Duration::from_secs(3);
const USER_AGENT: &str = concat!("claviger/", env!("CARGO_PKG_VERSION"));

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

#[cfg(test)]
mod tests;
