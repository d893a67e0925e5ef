//! Who does something, for the audit log.

use claviger_store::Act;
use serde_json::Value;

/// Who acts, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    who: String,
    origin: String,
    request_id: Option<String>,
}

impl Actor {
    /// Whoever runs a command on this machine.
    #[must_use]
    pub fn operator() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let user = variable("SUDO_USER").or_else(|| variable("USER"));
        let user = user.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
        Self { who: format!("operator:{user}"), origin: format!("cli {}", host()), request_id: None }
    }

    /// A serving process that does what is due.
    #[must_use]
    pub fn replica(id: &str) -> Self {
        Self { who: format!("replica:{id}"), origin: format!("ticker {}", host()), request_id: None }
    }

    /// A client of the admin API.
    #[must_use]
    pub fn client(client_id: &str, address: &str, request_id: String) -> Self {
        Self {
            who: format!("client:{client_id}"),
            origin: format!("admin {address}"),
            request_id: Some(request_id),
        }
    }

    /// Something that this actor does to something.
    #[must_use]
    pub fn act(&self, act: &str, subject: impl Into<String>, detail: Value) -> Act {
        Act {
            actor: self.who.clone(),
            origin: self.origin.clone(),
            act: act.to_owned(),
            subject: subject.into(),
            detail,
            request_id: self.request_id.clone(),
        }
    }
}

/// The name of this machine.
#[must_use]
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
