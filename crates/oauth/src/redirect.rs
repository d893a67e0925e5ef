//! Where a browser may be sent back to (RFC 6749 section 3.1.2, RFC 8252, RFC 9700 section 2.1).

use url::Url;

use crate::grammar::{GrammarError, text_newtype};
use crate::id::{is_authority_ahead, is_uri_text, require};

text_newtype!(
    /// A redirect URI as a client registers it, at most 1024 characters.
    ///
    /// It is an https URL; or a plain http URL of this very machine (`127.0.0.1`, `[::1]`,
    /// `localhost`); or a URI of a private-use scheme, which has a dot in its name
    /// ([RFC 8252 section 7.1](https://www.rfc-editor.org/rfc/rfc8252#section-7.1)). It is written as
    /// a browser writes it, so that what is compared is where the browser goes: no upper case in the
    /// host, no default port, no `..`, no other spelling of an address. It has no fragment, no
    /// userinfo, no wildcard and no query parameter of a name that the answer uses.
    ///
    /// Compared byte for byte ([`matches`](Self::matches)).
    RedirectUri,
    check_redirect_uri
);

/// The names that an answer puts into the query.
const ANSWER: [&str; 6] = ["code", "state", "iss", "error", "error_description", "error_uri"];
const MAX_REDIRECT_URI: usize = 1024;
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

impl RedirectUri {
    /// Whether it is an https URL.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.as_str().starts_with("https://")
    }

    /// Whether it is a URI of a private-use scheme, which the system gives to an application.
    #[must_use]
    pub fn is_private_use(&self) -> bool {
        !self.is_https() && !self.as_str().starts_with("http://")
    }

    /// Whether the presented text is this URI, byte for byte.
    #[must_use]
    pub fn is_exactly(&self, presented: &str) -> bool {
        self.as_str() == presented
    }

    /// Whether the presented text is this URI for a native application: byte for byte, except that it
    /// may name any port of `http://127.0.0.1` and `http://[::1]`, because such an application
    /// listens on the port that it gets.
    ///
    /// [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        self.is_exactly(presented)
            || loopback_rest(self.as_str()).is_some_and(|rest| loopback_rest(presented) == Some(rest))
    }
}

/// The host of a loopback URL with what follows its port; `None` for every other text.
fn loopback_rest(uri: &str) -> Option<(&'static str, &str)> {
    LOOPBACK.into_iter().find_map(|host| {
        let rest = uri.strip_prefix(host)?;
        let rest = match rest.strip_prefix(':') {
            Some(rest) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (port, rest) = rest.split_at(digits);
                // A port, as it is written: neither `+80` nor `080`.
                let number: u16 = port.parse().ok().filter(|_| !port.starts_with('0'))?;
                (number > 0).then_some(rest)?
            }
            None => rest,
        };
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
    })
}

fn check_redirect_uri(text: &str) -> Result<(), GrammarError> {
    require((1..=MAX_REDIRECT_URI).contains(&text.len()), "a redirect URI has 1 to 1024 characters")?;
    require(is_uri_text(text), "a redirect URI has only the characters of a URI")?;
    require(!text.contains('*'), "a redirect URI has no wildcard")?;
    require(!text.contains('#'), "a redirect URI has no fragment")?;
    let (scheme, after_scheme) = text.split_at(text.find(':').unwrap_or(0));
    let url = Url::parse(text).map_err(|_| GrammarError("a redirect URI is an absolute URI"))?;
    match scheme {
        "https" | "http" => {
            require(is_authority_ahead(after_scheme), "a redirect URI names a host after `://`")?;
            require(
                scheme == "https" || is_this_machine(&url),
                "a redirect URI is an https URL; plain http is for 127.0.0.1, [::1] and localhost only",
            )?;
        }
        _ => require(
            is_private_use_scheme(scheme),
            "a redirect URI is an https URL, or of a lower-case scheme with a dot in its name",
        )?,
    }
    // `https://app.example@evil.example` reads as one host and is another.
    require(url.username().is_empty() && url.password().is_none(), "a redirect URI has no userinfo")?;
    // An empty path is the one thing that a browser adds to.
    require(
        url.as_str() == text || (url.path() == "/" && url.as_str().strip_suffix('/') == Some(text)),
        "a redirect URI is written as a browser writes it: host in lower case, no default port, no `..`",
    )?;
    require(
        !url.query_pairs().any(|(name, _)| ANSWER.contains(&&*name)),
        "a redirect URI has no query parameter code, state, iss or error: the answer has them",
    )
}

fn is_this_machine(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
}

fn is_private_use_scheme(scheme: &str) -> bool {
    scheme.contains('.')
        && !scheme.ends_with('.')
        && scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuses(text: &str, rule: &str) {
        let error = text.parse::<RedirectUri>().expect_err(text).to_string();
        assert!(error.contains(rule), "{text:?}: {error}");
    }

    // S-63
    #[test]
    fn what_may_be_registered() {
        for text in [
            "https://app.example/callback",
            "https://app.example",
            "https://app.example:8443/cb?tenant=a%20b",
            "https://xn--bcher-kva.example/cb",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8080/cb",
            "http://[::1]/cb",
            "http://localhost:3000/cb",
            "com.example.app:/callback",
            "com.example.app://callback",
        ] {
            assert_eq!(text.parse::<RedirectUri>().as_ref().map(RedirectUri::as_str), Ok(text));
        }
    }

    // S-63
    #[test]
    fn what_may_not_be_registered() {
        refuses("", "1 to 1024");
        refuses(&format!("https://app.example/{}", "a".repeat(1024)), "1 to 1024");
        refuses("/callback", "absolute");
        refuses("app.example/callback", "absolute");
        refuses("https://*.app.example/cb", "wildcard");
        refuses("https://app.example/*", "wildcard");
        refuses("https://app.example/cb#", "fragment");
        refuses("https://app.example/cb#part", "fragment");
        refuses("https://user@app.example/cb", "userinfo");
        refuses("https://user:pass@app.example/cb", "userinfo");
        refuses("https://@app.example/cb", "browser");
        refuses("http://app.example/cb", "https");
        refuses("http://127.0.0.1.evil.example/cb", "https");
        refuses("http://192.168.1.1/cb", "https");
        refuses("http://localhost.evil.example/cb", "https");
        refuses("javascript:alert(1)", "scheme");
        refuses("data:text/html,x", "scheme");
        refuses("file:///etc/passwd", "scheme");
        refuses("myapp:/callback", "scheme");
        refuses("com.Example.App:/callback", "scheme");
        refuses("HTTPS://app.example/cb", "scheme");
        refuses("https:app.example/cb", "host");
        refuses("https:///app.example/cb", "host");
        refuses("https:\\\\app.example/cb", "characters");
        refuses("https://app.example\\@evil.example/cb", "characters");
        refuses("https://app.example/c b", "characters");
        refuses("https://app.example/cb\r\nSet-Cookie:a=b", "characters");
        refuses("https://bücher.example/cb", "characters");
        refuses("https://app.example/%zz", "characters");
        refuses("https://APP.example/cb", "browser");
        refuses("https://app.example:443/cb", "browser");
        refuses("https://app.example/a/../cb", "browser");
        refuses("https://app.example/%2e%2e/cb", "browser");
        refuses("https://app.example/./cb", "browser");
        refuses("https://2130706433/cb", "browser");
        refuses("http://127.1/cb", "browser");
        refuses("https://app.example?x=1", "browser");
        refuses("https://app.example/cb?code=1", "query");
        refuses("https://app.example/cb?a=1&state=2", "query");
        refuses("https://app.example/cb?%69ss=1", "query");
        refuses("https://app.example/cb?error=1", "query");
    }

    /// Forty texts that are not the registered URI, each of which some server has taken for it.
    const NEIGHBOURS: [&str; 40] = [
        "",
        "/callback",
        "https://app.example",
        "https://app.example/",
        "https://app.example/callback/",
        "https://app.example/callback?",
        "https://app.example/callback?x=1",
        "https://app.example/callback#",
        "https://app.example/callback#part",
        "https://app.example/callback%20",
        "https://app.example/callback ",
        " https://app.example/callback",
        "https://app.example/callback\n",
        "https://app.example/callback\t",
        "https://app.example/callback%00",
        "https://app.example/Callback",
        "https://app.example/%63allback",
        "https://app.example/callback/..",
        "https://app.example/x/../callback",
        "https://app.example/./callback",
        "https://app.example//callback",
        "https://app.example/callback/evil",
        "https://app.example/callback.evil.example",
        "https://app.example\\callback",
        "https://app.example:443/callback",
        "https://app.example:8443/callback",
        "https://app.example./callback",
        "https://APP.EXAMPLE/callback",
        "HTTPS://app.example/callback",
        "http://app.example/callback",
        "https:/app.example/callback",
        "//app.example/callback",
        "https://app.example@evil.example/callback",
        "https://evil.example@app.example/callback",
        "https://evil.example/https://app.example/callback",
        "https://evil.example?https://app.example/callback",
        "https://evil.example#https://app.example/callback",
        "https://app.example.evil.example/callback",
        "https://sub.app.example/callback",
        "javascript:https://app.example/callback",
    ];

    // S-63
    #[test]
    fn forty_neighbours_of_a_registered_uri_are_not_it() {
        let registered: RedirectUri = "https://app.example/callback".parse().unwrap();
        assert!(registered.is_exactly("https://app.example/callback"));
        for presented in NEIGHBOURS {
            assert!(!registered.is_exactly(presented) && !registered.matches(presented), "{presented:?}");
        }
    }

    // S-63
    #[test]
    fn a_native_application_may_listen_on_any_port_of_the_loopback() {
        let matches =
            |registered: &str, presented: &str| registered.parse::<RedirectUri>().unwrap().matches(presented);
        for registered in ["http://127.0.0.1/cb?a=1", "http://127.0.0.1:7777/cb?a=1"] {
            for port in ["", ":1", ":7777", ":65535"] {
                assert!(matches(registered, &format!("http://127.0.0.1{port}/cb?a=1")), "{port}");
            }
            for presented in [
                "http://127.0.0.1:/cb?a=1",
                "http://127.0.0.1:0/cb?a=1",
                "http://127.0.0.1:080/cb?a=1",
                "http://127.0.0.1:65536/cb?a=1",
                "http://127.0.0.1:+80/cb?a=1",
                "http://127.0.0.1:80@evil.example/cb?a=1",
                "http://127.0.0.1.evil.example/cb?a=1",
                "http://127.0.0.1:80.evil.example/cb?a=1",
                "http://127.0.0.2:80/cb?a=1",
                "http://[::1]:80/cb?a=1",
                "http://localhost:80/cb?a=1",
                "https://127.0.0.1:80/cb?a=1",
                "http://127.0.0.1:80/cb",
                "http://127.0.0.1:80/cb?a=2",
                "http://127.0.0.1:80/cb/?a=1",
                "http://127.0.0.1:80/cb?a=1#x",
            ] {
                assert!(!matches(registered, presented), "{presented}");
            }
        }
        assert!(matches("http://[::1]:7777/cb", "http://[::1]:9/cb"));
        // Where a name is resolved, somebody else may answer.
        assert!(!matches("http://localhost:7777/cb", "http://localhost:9/cb"));
        assert!(!matches("https://app.example:7777/cb", "https://app.example:9/cb"));
        assert!(!matches("com.example.app:/cb", "com.example.app:9/cb"));
    }
}
