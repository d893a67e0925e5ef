use std::{fmt, str::FromStr};

use claviger_oauth::{Audience, ClientId, ScopeSet, Subject};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clients::parse_scopes;

/// A client of the token endpoint, from the command line or the control API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientArgument {
    pub(super) id: ClientId,
    pub(super) secret: SecretText,
    pub(super) audience: Audience,
    #[serde(default, deserialize_with = "scopes")]
    pub(super) scope: ScopeSet,
}

/// A person that tokens can be made for.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct UserArgument {
    #[serde(deserialize_with = "user_id")]
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) claims: Map<String, Value>,
}

/// A text that is not shown.
#[derive(Clone, Deserialize)]
pub(super) struct SecretText(pub(super) SecretString);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl FromStr for ClientArgument {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(serde_json::from_value(members(text)?.into())?)
    }
}

impl FromStr for UserArgument {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(serde_json::from_value(members(text)?.into())?)
    }
}

/// `name=value,name=value`, as an object of strings.
fn members(text: &str) -> anyhow::Result<Map<String, Value>> {
    let mut members = Map::new();
    for member in text.split(',') {
        let Some((name, value)) = member.split_once('=') else {
            anyhow::bail!("members are written as name=value, separated by commas");
        };
        if members.insert(name.trim().to_owned(), value.into()).is_some() {
            anyhow::bail!("the member {name:?} is given twice");
        }
    }
    Ok(members)
}

fn scopes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ScopeSet, D::Error> {
    parse_scopes(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn user_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    Subject::user(&id).map(|_| id).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_written_in_one_argument() {
        let client: ClientArgument =
            "id=orders,secret=s=3,audience=https://ledger.test:8443,scope=ledger:post ledger:read"
                .parse()
                .unwrap();
        assert_eq!((client.id.as_str(), client.audience.as_str()), ("orders", "https://ledger.test:8443"));
        assert_eq!(client.scope.as_str(), "ledger:post ledger:read");
        assert!(!format!("{client:?}").contains("s=3"));
        let bare: ClientArgument = "id=a,secret=b,audience=urn:c".parse().unwrap();
        assert!(bare.scope.is_empty());
        for (wrong, reason) in [
            ("orders", "name=value"),
            ("id=orders,secret=s", "missing field `audience`"),
            ("id=orders,id=b,secret=s,audience=urn:a", "given twice"),
            ("id=orders,secret=s,audience=ledger", "URI"),
            ("id=orders,secret=s,audience=urn:a,scopes=a", "unknown field `scopes`"),
        ] {
            let error = wrong.parse::<ClientArgument>().unwrap_err().to_string();
            assert!(error.contains(reason), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_user_has_an_id_and_claims() {
        let user: UserArgument = "id=alice,name=Alice,email=alice@example.test".parse().unwrap();
        assert_eq!((user.id.as_str(), user.claims.len()), ("alice", 2));
        assert!("name=Alice".parse::<UserArgument>().is_err());
        assert!("id=".parse::<UserArgument>().is_err());
    }
}
