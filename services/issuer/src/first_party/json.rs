use std::time::Duration;

use axum::body::Body;
use claviger_jose::json;
use claviger_oauth::{Audience, ClientId, ClientParameters, ScopeSet};
use http::{HeaderMap, header::CONTENT_TYPE};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de, de::DeserializeOwned};

use super::{Refusal, malformed};
use crate::http::{BodyError, read_body};

const LIMIT: usize = 64 * 1024;
const TIME: Duration = Duration::from_secs(10);
/// What no name and no secret is longer than.
const MEMBER: usize = 8 * 1024;

/// The body of `POST /login`.
#[derive(Debug, Deserialize)]
pub(super) struct LogInBody {
    pub(super) client_id: ClientId,
    #[serde(default, deserialize_with = "secret")]
    pub(super) client_secret: Option<SecretString>,
    #[serde(deserialize_with = "text")]
    pub(super) username: String,
    #[serde(default, deserialize_with = "secret")]
    pub(super) password: Option<SecretString>,
    /// What the tokens are to allow; left out, all that the client may have.
    #[serde(default)]
    pub(super) scope: Option<ScopeSet>,
    /// The audience.
    #[serde(default)]
    pub(super) resource: Option<Audience>,
    /// Whether a browser is to keep the tokens in cookies.
    #[serde(default)]
    pub(super) cookies: bool,
}

/// The body of `POST /refresh` and of `POST /logout`.
#[derive(Debug, Deserialize)]
pub(super) struct SessionBody {
    pub(super) client_id: ClientId,
    #[serde(default, deserialize_with = "secret")]
    pub(super) client_secret: Option<SecretString>,
    /// Left out where a browser keeps it in a cookie.
    #[serde(default, deserialize_with = "secret")]
    pub(super) refresh_token: Option<SecretString>,
}

/// What a body says about the client, as a form of the token endpoint would.
pub(super) fn parameters(client_id: ClientId, client_secret: Option<SecretString>) -> ClientParameters {
    ClientParameters { client_id: Some(client_id), client_secret, client_assertion: None }
}

/// Reads a body of JSON in which no name stands twice.
///
/// Another site's page can post a form, but no JSON: a browser asks first whether it may, and nobody says yes.
///
/// # Errors
/// [`Refusal::Malformed`]; what is wrong with the text is not told, for it may be a password.
pub(super) async fn read<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Refusal> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(malformed("the body must be application/json"));
    }
    let body = read_body(body, LIMIT, TIME).await.map_err(|error| match error {
        BodyError::TooLarge => malformed("the body is larger than 64 KiB"),
        BodyError::TooSlow => malformed("the body took longer than 10 s"),
        BodyError::Broken(_) => malformed("the body broke off"),
    })?;
    json::from_slice(&body)
        .map_err(|_| malformed("a member is missing, repeated, too long or of another type"))
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > MEMBER { Err(de::Error::custom("too long")) } else { Ok(text) }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    text(deserializer).map(|text| Some(text.into()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use secrecy::ExposeSecret;

    use super::*;

    async fn read_as(media_type: &'static str, body: &str) -> Result<LogInBody, Refusal> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        read(&headers, body.to_owned().into()).await
    }

    const GOOD: &str = r#"{"username":"ann","password":"pass phrase","client_id":"shop-app"}"#;

    #[tokio::test]
    async fn a_body_is_json_with_all_its_members() {
        for media_type in ["application/json", "Application/JSON; charset=utf-8"] {
            let body = read_as(media_type, GOOD).await.unwrap();
            assert_eq!(
                (body.username.as_str(), body.client_id.as_str(), body.cookies),
                ("ann", "shop-app", false)
            );
            assert_eq!(body.password.unwrap().expose_secret(), "pass phrase");
        }
        assert!(read_as("application/json", &GOOD.replace('{', r#"{"more":[{}],"#)).await.is_ok());
    }

    // S-68 S-95
    #[tokio::test]
    async fn what_is_no_such_body_is_refused_and_never_taken_for_less() {
        let long = "p".repeat(MEMBER + 1);
        let bodies = [
            String::new(),
            "null".to_owned(),
            "[]".to_owned(),
            format!("{GOOD}{GOOD}"),
            GOOD.replace(r#""ann""#, "1"),
            GOOD.replace(r#""ann""#, "null"),
            GOOD.replace(r#""pass phrase""#, "null"),
            GOOD.replace("pass phrase", &long),
            GOOD.replace(r#""shop-app""#, r#""shop app""#),
            GOOD.replace("username", "user"),
            GOOD.replace('}', r#","username":"bob"}"#),
            GOOD.replace('}', r#","pass\u0077ord":"other"}"#),
            GOOD.replace('}', r#","cookies":"yes"}"#),
            GOOD.replace('}', r#","scope":["a"]}"#),
        ];
        for body in bodies {
            let refused = read_as("application/json", &body).await;
            assert!(matches!(refused, Err(Refusal::Malformed(_))), "{}", &body[..body.len().min(80)]);
        }
        for media_type in ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"] {
            assert!(matches!(read_as(media_type, GOOD).await, Err(Refusal::Malformed(_))), "{media_type}");
        }
    }

    // S-103
    #[tokio::test]
    async fn a_body_does_not_show_what_is_secret() {
        let with_secret = GOOD.replace('}', r#","client_secret":"canary"}"#).replace("pass phrase", "canary");
        let body = read_as("application/json", &with_secret).await.unwrap();
        assert!(!format!("{body:?}").contains("canary"));
    }
}
