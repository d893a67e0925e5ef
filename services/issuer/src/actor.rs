//! Who does something, for the audit log.

use std::net::IpAddr;

use claviger_oauth::{ClientId, UserId};
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
        Self {
            who: operator(user.as_deref(), rustix::process::getuid().as_raw()),
            origin: format!("cli {}", host()),
            request_id: None,
        }
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

    /// Somebody who signs in.
    #[must_use]
    pub fn person(id: &UserId, address: IpAddr) -> Self {
        Self { who: format!("user:{id}"), origin: format!("sign-in {address}"), request_id: None }
    }

    /// A client at one of the endpoints that clients call, such as `token 10.0.0.7`.
    #[must_use]
    pub fn client_at(client_id: &ClientId, origin: &str) -> Self {
        Self { who: format!("client:{client_id}"), origin: origin.to_owned(), request_id: None }
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

/// The environment is whatever its owner says; the system knows who he is.
fn operator(user: Option<&str>, uid: u32) -> String {
    let user = user.map(|user| format!("{user}(uid {uid})"));
    format!("operator:{}", user.unwrap_or_else(|| format!("uid-{uid}")))
}

/// The name of this machine.
#[must_use]
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-100
    #[test]
    fn an_operator_is_named_with_the_user_id_that_the_system_knows() {
        assert_eq!(operator(Some("bob"), 0), "operator:bob(uid 0)");
        assert_eq!(operator(None, 1000), "operator:uid-1000");
        let uid = rustix::process::getuid().as_raw().to_string();
        let act = Actor::operator().act("key.revoke", "k", Value::Null);
        assert!(act.actor.contains(&uid), "{}", act.actor);
    }
}
