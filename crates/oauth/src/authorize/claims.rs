use std::collections::BTreeMap;

use claviger_jose::json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::AuthorizeError;

/// The `claims` parameter: claims that are asked for by name, and where they are to go.
///
/// It chooses where, never what: a claim is given only if its scope was granted
/// ([`claims_of_scope`](crate::claims_of_scope)), so that what a person allows is what the consent page says.
///
/// [OpenID Connect Core section 5.5](https://openid.net/specs/openid-connect-core-1_0.html#ClaimsParameter)
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimsRequest {
    /// From the userinfo endpoint.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: BTreeMap<String, Option<ClaimRequest>>,
    /// In the ID token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: BTreeMap<String, Option<ClaimRequest>>,
}

/// How one claim is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimRequest {
    /// Whether the client cannot do without.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The value that it must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The values that it may have, the best first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
}

impl ClaimsRequest {
    /// Read by hand, because derived reading takes an array for an object.
    pub(crate) fn parse(text: &str) -> Result<Self, AuthorizeError> {
        let parse = || {
            let Value::Object(mut members) = json::from_str(text).ok()? else {
                return None;
            };
            Some(Self {
                userinfo: named(members.remove("userinfo"))?,
                id_token: named(members.remove("id_token"))?,
            })
        };
        parse().ok_or(AuthorizeError::InvalidRequest("claims is not a request for claims"))
    }

    /// Whether a claim is asked for in the ID token.
    #[must_use]
    pub fn wants_in_id_token(&self, claim: &str) -> bool {
        self.id_token.contains_key(claim)
    }

    /// The subject that must have signed in, if one is asked for: an answer about anybody else is an error.
    #[must_use]
    pub fn demanded_subject(&self) -> Option<&str> {
        self.id_token.get("sub")?.as_ref()?.value.as_ref()?.as_str()
    }

    /// The `acr` values of which it must be one, if it must be one: an answer with another is an error.
    ///
    /// [OpenID Connect Core section 5.5.1.1](https://openid.net/specs/openid-connect-core-1_0.html#acrSemantics)
    #[must_use]
    pub fn demanded_acr(&self) -> Option<Vec<String>> {
        let request = self.id_token.get("acr")?.as_ref().filter(|request| request.essential)?;
        let values = request.value.iter().chain(request.values.iter().flatten());
        let values: Vec<String> = values.filter_map(Value::as_str).map(str::to_owned).collect();
        Some(values).filter(|values| !values.is_empty())
    }
}

fn named(member: Option<Value>) -> Option<BTreeMap<String, Option<ClaimRequest>>> {
    let claims = match member {
        None => return Some(BTreeMap::new()),
        Some(Value::Object(claims)) => claims,
        Some(_) => return None,
    };
    let one = |(name, request)| match request {
        // It is asked for in no special way.
        Value::Null => Some((name, None)),
        Value::Object(members) => Some((name, Some(request_of(members)?))),
        _ => None,
    };
    claims.into_iter().map(one).collect()
}

fn request_of(mut members: Map<String, Value>) -> Option<ClaimRequest> {
    let essential = match members.remove("essential") {
        None => false,
        Some(essential) => essential.as_bool()?,
    };
    let values = match members.remove("values") {
        None => None,
        Some(Value::Array(values)) => Some(values),
        Some(_) => return None,
    };
    Some(ClaimRequest { essential, value: members.remove("value"), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_asked_for_by_name() {
        let request = ClaimsRequest::parse(
            r#"{"userinfo":{"email":{"essential":true},"picture":null},
                "id_token":{"sub":{"value":"user:a"},"acr":{"essential":true,"values":["mfa","pwd"]}},"new":1}"#,
        )
        .unwrap();
        assert!(request.wants_in_id_token("acr") && !request.wants_in_id_token("email"));
        assert_eq!(request.demanded_subject(), Some("user:a"));
        assert_eq!(request.demanded_acr(), Some(vec!["mfa".to_owned(), "pwd".to_owned()]));
        let wished = ClaimsRequest::parse(r#"{"id_token":{"acr":{"values":["mfa"]},"sub":null}}"#).unwrap();
        assert_eq!((wished.demanded_acr(), wished.demanded_subject()), (None, None));
        assert!(request.userinfo["email"].as_ref().unwrap().essential);
        let kept = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<ClaimsRequest>(&kept).unwrap(), request);
    }

    // S-68
    #[test]
    fn a_malformed_request_for_claims_is_an_error_and_never_left_out() {
        for text in [
            "",
            "x",
            "null",
            "[]",
            "{",
            r#"{"id_token":1}"#,
            r#"{"id_token":{"acr":"mfa"}}"#,
            r#"{"id_token":[]}"#,
            r#"{"id_token":{"acr":[true]}}"#,
            r#"{"id_token":{"acr":{"essential":"yes"}}}"#,
            r#"{"id_token":{"acr":{"values":"mfa"}}}"#,
            r#"{"id_token":{},"id_token":{}}"#,
            r#"{"id_token":{"acr":{"value":{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}}}}"#,
        ] {
            assert!(ClaimsRequest::parse(text).is_err(), "{text}");
        }
    }
}
