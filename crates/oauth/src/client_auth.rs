//! How a client says who it is (RFC 6749 section 2.3).

use std::fmt;
use std::str::FromStr;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::form;
use crate::grammar::{GrammarError, deserialize_text};
use crate::presented::credentials;
use crate::{ClientId, TokenError, TokenRequest};

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
}

impl AuthenticationMethod {
    /// Every method there is.
    pub const ALL: [Self; 2] = [Self::ClientSecretBasic, Self::ClientSecretPost];

    /// The registered name of the method.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        }
    }
}

impl FromStr for AuthenticationMethod {
    type Err = GrammarError;

    fn from_str(name: &str) -> Result<Self, GrammarError> {
        Self::ALL
            .into_iter()
            .find(|method| method.as_str() == name)
            .ok_or(GrammarError("an authentication method is `client_secret_basic` or `client_secret_post`"))
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

/// Who a request claims to come from, and the secret it presents for that; nothing is compared yet.
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

/// The longest Authorization header and the longest secret, in bytes.
const MAX_CREDENTIALS: usize = 1024;

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
        request: &TokenRequest,
    ) -> Result<Self, TokenError> {
        let mut headers = authorization.into_iter();
        let Some(header) = headers.next() else {
            return Self::from_body(request);
        };
        if headers.next().is_some() {
            return Err(invalid_request("more than one Authorization header"));
        }
        let presented = Self::from_header(header)?;
        if request.client_secret.is_some() {
            return Err(invalid_request("more than one method of client authentication"));
        }
        if request.client_id.as_ref().is_some_and(|id| *id != presented.client_id) {
            return Err(invalid_request("client_id is not that of the Authorization header"));
        }
        Ok(presented)
    }

    fn from_body(request: &TokenRequest) -> Result<Self, TokenError> {
        let secret =
            request.client_secret.clone().ok_or_else(|| invalid_client("no client authentication"))?;
        let client_id = request.client_id.clone().ok_or_else(|| invalid_request("client_id is missing"))?;
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
    use AuthenticationMethod::{ClientSecretBasic, ClientSecretPost};

    fn basic(pair: &str) -> String {
        format!("Basic {}", base64_simd::STANDARD.encode_to_string(pair))
    }

    fn present(headers: &[&str], body: &str) -> Result<PresentedSecret, TokenError> {
        let form = format!("grant_type=client_credentials{body}");
        let request = TokenRequest::parse(form.as_bytes()).unwrap();
        PresentedSecret::from_request(headers.iter().map(|header| header.as_bytes()), &request)
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
        for name in ["none", "Client_Secret_Basic", "private_key_jwt", ""] {
            assert!(name.parse::<AuthenticationMethod>().is_err());
        }
    }
}
