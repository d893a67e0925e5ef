//! Who and where: clients, teams, audiences, issuers, subjects.

use claviger_jose::base64url;
use url::{Host, Url};

use crate::grammar::{GrammarError, text_newtype};

text_newtype!(
    /// The name of a client: 1 to 64 of `A-Z a-z 0-9 . _ -`, starting with a letter or a digit.
    ///
    /// There is no `:` in this grammar, and every [`Subject`] has one. So no client can be
    /// registered under a name that reads as somebody's subject (`user:alice`), and a `client_id`
    /// is never equal to a `sub`.
    ///
    /// [RFC 6749 section 2.2](https://www.rfc-editor.org/rfc/rfc6749#section-2.2)
    ClientId,
    check_client_id
);

text_newtype!(
    /// The name of a team: 1 to 64 of `a-z 0-9 -`.
    TeamName,
    check_team_name
);

text_newtype!(
    /// The identifier of a resource server: an absolute URI of at most 256 characters, without
    /// fragment.
    ///
    /// Kept and compared byte for byte: two spellings of one URL are two audiences, so that no
    /// normalisation can make a token meant for one service fit another.
    ///
    /// [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
    Audience,
    check_audience
);

text_newtype!(
    /// The identifier of an authorization server: an https URL without userinfo, query, fragment
    /// and trailing slash.
    ///
    /// Plain http is accepted for a loopback host only (`127.0.0.0/8`, `[::1]`, `localhost`). Kept
    /// and compared byte for byte; at most 256 characters.
    ///
    /// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
    Issuer,
    check_issuer
);

text_newtype!(
    /// Whom a token speaks for: 1 to 255 printable ASCII characters.
    ///
    /// Our own subjects carry their kind as a prefix, so a service can never look like a person,
    /// whatever its name.
    ///
    /// [RFC 7519 section 4.1.2](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.2),
    /// [RFC 9068 section 5](https://www.rfc-editor.org/rfc/rfc9068#section-5)
    Subject,
    check_subject
);

text_newtype!(
    /// A person, by a name that means nothing and is never given to another: 1 to 64 of
    /// `A-Z a-z 0-9 _ -`.
    UserId,
    check_opaque_id
);

text_newtype!(
    /// A session of a person, as tokens and the revocation feed call it: 1 to 64 of
    /// `A-Z a-z 0-9 _ -`. Not a secret: it opens nothing.
    ///
    /// [OpenID Connect Front-Channel Logout section 3](https://openid.net/specs/openid-connect-frontchannel-1_0.html)
    Sid,
    check_opaque_id
);

const CLIENT: &str = "client:";
const USER: &str = "user:";
const MAX_URI: usize = 256;

impl Issuer {
    /// Whether the host is this machine: a literal loopback address or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| has_loopback_host(&url))
    }

    /// The URL of `path` under this issuer, with exactly one slash between the two.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}/{}", self.0, path.trim_start_matches('/'))
    }
}

impl UserId {
    /// The name that these random bits make.
    #[must_use]
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(base64url::encode(&bits).into())
    }
}

impl Sid {
    /// The name that these random bits make.
    #[must_use]
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(base64url::encode(&bits).into())
    }
}

impl Subject {
    /// The subject of a service that acts for itself: `client:` and its client id.
    #[must_use]
    pub fn client(id: &ClientId) -> Self {
        Self(format!("{CLIENT}{id}").into())
    }

    /// The subject of a person: `user:` and an identifier that nobody else reads anything into.
    ///
    /// # Errors
    /// When the identifier is empty, too long for a subject or not printable ASCII.
    pub fn user(opaque: &str) -> Result<Self, GrammarError> {
        if opaque.is_empty() {
            return Err(GrammarError("a user's subject needs an identifier"));
        }
        format!("{USER}{opaque}").parse()
    }

    /// The subject of a person who has an account here.
    #[must_use]
    pub fn of_user(id: &UserId) -> Self {
        Self(format!("{USER}{id}").into())
    }

    /// Whose account this is, if it is one that could be of here.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.0.strip_prefix(USER)?.parse().ok()
    }

    /// Whether this is a service acting for itself.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.0.starts_with(CLIENT)
    }

    /// Whether this is a person.
    #[must_use]
    pub fn is_user(&self) -> bool {
        self.0.starts_with(USER)
    }
}

fn check_client_id(text: &str) -> Result<(), GrammarError> {
    require((1..=64).contains(&text.len()), "a client id has 1 to 64 characters")?;
    require(
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
        "a client id has only the characters A-Z a-z 0-9 . _ -",
    )?;
    require(
        text.starts_with(|c: char| c.is_ascii_alphanumeric()),
        "a client id starts with a letter or a digit",
    )
}

fn check_team_name(text: &str) -> Result<(), GrammarError> {
    require((1..=64).contains(&text.len()), "a team name has 1 to 64 characters")?;
    require(
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
        "a team name has only the characters a-z 0-9 -",
    )
}

fn check_opaque_id(text: &str) -> Result<(), GrammarError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    require(
        (1..=64).contains(&text.len()) && text.bytes().all(plain),
        "an identifier has 1 to 64 characters of A-Z a-z 0-9 _ -",
    )
}

fn check_audience(text: &str) -> Result<(), GrammarError> {
    require((1..=MAX_URI).contains(&text.len()), "an audience has 1 to 256 characters")?;
    require(is_uri_text(text), "an audience has only the characters of a URI")?;
    require(!text.contains('#'), "an audience has no fragment")?;
    let url = Url::parse(text).map_err(|_| GrammarError("an audience is an absolute URI"))?;
    // The URL parser repairs `https:host` and `https:///host`; a repaired text is not the one that
    // tokens will carry.
    let after_scheme = &text[url.scheme().len()..];
    require(
        !matches!(url.scheme(), "http" | "https") || is_authority_ahead(after_scheme),
        "an audience with an http or https scheme names a host after `://`",
    )
}

fn check_issuer(text: &str) -> Result<(), GrammarError> {
    require((1..=MAX_URI).contains(&text.len()), "an issuer has 1 to 256 characters")?;
    require(is_uri_text(text), "an issuer has only the characters of a URL")?;
    let (scheme, after_scheme) = text.split_at(text.find(':').unwrap_or(0));
    require(matches!(scheme, "http" | "https"), "an issuer is an https URL")?;
    require(is_authority_ahead(after_scheme), "an issuer names a host after `://`")?;
    require(!text.contains('?'), "an issuer has no query")?;
    require(!text.contains('#'), "an issuer has no fragment")?;
    require(!text.ends_with('/'), "an issuer has no trailing slash")?;
    let url = Url::parse(text).map_err(|_| GrammarError("an issuer is a URL"))?;
    // `https://id.example@evil.example` reads as one host and is another.
    require(!text.contains('@'), "an issuer has no userinfo, nor any other `@`")?;
    require(
        scheme == "https" || has_loopback_host(&url),
        "an issuer is an https URL; plain http is for a loopback host only",
    )
}

fn check_subject(text: &str) -> Result<(), GrammarError> {
    require((1..=255).contains(&text.len()), "a subject has 1 to 255 characters")?;
    require(text.bytes().all(|b| (0x20..=0x7E).contains(&b)), "a subject has only printable ASCII characters")
}

pub(crate) fn require(holds: bool, rule: &'static str) -> Result<(), GrammarError> {
    if holds { Ok(()) } else { Err(GrammarError(rule)) }
}

/// The characters of RFC 3986, with whole percent escapes. Excludes what URL parsers drop or turn:
/// tabs, line ends, `\`.
pub(crate) fn is_uri_text(text: &str) -> bool {
    let escapes_are_whole = text.split('%').skip(1).all(|rest| {
        let hex = rest.bytes().take(2).filter(u8::is_ascii_hexdigit);
        hex.count() == 2
    });
    escapes_are_whole
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b))
}

pub(crate) fn is_authority_ahead(after_scheme: &str) -> bool {
    after_scheme.strip_prefix("://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
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
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;

    /// Accepted, byte for byte, by `FromStr` and by serde alike.
    fn accepts<T>(text: &str)
    where
        T: FromStr<Err = GrammarError> + Display + Debug + PartialEq + Serialize + DeserializeOwned,
    {
        let parsed: T = text.parse().unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert_eq!(parsed.to_string(), text);
        let json = serde_json::to_string(&parsed).unwrap();
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), parsed);
    }

    /// Refused by `FromStr` and by serde alike, with a message that names `rule`.
    fn refuses<T>(text: &str, rule: &str)
    where
        T: FromStr<Err = GrammarError> + Debug + DeserializeOwned,
    {
        let error = text.parse::<T>().expect_err(text).to_string();
        assert!(error.contains(rule), "{text:?}: {error}");
        let json = serde_json::to_string(text).unwrap();
        assert!(serde_json::from_str::<T>(&json).is_err(), "{text:?}");
    }

    #[test]
    fn a_client_id_is_a_short_plain_name() {
        accepts::<ClientId>("orders");
        accepts::<ClientId>("9-lives_of.A");
        accepts::<ClientId>(&"a".repeat(64));
        refuses::<ClientId>("", "1 to 64");
        refuses::<ClientId>(&"a".repeat(65), "1 to 64");
        refuses::<ClientId>("-orders", "starts with");
        refuses::<ClientId>(".orders", "starts with");
        refuses::<ClientId>("orders billing", "only the characters");
        refuses::<ClientId>("ördérs", "only the characters");
        refuses::<ClientId>("orders\n", "only the characters");
    }

    #[test]
    fn a_team_name_is_lower_case() {
        accepts::<TeamName>("payments-2");
        accepts::<TeamName>(&"t".repeat(64));
        refuses::<TeamName>("", "1 to 64");
        refuses::<TeamName>(&"t".repeat(65), "1 to 64");
        refuses::<TeamName>("Payments", "only the characters");
        refuses::<TeamName>("pay_ments", "only the characters");
    }

    #[test]
    fn an_audience_is_an_absolute_uri() {
        accepts::<Audience>("https://orders.fleet.test");
        accepts::<Audience>("https://orders.fleet.test/v1?tenant=a%20b");
        accepts::<Audience>("urn:fleet:ledger");
        accepts::<Audience>(&format!("https://a/{}", "x".repeat(246)));
        refuses::<Audience>("", "1 to 256");
        refuses::<Audience>(&format!("https://a/{}", "x".repeat(247)), "1 to 256");
        refuses::<Audience>("orders", "absolute");
        refuses::<Audience>("/orders", "absolute");
        refuses::<Audience>("//orders.fleet.test", "absolute");
        refuses::<Audience>("https://orders.fleet.test#part", "fragment");
        refuses::<Audience>("https://orders.fleet.test#", "fragment");
        refuses::<Audience>("https://orders fleet.test", "characters");
        refuses::<Audience>("https://orders.fleet.test\n", "characters");
        refuses::<Audience>("https:\\\\orders.fleet.test", "characters");
        refuses::<Audience>("https://orders.fleet.test/%2", "characters");
        refuses::<Audience>("https:orders.fleet.test", "host");
        refuses::<Audience>("https:///orders.fleet.test", "host");
    }

    // S-5
    #[test]
    fn an_issuer_is_an_https_url_in_one_spelling() {
        accepts::<Issuer>("https://id.fleet.test");
        accepts::<Issuer>("https://id.fleet.test:8443/tenants/a");
        refuses::<Issuer>("", "1 to 256");
        refuses::<Issuer>("id.fleet.test", "https URL");
        refuses::<Issuer>("HTTPS://id.fleet.test", "https URL");
        refuses::<Issuer>("ftp://id.fleet.test", "https URL");
        refuses::<Issuer>("https:id.fleet.test", "host");
        refuses::<Issuer>("https:///id.fleet.test", "host");
        refuses::<Issuer>("https://", "host");
        refuses::<Issuer>("https://id.fleet.test/", "trailing slash");
        refuses::<Issuer>("https://id.fleet.test/a/", "trailing slash");
        refuses::<Issuer>("https://id.fleet.test?a=b", "query");
        refuses::<Issuer>("https://id.fleet.test#a", "fragment");
        refuses::<Issuer>("https://id.fleet.test@evil.test", "userinfo");
        refuses::<Issuer>("https://id.fleet.test:99999", "a URL");
        refuses::<Issuer>(" https://id.fleet.test", "characters");
        refuses::<Issuer>("https://id.fleet.test\t", "characters");
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        accepts::<Issuer>("http://127.0.0.1:8080");
        accepts::<Issuer>("http://127.8.9.1");
        accepts::<Issuer>("http://[::1]:8080/id");
        accepts::<Issuer>("http://localhost:8080");
        refuses::<Issuer>("http://id.fleet.test", "loopback");
        refuses::<Issuer>("http://128.0.0.1", "loopback");
        refuses::<Issuer>("http://0.0.0.0", "loopback");
        refuses::<Issuer>("http://[::2]", "loopback");
        refuses::<Issuer>("http://localhost.fleet.test", "loopback");
        refuses::<Issuer>("http://127.0.0.1.fleet.test", "loopback");
        refuses::<Issuer>("http://127.0.0.1@id.fleet.test", "userinfo");
    }

    #[test]
    fn an_issuer_knows_whether_it_is_on_this_machine() {
        let is_loopback = |text: &str| text.parse::<Issuer>().unwrap().is_loopback();
        assert!(is_loopback("http://127.0.0.1:8080"));
        assert!(is_loopback("https://localhost"));
        assert!(is_loopback("http://[::1]"));
        assert!(!is_loopback("https://id.fleet.test"));
    }

    #[test]
    fn paths_are_joined_with_one_slash() {
        let join = |issuer: &str, path| issuer.parse::<Issuer>().unwrap().join(path);
        assert_eq!(join("https://a.test", "/oauth2/token"), "https://a.test/oauth2/token");
        assert_eq!(join("https://a.test/t", "oauth2/token"), "https://a.test/t/oauth2/token");
    }

    // S-15
    #[test]
    fn a_service_never_looks_like_a_person() {
        let service = Subject::client(&"orders".parse().unwrap());
        assert_eq!(service.as_str(), "client:orders");
        assert!(service.is_client() && !service.is_user());

        let person = Subject::user("client:orders").unwrap();
        assert_eq!(person.as_str(), "user:client:orders");
        assert!(person.is_user() && !person.is_client());

        for name in ["user:alice", "client:orders", "user:", ":"] {
            refuses::<ClientId>(name, "only the characters");
        }
    }

    #[test]
    fn a_subject_is_printable_ascii() {
        accepts::<Subject>("user:0190a6c4");
        accepts::<Subject>(&"s".repeat(255));
        refuses::<Subject>("", "1 to 255");
        refuses::<Subject>(&"s".repeat(256), "1 to 255");
        refuses::<Subject>("user:al\u{7f}ice", "printable");
        refuses::<Subject>("user:\u{1b}[2J", "printable");
        refuses::<Subject>("user:zoë", "printable");
        assert!(Subject::user("").is_err());
        assert!(Subject::user(&"u".repeat(251)).is_err());
    }

    #[test]
    fn a_person_is_named_by_random_bits_and_found_again_by_the_subject() {
        let id = UserId::from_random([0xA5; 16]);
        let subject = Subject::of_user(&id);
        assert_eq!(subject.as_str(), format!("user:{id}"));
        assert!(subject.is_user() && id.as_str().len() == 22);
        assert_eq!(subject.user_id(), Some(id));
        let user_id = |subject: &str| subject.parse::<Subject>().unwrap().user_id();
        assert_eq!(user_id("client:orders"), None);
        assert_eq!(user_id("user:"), None);
        assert_eq!(user_id("user:client:orders"), None);
        assert_eq!(user_id("user:a b"), None);
        refuses::<Sid>(&"s".repeat(65), "1 to 64");
        refuses::<UserId>("user:alice", "1 to 64");
    }

    #[test]
    fn only_a_json_string_is_a_name() {
        for json in ["null", "1", "true", "[\"a\"]", "{\"a\":\"b\"}"] {
            assert!(serde_json::from_str::<ClientId>(json).is_err(), "{json}");
        }
    }
}
