//! Rows become members of the registry, and back.

use std::{fmt::Display, str::FromStr, time::Duration};

use claviger_oauth::{Application, ClientKeys, GrantType};
use sea_orm::Set;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Client, ClientGrant, ResourceServer, SecretHash, StoreError, StoredSecret, Team,
    entity::{client, client_grant, client_secret, resource_server, team},
    store::{date, secs},
};

pub(crate) fn team(row: &team::Model) -> Result<Team, StoreError> {
    Ok(Team { name: parse("team", &row.name)? })
}

pub(crate) fn resource_server(row: &resource_server::Model) -> Result<ResourceServer, StoreError> {
    let lifetime =
        u64::try_from(row.token_lifetime).map_err(|_| damaged("resource_server", "token_lifetime"))?;
    Ok(ResourceServer {
        audience: parse("resource_server", &row.audience)?,
        team: parse("resource_server", &row.team)?,
        alg: parse("resource_server", &row.alg)?,
        token_lifetime: Duration::from_secs(lifetime),
        scopes: parse("resource_server", &row.scopes)?,
        claims: row.claims.as_deref().map_or(Ok(Vec::new()), |text| json("resource_server.claims", text))?,
    })
}

pub(crate) fn client(
    row: &client::Model,
    grants: &[&client_grant::Model],
    secrets: &[&client_secret::Model],
) -> Result<Client, StoreError> {
    let declaration = row.application.as_deref();
    let Declaration { grant_types, keys, application } =
        declaration.map_or(Ok(Declaration::default()), |text| json("client.application", text))?;
    Ok(Client {
        client_id: parse("client", &row.client_id)?,
        team: parse("client", &row.team)?,
        method: parse("client", &row.auth_method)?,
        disabled: row.disabled,
        grant_types,
        keys,
        application,
        grants: grants.iter().map(|row| grant(row)).collect::<Result<_, _>>()?,
        secrets: secrets.iter().map(|row| secret(row)).collect::<Result<_, _>>()?,
    })
}

/// What the column `client.application` holds. A member that this program does not know could be a restriction: then the
/// row is of a newer program, and the client waits for that.
#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    grant_types: Vec<GrantType>,
    #[serde(default)]
    keys: ClientKeys,
    #[serde(default)]
    application: Option<Application>,
}

/// Of a service that asks for itself, with a secret: as all clients were once.
impl Default for Declaration {
    fn default() -> Self {
        Self { grant_types: vec![GrantType::ClientCredentials], keys: ClientKeys::None, application: None }
    }
}

fn grant(row: &client_grant::Model) -> Result<ClientGrant, StoreError> {
    Ok(ClientGrant {
        audience: parse("client_grant", &row.audience)?,
        scopes: parse("client_grant", &row.scopes)?,
    })
}

pub(crate) fn secret(row: &client_secret::Model) -> Result<StoredSecret, StoreError> {
    let time = |secs| date(secs).ok_or_else(|| damaged("client_secret", "a time"));
    Ok(StoredSecret {
        hash: SecretHash::from_bytes(&row.hash).ok_or_else(|| damaged("client_secret", "hash"))?,
        created_at: time(row.created_at)?,
        expires_at: row.expires_at.map(time).transpose()?,
    })
}

pub(crate) fn of_team(team: &Team) -> team::ActiveModel {
    team::ActiveModel { name: Set(team.name.to_string()) }
}

pub(crate) fn of_resource_server(server: &ResourceServer) -> resource_server::ActiveModel {
    resource_server::ActiveModel {
        audience: Set(server.audience.to_string()),
        team: Set(server.team.to_string()),
        alg: Set(server.alg.to_string()),
        token_lifetime: Set(i64::try_from(server.token_lifetime.as_secs()).unwrap_or(i64::MAX)),
        scopes: Set(server.scopes.to_string()),
        claims: Set((!server.claims.is_empty()).then(|| text(&server.claims))),
    }
}

pub(crate) fn of_client(client: &Client) -> client::ActiveModel {
    let declaration = Declaration {
        grant_types: client.grant_types.clone(),
        keys: client.keys.clone(),
        application: client.application.clone(),
    };
    client::ActiveModel {
        client_id: Set(client.client_id.to_string()),
        team: Set(client.team.to_string()),
        auth_method: Set(client.method.to_string()),
        disabled: Set(client.disabled),
        application: Set((declaration != Declaration::default()).then(|| text(&declaration))),
    }
}

pub(crate) fn of_grant(client: &Client, grant: &ClientGrant) -> client_grant::ActiveModel {
    client_grant::ActiveModel {
        client_id: Set(client.client_id.to_string()),
        audience: Set(grant.audience.to_string()),
        scopes: Set(grant.scopes.to_string()),
    }
}

pub(crate) fn of_secret(client: &Client, secret: &StoredSecret) -> client_secret::ActiveModel {
    client_secret::ActiveModel {
        client_id: Set(client.client_id.to_string()),
        hash: Set(secret.hash.as_bytes().to_vec()),
        created_at: Set(secs(secret.created_at)),
        expires_at: Set(secret.expires_at.map(secs)),
    }
}

fn parse<T: FromStr<Err: Display>>(table: &str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error| StoreError::Corrupt(format!("in {table}, {text:?}: {error}")))
}

/// The message quotes nothing of the document: its place is enough to find the fault.
fn json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| {
        let (line, at) = (error.line(), error.column());
        StoreError::Corrupt(format!("{column} is not what this program knows (line {line}, column {at})"))
    })
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("its members are texts, lists and numbers")
}

fn damaged(table: &str, what: &str) -> StoreError {
    StoreError::Corrupt(format!("in {table}, {what} is out of range"))
}
