//! How a client says who it is (RFC 6749 section 2.3).

use std::fmt;
use std::str::FromStr;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::form::{self, Form};
use crate::grammar::{GrammarError, deserialize_text};
use crate::presented::credentials;
use crate::{ClientId, TokenError};

/// The way in which a client is registered to authenticate itself, and the only one that is
/// accepted from it.
///
/// [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthenticationMethod {
    /// `client_secret_basic`: id and secret in the Authorization header.
    ClientSecretBasic,
    /// `client_secret_post`: id and secret in the body.
    ClientSecretPost,
    /// `private_key_jwt`: an assertion signed with a key of the client's
    /// ([RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)).
    PrivateKeyJwt,
    /// `none`: it cannot keep a secret, and only says its id.
    None,
}

impl AuthenticationMethod {
    /// Every method there is.
    pub const ALL: [Self; 4] =
        [Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt, Self::None];

    /// Whether the client has a secret for it.
    #[must_use]
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }

    /// The registered name of the method.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
        }
    }
}

impl FromStr for AuthenticationMethod {
    type Err = GrammarError;

    fn from_str(name: &str) -> Result<Self, GrammarError> {
        Self::ALL.into_iter().find(|method| method.as_str() == name).ok_or(GrammarError(
            "an authentication method is `client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`",
        ))
    }
}

impl fmt::Display for AuthenticationMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for AuthenticationMethod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AuthenticationMethod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer)
    }
}

/// What a body says about the client that sends it: the part that all requests of clients share.
#[derive(Clone, Debug, Default)]
pub struct ClientParameters {
    /// The client id.
    pub client_id: Option<ClientId>,
    /// The client secret.
    pub client_secret: Option<SecretString>,
    /// A signed statement of who the client is, of the type that RFC 7523 names.
    pub client_assertion: Option<SecretString>,
}

/// Who a request claims to come from, and what it presents for that; nothing is compared yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct PresentedSecret {
    /// The client that is claimed.
    pub client_id: ClientId,
    /// The secret to compare, in constant time, with the registered ones.
    pub secret: SecretString,
    /// How the secret was presented, to compare with the registered way.
    pub method: AuthenticationMethod,
}

/// The one way in which a request says who sends it. Whether it is the way that the client registered, and whether it
/// is true, is not known yet.
#[derive(Debug)]
#[non_exhaustive]
pub enum PresentedClient {
    /// With a secret.
    Secret(PresentedSecret),
    /// With a signed assertion.
    Assertion {
        /// The client id beside it; the assertion must name the same.
        client_id: Option<ClientId>,
        /// The assertion, a compact JWS that nobody has looked at.
        assertion: SecretString,
    },
    /// With nothing: only the id is there.
    Public {
        /// The client that is claimed.
        client_id: ClientId,
    },
}

/// The longest Authorization header and the longest secret, in bytes.
const MAX_CREDENTIALS: usize = 1024;
/// The one type of assertion (RFC 7523 section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl ClientParameters {
    /// Reads them from an `application/x-www-form-urlencoded` body, whatever else is in it.
    ///
    /// # Errors
    /// `invalid_request` for a malformed body, a repeated parameter and an assertion of another type or without one;
    /// `invalid_client` for a malformed `client_id`.
    pub fn parse(form: &[u8]) -> Result<Self, TokenError> {
        Self::take(&mut Form::parse(form, "resource")?)
    }

    pub(crate) fn take(form: &mut Form) -> Result<Self, TokenError> {
        let client_id = form.take("client_id").map(|text| text.parse()).transpose();
        let client_assertion = form.take("client_assertion").map(SecretString::from);
        let assertion_type = form.take("client_assertion_type");
        if client_assertion.is_some() != assertion_type.is_some() {
            return Err(invalid_request("client_assertion and client_assertion_type go together"));
        }
        if assertion_type.is_some_and(|kind| kind != ASSERTION_TYPE) {
            return Err(invalid_request("client_assertion_type is none that this server has"));
        }
        Ok(Self {
            client_id: client_id.map_err(|_| invalid_client("malformed client_id"))?,
            client_secret: form.take("client_secret").map(SecretString::from),
            client_assertion,
        })
    }
}

impl PresentedClient {
    /// Finds the one way in which a request says who sends it: `authorization` are the values of all its Authorization
    /// headers.
    ///
    /// # Errors
    /// As for [`PresentedSecret::from_request`]; `invalid_request` for an assertion beside a secret or a header as well,
    /// and `invalid_client` if not even an id is there.
    pub fn from_request<'a>(
        authorization: impl IntoIterator<Item = &'a [u8]>,
        parameters: &ClientParameters,
    ) -> Result<Self, TokenError> {
        let mut headers = authorization.into_iter().peekable();
        let has_secret = headers.peek().is_some() || parameters.client_secret.is_some();
        match (&parameters.client_assertion, &parameters.client_id) {
            (Some(_), _) if has_secret => {
                Err(invalid_request("more than one method of client authentication"))
            }
            (Some(assertion), client_id) => {
                Ok(Self::Assertion { client_id: client_id.clone(), assertion: assertion.clone() })
            }
            (None, Some(client_id)) if !has_secret => Ok(Self::Public { client_id: client_id.clone() }),
            (None, _) => PresentedSecret::from_request(headers, parameters).map(Self::Secret),
        }
    }

    /// How it presents itself, to compare with the registered way.
    #[must_use]
    pub fn method(&self) -> AuthenticationMethod {
        match self {
            Self::Secret(presented) => presented.method,
            Self::Assertion { .. } => AuthenticationMethod::PrivateKeyJwt,
            Self::Public { .. } => AuthenticationMethod::None,
        }
    }
}

impl PresentedSecret {
    /// Finds the one secret in a request: `authorization` are the values of all its Authorization
    /// headers.
    ///
    /// A request that authenticates twice is refused even if both agree: whichever of the two is
    /// checked, a proxy in front may have checked the other.
    ///
    /// # Errors
    /// `invalid_request` for more than one header, more than one method, ids that differ, a secret
    /// without an id and credentials longer than 1 KiB; `invalid_client` for no method, an unknown
    /// scheme and malformed credentials.
    pub fn from_request<'a>(
        authorization: impl IntoIterator<Item = &'a [u8]>,
        parameters: &ClientParameters,
    ) -> Result<Self, TokenError> {
        let mut headers = authorization.into_iter();
        let Some(header) = headers.next() else {
            return Self::from_body(parameters);
        };
        if headers.next().is_some() {
            return Err(invalid_request("more than one Authorization header"));
        }
        let presented = Self::from_header(header)?;
        if parameters.client_secret.is_some() || parameters.client_assertion.is_some() {
            return Err(invalid_request("more than one method of client authentication"));
        }
        if parameters.client_id.as_ref().is_some_and(|id| *id != presented.client_id) {
            return Err(invalid_request("client_id is not that of the Authorization header"));
        }
        Ok(presented)
    }

    fn from_body(parameters: &ClientParameters) -> Result<Self, TokenError> {
        let secret =
            parameters.client_secret.clone().ok_or_else(|| invalid_client("no client authentication"))?;
        let client_id =
            parameters.client_id.clone().ok_or_else(|| invalid_request("client_id is missing"))?;
        if secret.expose_secret().len() > MAX_CREDENTIALS {
            return Err(invalid_request("client_secret is longer than 1 KiB"));
        }
        Ok(Self { client_id, secret, method: AuthenticationMethod::ClientSecretPost })
    }

    /// RFC 7617 section 2 with RFC 6749 section 2.3.1: id and secret are form-encoded before they
    /// are joined by a colon.
    fn from_header(header: &[u8]) -> Result<Self, TokenError> {
        if header.len() > MAX_CREDENTIALS {
            return Err(invalid_request("the Authorization header is longer than 1 KiB"));
        }
        let encoded = credentials(header, b"Basic")
            .ok_or_else(|| invalid_client("the Authorization header is not of the Basic scheme"))?;
        let pair = base64_simd::STANDARD
            .decode_to_vec(encoded)
            .map(Zeroizing::new)
            .map_err(|_| invalid_client("Basic credentials are not base64"))?;
        let colon = pair
            .iter()
            .position(|&b| b == b':')
            .ok_or_else(|| invalid_client("Basic credentials have no colon"))?;
        let client_id = form::decode(&pair[..colon]).map_err(invalid_client)?;
        let secret = form::decode(&pair[colon + 1..]).map_err(invalid_client)?;
        if secret.is_empty() {
            return Err(invalid_client("Basic credentials have no secret"));
        }
        Ok(Self {
            client_id: client_id
                .parse()
                .map_err(|_| invalid_client("malformed client id in Basic credentials"))?,
            secret: secret.into(),
            method: AuthenticationMethod::ClientSecretBasic,
        })
    }
}

fn invalid_request(reason: &'static str) -> TokenError {
    TokenError::InvalidRequest(reason.into())
}

fn invalid_client(reason: &'static str) -> TokenError {
    TokenError::InvalidClient(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use AuthenticationMethod::{ClientSecretBasic, ClientSecretPost, PrivateKeyJwt};

    fn basic(pair: &str) -> String {
        format!("Basic {}", base64_simd::STANDARD.encode_to_string(pair))
    }

    fn present(headers: &[&str], body: &str) -> Result<PresentedSecret, TokenError> {
        let parameters = ClientParameters::parse(body.as_bytes()).unwrap();
        PresentedSecret::from_request(headers.iter().map(|header| header.as_bytes()), &parameters)
    }

    fn accepts(headers: &[&str], body: &str, id: &str, secret: &str, method: AuthenticationMethod) {
        let presented = present(headers, body).unwrap_or_else(|e| panic!("{headers:?} {body}: {e}"));
        assert_eq!(presented.client_id.as_str(), id);
        assert_eq!(presented.secret.expose_secret(), secret);
        assert_eq!(presented.method, method);
    }

    fn refuses(headers: &[&str], body: &str, code: &str) {
        let error = present(headers, body).expect_err(code);
        assert_eq!(error.code(), code, "{headers:?} {body}: {error}");
    }

    // S-57
    #[test]
    fn a_request_authenticates_in_exactly_one_way() {
        let header: &str = &basic("orders:s");
        let (nothing, id, both) = ("", "&client_id=orders", "&client_id=orders&client_secret=s");
        refuses(&[], nothing, "invalid_client");
        refuses(&[], id, "invalid_client");
        accepts(&[], both, "orders", "s", ClientSecretPost);
        accepts(&[header], nothing, "orders", "s", ClientSecretBasic);
        accepts(&[header], id, "orders", "s", ClientSecretBasic);
        refuses(&[header], both, "invalid_request");
        refuses(&["Bearer abc"], nothing, "invalid_client");
        refuses(&["Bearer abc"], id, "invalid_client");
        refuses(&["Bearer abc"], both, "invalid_client");
    }

    const ASSERTION: &str = "&client_assertion=a.b.c\
        &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

    fn method(headers: &[&str], body: &str) -> Result<AuthenticationMethod, &'static str> {
        let parameters = ClientParameters::parse(body.as_bytes()).map_err(|error| error.code())?;
        PresentedClient::from_request(headers.iter().map(|header| header.as_bytes()), &parameters)
            .map(|presented| presented.method())
            .map_err(|error| error.code())
    }

    // S-57
    #[test]
    fn whoever_sends_a_request_says_so_in_exactly_one_way() {
        let header: &str = &basic("orders:s");
        let with_id = |rest: &str| format!("&client_id=orders{rest}");
        assert_eq!(method(&[header], ""), Ok(ClientSecretBasic));
        assert_eq!(method(&[], &with_id("&client_secret=s")), Ok(ClientSecretPost));
        assert_eq!(method(&[], ASSERTION), Ok(PrivateKeyJwt));
        assert_eq!(method(&[], &with_id(ASSERTION)), Ok(PrivateKeyJwt));
        assert_eq!(method(&[], &with_id("")), Ok(AuthenticationMethod::None));
        assert_eq!(method(&[], ""), Err("invalid_client"));
        assert_eq!(method(&[header], ASSERTION), Err("invalid_request"));
        assert_eq!(method(&[header], &with_id("&client_secret=s")), Err("invalid_request"));
        assert_eq!(method(&[], &with_id(&format!("&client_secret=s{ASSERTION}"))), Err("invalid_request"));
        assert_eq!(method(&[], "&client_secret=s"), Err("invalid_request"));
        assert_eq!(method(&["Bearer abc"], &with_id("")), Err("invalid_client"));
    }

    // S-57
    #[test]
    fn an_assertion_is_of_the_one_type() {
        let (assertion, kind) = ASSERTION.trim_start_matches('&').split_once('&').unwrap();
        for body in [assertion, kind, "client_assertion=a.b.c&client_assertion_type=saml2-bearer"] {
            assert_eq!(method(&[], body), Err("invalid_request"), "{body}");
        }
    }

    // S-57
    #[test]
    fn two_claims_about_who_asks_are_refused() {
        let header: &str = &basic("orders:s");
        let other: &str = &basic("ledger:s");
        refuses(&[header], "&client_id=ledger", "invalid_request");
        refuses(&[header], "&client_id=Orders", "invalid_request");
        refuses(&[header], "&client_secret=s", "invalid_request");
        refuses(&[header], "&client_secret=other", "invalid_request");
        refuses(&[header, header], "", "invalid_request");
        refuses(&[header, other], "", "invalid_request");
        refuses(&[header, "Bearer abc"], "", "invalid_request");
        refuses(&["", header], "", "invalid_request");
        refuses(&[], "&client_secret=s", "invalid_request");
    }

    #[test]
    fn basic_credentials_are_form_encoded() {
        let check =
            |pair: &str, secret: &str| accepts(&[&basic(pair)], "", "orders", secret, ClientSecretBasic);
        check("orders:a%2Bb%3A%25", "a+b:%");
        check("orders:a+b", "a b");
        check("orders:a:b", "a:b");
        check("%6frders:s", "s");
        let lower = basic("orders:s").replace("Basic ", "bAsIc   ");
        accepts(&[&lower], "", "orders", "s", ClientSecretBasic);
    }

    #[test]
    fn malformed_basic_credentials_authenticate_nobody() {
        for header in [
            "",
            "Basic",
            "Basic ",
            "Basic !",
            "Basic b3JkZXJzOnM",
            "Basic b3JkZXJzOnM=\n",
            "Basic b3Jk ZXJzOnM=",
        ] {
            refuses(&[header], "", "invalid_client");
        }
        // The same pair in the URL alphabet, and with trailing bits that nobody reads.
        for header in ["Basic b3JkZXJzOj8_", "Basic b3JkZXJzOnN=", "Basicb3JkZXJzOnM="] {
            refuses(&[header], "", "invalid_client");
        }
        for pair in ["orders", "orders:", ":s", ":", "user%3Aalice:s", "orders:%", "orders:%ff", "orders:%00"]
        {
            refuses(&[&basic(pair)], "", "invalid_client");
        }
    }

    #[test]
    fn credentials_are_bounded() {
        let secret = |n| "s".repeat(n);
        refuses(&[&basic(&format!("orders:{}", secret(1024)))], "", "invalid_request");
        refuses(&[], &format!("&client_id=orders&client_secret={}", secret(1025)), "invalid_request");
        let body = format!("&client_id=orders&client_secret={}", secret(1024));
        accepts(&[], &body, "orders", &secret(1024), ClientSecretPost);
    }

    // S-103
    #[test]
    fn no_refusal_and_no_debug_text_shows_the_secret() {
        let header: &str = &basic("orders:canary");
        let presented = present(&[header], "").unwrap();
        assert!(!format!("{presented:?}").contains("canary"));
        for header in [header, &basic("or ders:canary"), &basic("canary"), &basic("orders:canary%")] {
            let Err(error) = present(&[header], "&client_secret=canary") else {
                panic!("accepted");
            };
            assert!(!format!("{error:?} {error} {}", error.description()).contains("canary"));
        }
    }

    #[test]
    fn methods_have_their_registered_names() {
        for method in AuthenticationMethod::ALL {
            assert_eq!(method.as_str().parse(), Ok(method));
            let json = serde_json::to_string(&method).unwrap();
            assert_eq!(serde_json::from_str::<AuthenticationMethod>(&json).unwrap(), method);
        }
        assert_eq!(ClientSecretPost.to_string(), "client_secret_post");
        for name in ["None", "Client_Secret_Basic", "client_secret_jwt", ""] {
            assert!(name.parse::<AuthenticationMethod>().is_err());
        }
    }
}
