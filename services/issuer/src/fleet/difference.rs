use std::fmt;

use claviger_jose::{Jwk, JwkSet};
use claviger_oauth::{Application, ClaimRule, ClientKeys, RedirectUri};
use claviger_store::{Client, Registry, ResourceServer, Team};
use serde::Serialize;
use serde_json::Value;

/// One line of what applying a fleet changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Something new.
    Added(String),
    /// Something that is there, with what is different about it.
    Changed(String),
    /// Something that is no longer declared.
    Removed(String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(what) => write!(f, "+ {what}"),
            Self::Changed(what) => write!(f, "~ {what}"),
            Self::Removed(what) => write!(f, "- {what}"),
        }
    }
}

/// What has to change for `present` to become `declared`. Secrets are not compared: the file
/// does not know them.
#[must_use]
pub fn difference(present: &Registry, declared: &Registry) -> Vec<Change> {
    let unreadable: Vec<(String, &str)> =
        present.unreadable.iter().map(|member| (member.to_string(), member.reason.as_str())).collect();
    let mut changes = compare(&present.teams, &declared.teams, &unreadable);
    changes.extend(compare(&present.resource_servers, &declared.resource_servers, &unreadable));
    changes.extend(compare(&present.clients, &declared.clients, &unreadable));
    let servers = declared.resource_servers.iter().map(Declared::name);
    let again: Vec<String> = servers.chain(declared.clients.iter().map(Declared::name)).collect();
    let gone = unreadable.into_iter().map(|(name, _)| name).filter(|name| !again.contains(name));
    changes.extend(gone.map(Change::Removed));
    changes
}

/// Something that a fleet declares, told in lines that people compare.
trait Declared {
    fn name(&self) -> String;
    fn properties(&self) -> Vec<(String, String)>;
}

fn compare<T: Declared>(present: &[T], declared: &[T], unreadable: &[(String, &str)]) -> Vec<Change> {
    let mut changes = Vec::new();
    for now in declared {
        match present.iter().find(|before| before.name() == now.name()) {
            None if unreadable.iter().any(|(name, _)| *name == now.name()) => {
                let found = unreadable.iter().find(|(name, _)| *name == now.name());
                let reason = found.map_or("", |(_, reason)| reason);
                changes
                    .push(Change::Changed(format!("{} (unreadable: {reason} -> as declared)", now.name())));
            }
            None if now.properties().is_empty() => changes.push(Change::Added(now.name())),
            None => changes.push(Change::Added(format!("{} ({})", now.name(), list(&now.properties())))),
            Some(before) => {
                let (old, new) = (before.properties(), now.properties());
                let differences: Vec<String> = new
                    .iter()
                    .filter(|property| !old.contains(property))
                    .map(|(name, value)| {
                        let before =
                            old.iter().find(|(of, _)| of == name).map_or("nothing", |(_, value)| value);
                        format!("{name}: {before} -> {value}")
                    })
                    .chain(old.iter().filter_map(|(name, value)| {
                        let gone = !new.iter().any(|(of, _)| of == name);
                        gone.then(|| format!("{name}: {value} -> nothing"))
                    }))
                    .collect();
                if !differences.is_empty() {
                    changes.push(Change::Changed(format!("{} ({})", now.name(), differences.join("; "))));
                }
            }
        }
    }
    let gone = present.iter().filter(|before| !declared.iter().any(|now| now.name() == before.name()));
    changes.extend(gone.map(|before| Change::Removed(before.name())));
    changes
}

fn list(properties: &[(String, String)]) -> String {
    let items: Vec<String> = properties.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    items.join("; ")
}

impl Declared for Team {
    fn name(&self) -> String {
        format!("team {}", self.name)
    }

    fn properties(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

impl Declared for ResourceServer {
    fn name(&self) -> String {
        format!("resource server {}", self.audience)
    }

    fn properties(&self) -> Vec<(String, String)> {
        let own = [
            ("team", self.team.to_string()),
            ("algorithm", self.alg.to_string()),
            ("token lifetime", humantime::format_duration(self.token_lifetime).to_string()),
            ("scopes", self.scopes.to_string()),
        ];
        named(own).chain(self.claims.iter().map(claim)).collect()
    }
}

impl Declared for Client {
    fn name(&self) -> String {
        format!("client {}", self.client_id)
    }

    fn properties(&self) -> Vec<(String, String)> {
        let own = [
            ("team", self.team.to_string()),
            ("method", self.method.as_str().to_owned()),
            ("disabled", self.disabled.to_string()),
            ("grant types", words(self.grant_types.iter().map(|grant| grant.as_str()))),
            ("keys", keys(&self.keys)),
        ];
        let access =
            self.grants.iter().map(|grant| (format!("at {}", grant.audience), grant.scopes.to_string()));
        let application = self.application.iter().flat_map(application);
        told(named(own).chain(application).chain(access))
    }
}

fn application(application: &Application) -> Vec<(String, String)> {
    let own = [
        ("kind", json(&application.kind)),
        ("first party", application.first_party.to_string()),
        ("name", application.name.clone().unwrap_or_default()),
        ("logo", application.logo_uri.clone().unwrap_or_default()),
        ("redirect URIs", words(application.redirect_uris.iter().map(RedirectUri::as_str))),
        (
            "post-logout redirect URIs",
            words(application.post_logout_redirect_uris.iter().map(RedirectUri::as_str)),
        ),
        ("back-channel log-out", application.backchannel_logout_uri.clone().unwrap_or_default()),
        ("origins", words(application.origins.iter().map(String::as_str))),
        ("identity scopes", application.identity_scopes.to_string()),
        ("pushed requests only", application.require_pushed.to_string()),
        ("refresh", json(&application.refresh)),
    ];
    named(own).chain(application.claims.iter().map(claim)).collect()
}

/// What is not the usual: a property that is not told is not there.
fn told(properties: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let usual = |(name, value): &(String, String)| match (name.as_str(), value.as_str()) {
        ("grant types", "client_credentials") | ("first party" | "pushed requests only", "false") => true,
        (_, value) => value.is_empty(),
    };
    properties.filter(|property| !usual(property)).collect()
}

fn named<const N: usize>(own: [(&str, String); N]) -> impl Iterator<Item = (String, String)> {
    own.map(|(name, value)| (name.to_owned(), value)).into_iter()
}

fn words<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

fn claim(rule: &ClaimRule) -> (String, String) {
    let places = words(rule.places.iter().map(|place| place.as_str()));
    let scope = rule.scope.as_ref().map(|scope| format!(" with {scope}")).unwrap_or_default();
    (format!("claim {}", rule.claim), format!("{} in {places}{scope}", json(&rule.from)))
}

/// A set by the names of its keys: what differs is told, not the numbers.
fn keys(keys: &ClientKeys) -> String {
    match keys {
        ClientKeys::None => String::new(),
        ClientKeys::Uri(uri) => uri.clone(),
        ClientKeys::Set(set) => JwkSet::parse_foreign(set.as_bytes()).map_or_else(
            |error| error.to_string(),
            |set| {
                let thumbprint =
                    |key: &Jwk| Jwk::new(key.public_key().clone()).map(|key| key.kid().to_string());
                set.keys().iter().map(|key| thumbprint(key).unwrap_or_default()).collect::<Vec<_>>().join(" ")
            },
        ),
    }
}

/// A word of a closed set, or a small document.
fn json(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(document) => document.to_string(),
        Err(error) => error.to_string(),
    }
}
