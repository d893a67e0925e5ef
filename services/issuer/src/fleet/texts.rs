//! Texts of a declaration that are only checked: what is kept of them is the text.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};

/// A text that breaks its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Broken(&'static str);

/// A name that people are shown: what it looks like is what it is.
#[derive(Debug)]
pub(super) struct DisplayName(pub(super) String);

impl FromStr for DisplayName {
    type Err = Broken;

    fn from_str(text: &str) -> Result<Self, Broken> {
        // Among them are those that turn the direction of the text, and those that nobody sees.
        let deceives = |c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        if !(1..=64).contains(&text.chars().count()) || text.trim() != text {
            return Err(Broken("a name has 1 to 64 characters and no space around it"));
        }
        if text.chars().any(deceives) {
            return Err(Broken("a name has no control characters and none that cannot be seen"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// An https URL for a browser.
#[derive(Debug)]
pub(super) struct HttpsUrl(pub(super) String);

impl FromStr for HttpsUrl {
    type Err = Broken;

    fn from_str(text: &str) -> Result<Self, Broken> {
        let url = Url::parse(text).map_err(|_| Broken("it is not a URL"))?;
        let plain = url.username().is_empty() && url.password().is_none();
        if text.len() > 1024 || url.scheme() != "https" || !plain || url.as_str() != text {
            return Err(Broken("it must be an https URL as a browser writes it, of at most 1024 characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// An origin as browsers send it: scheme, host, and a port that is not the scheme's own
/// (RFC 6454 section 6.2).
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) text: String,
    /// Plain http, on this machine.
    pub(super) is_local: bool,
}

impl FromStr for Origin {
    type Err = Broken;

    fn from_str(text: &str) -> Result<Self, Broken> {
        let url = Url::parse(text).map_err(|_| Broken("an origin is a URL without a path"))?;
        if url.origin().ascii_serialization() != text || text.contains('*') {
            return Err(Broken(
                "an origin is written as browsers send it: `https://app.example.com`, without a path, a slash and a default port",
            ));
        }
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => Ok(Self { text: text.to_owned(), is_local: false }),
            "http" if is_loopback => Ok(Self { text: text.to_owned(), is_local: true }),
            _ => Err(Broken("an origin is https; plain http is for this machine only")),
        }
    }
}

/// A word of a closed set, as its type is written in JSON.
#[derive(Debug)]
pub(super) struct Word<T>(pub(super) T);

impl<T: DeserializeOwned> FromStr for Word<T> {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_value(Value::from(text)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_looks_like() {
        for good in ["The shop", "가게", "Ü & <b>"] {
            assert!(good.parse::<DisplayName>().is_ok(), "{good}");
        }
        for bad in ["", " shop", "shop\n", "bank\u{202e}pohs", "sh\u{200b}op", &"s".repeat(65)] {
            assert!(bad.parse::<DisplayName>().is_err(), "{bad:?}");
        }
    }

    // S-69
    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for good in
            ["https://app.example.com", "https://app.example.com:8443", "https://xn--bcher-kva.example"]
        {
            assert!(!good.parse::<Origin>().unwrap().is_local, "{good}");
        }
        assert!("http://127.0.0.1:3000".parse::<Origin>().unwrap().is_local);
        for bad in [
            "*",
            "null",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://App.example.com",
            "https://app.example.com/x",
            "http://app.example.com",
            "app.example.com",
            "",
            "https://user@app.example.com",
            "com.example.app://callback",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_logo_is_an_https_url() {
        assert!("https://shop.example.com/logo.svg".parse::<HttpsUrl>().is_ok());
        for bad in [
            "http://shop.example.com/logo.svg",
            "data:image/png;base64,AA",
            "javascript:1",
            "https://a@b.test/",
            "logo.svg",
        ] {
            assert!(bad.parse::<HttpsUrl>().is_err(), "{bad}");
        }
    }
}
