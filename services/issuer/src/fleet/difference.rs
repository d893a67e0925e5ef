use std::fmt;

use claviger_store::{Client, Registry, ResourceServer, Team};

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
    let mut changes = compare(&present.teams, &declared.teams);
    changes.extend(compare(&present.resource_servers, &declared.resource_servers));
    changes.extend(compare(&present.clients, &declared.clients));
    changes
}

/// Something that a fleet declares, told in lines that people compare.
trait Declared {
    fn name(&self) -> String;
    fn properties(&self) -> Vec<(String, String)>;
}

fn compare<T: Declared>(present: &[T], declared: &[T]) -> Vec<Change> {
    let mut changes = Vec::new();
    for now in declared {
        match present.iter().find(|before| before.name() == now.name()) {
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
        vec![
            ("team".to_owned(), self.team.to_string()),
            ("algorithm".to_owned(), self.alg.to_string()),
            ("token lifetime".to_owned(), humantime::format_duration(self.token_lifetime).to_string()),
            ("scopes".to_owned(), self.scopes.to_string()),
        ]
    }
}

impl Declared for Client {
    fn name(&self) -> String {
        format!("client {}", self.client_id)
    }

    fn properties(&self) -> Vec<(String, String)> {
        let access =
            self.grants.iter().map(|grant| (format!("at {}", grant.audience), grant.scopes.to_string()));
        let own = [
            ("team".to_owned(), self.team.to_string()),
            ("method".to_owned(), self.method.as_str().to_owned()),
            ("disabled".to_owned(), self.disabled.to_string()),
        ];
        own.into_iter().chain(access).collect()
    }
}
