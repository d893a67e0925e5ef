//! Which URLs may be asked at all.

use std::net::Ipv4Addr;

use url::{Host, Url};

/// Why a URL is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unacceptable {
    #[error("it is not an absolute URL")]
    Malformed,
    #[error("it must be https, or http on a loopback host such as http://127.0.0.1:8080")]
    Scheme,
    #[error("it must not carry a user name or password")]
    Userinfo,
    #[error("it must not have a fragment")]
    Fragment,
    #[error("an issuer must not have a query (RFC 8414 section 2)")]
    Query,
}

/// An issuer's URL: https, or http on a loopback host, without query.
pub(crate) fn parse_issuer(text: &str) -> Result<Url, Unacceptable> {
    let url = parse(text)?;
    if url.query().is_some() { Err(Unacceptable::Query) } else { Ok(url) }
}

/// A key set's URL: https, or http on a loopback host.
pub(crate) fn parse(text: &str) -> Result<Url, Unacceptable> {
    let url = Url::parse(text).map_err(|_| Unacceptable::Malformed)?;
    match url.scheme() {
        "https" => {}
        "http" if has_loopback_host(&url) => {}
        _ => return Err(Unacceptable::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Unacceptable::Userinfo);
    }
    if url.fragment().is_some() {
        return Err(Unacceptable::Fragment);
    }
    Ok(url)
}

/// A key set's URL from the metadata of an issuer. An issuer on https cannot lead us to a plain or
/// local service, nor one on loopback out of this machine.
pub(crate) fn parse_discovered(text: &str, issuer: &Url) -> Option<Url> {
    let url = parse(text).ok().filter(|url| url.scheme() == issuer.scheme())?;
    (is_this_machine(issuer) || !is_this_machine(&url)).then_some(url)
}

/// A URL as people may read it: a query may hold a secret.
pub(crate) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}

/// What was configured as a URL, acceptable or not, as people may read it.
pub(crate) fn without_secrets(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return "(not a URL)".to_owned();
    };
    // A URL that can have no user has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    without_query(&url)
}

/// Where the metadata of an issuer may be: RFC 8414 section 3.1 inserts the well-known part before the
/// path, OpenID Connect Discovery section 4 appends it.
pub(crate) fn metadata_urls(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [
        at(format!("/.well-known/oauth-authorization-server{path}")),
        at(format!("{path}/.well-known/openid-configuration")),
    ]
}

/// Whether a URL leads to this machine, in any of the ways to say so. More than what is accepted as a loopback host: here
/// in doubt is refused.
fn is_this_machine(url: &Url) -> bool {
    let is_local = |address: Ipv4Addr| address.is_loopback() || address.is_unspecified();
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => is_local(address),
        Some(Host::Ipv6(address)) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.to_ipv4_mapped().is_some_and(is_local)
        }
        None => false,
    }
}

fn has_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-24
    #[test]
    fn an_issuer_is_https_or_on_this_machine() {
        for good in [
            "https://id.example.com",
            "https://id.example.com/tenant/",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert!(parse_issuer(good).is_ok(), "{good}");
        }
        let table = [
            ("", Unacceptable::Malformed),
            ("id.example.com", Unacceptable::Malformed),
            ("http://id.example.com", Unacceptable::Scheme),
            ("http://127.0.0.1.example.com", Unacceptable::Scheme),
            ("http://169.254.169.254", Unacceptable::Scheme),
            ("file:///etc/passwd", Unacceptable::Scheme),
            ("https://user@id.example.com", Unacceptable::Userinfo),
            ("https://:secret@id.example.com", Unacceptable::Userinfo),
            ("https://id.example.com#x", Unacceptable::Fragment),
            ("https://id.example.com?x", Unacceptable::Query),
        ];
        for (bad, expected) in table {
            assert_eq!(parse_issuer(bad), Err(expected), "{bad}");
        }
    }

    // S-24
    #[test]
    fn metadata_cannot_lead_to_another_scheme() {
        let from = |issuer: &str, text: &str| parse_discovered(text, &Url::parse(issuer).unwrap()).is_some();
        assert!(from("https://id.example.com", "https://keys.example.com/jwks?v=1"));
        assert!(from("http://127.0.0.1:1", "http://127.0.0.1:2/jwks"));
        assert!(!from("https://id.example.com", "http://127.0.0.1:6379/jwks"));
        assert!(!from("http://127.0.0.1:1", "https://id.example.com/jwks"));
        assert!(!from("http://127.0.0.1:1", "http://169.254.169.254/jwks"));
        assert!(!from("https://id.example.com", "/jwks"));
    }

    // S-24
    #[test]
    fn metadata_cannot_lead_from_elsewhere_to_this_machine() {
        let from = |issuer: &str, host: &str| {
            parse_discovered(&format!("https://{host}/jwks"), &Url::parse(issuer).unwrap()).is_some()
        };
        let local = [
            "localhost",
            "localhost:8443",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
        ];
        for host in local {
            assert!(!from("https://id.example.com", host), "{host}");
            assert!(from("https://localhost:8443", host), "{host}: an issuer on this machine may");
        }
        for host in ["keys.example.com", "localhost.example.com", "10.0.0.1", "[2001:db8::1]"] {
            assert!(from("https://id.example.com", host), "{host}");
        }
    }

    #[test]
    fn metadata_is_at_two_places() {
        let check = |issuer: &str, expected: [&str; 2]| {
            assert_eq!(metadata_urls(&Url::parse(issuer).unwrap()).map(String::from), expected);
        };
        check(
            "https://id.test",
            [
                "https://id.test/.well-known/oauth-authorization-server",
                "https://id.test/.well-known/openid-configuration",
            ],
        );
        check(
            "https://id.test/a/b/",
            [
                "https://id.test/.well-known/oauth-authorization-server/a/b",
                "https://id.test/a/b/.well-known/openid-configuration",
            ],
        );
    }
}
