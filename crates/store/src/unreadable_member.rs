use std::fmt;

use sea_orm::{ActiveModelTrait, IntoActiveModel};

use crate::{
    Registry, StoreError, StoredSecret,
    entity::{client, client_grant, client_secret, resource_server},
    registry_row as row,
    registry_table::Rows,
};

/// A member of the registry whose row this program cannot read: it is damaged, or of a newer program.
///
/// It is reported and written back as it was, and not used. Declaring it anew mends it.
#[derive(Clone)]
pub struct UnreadableMember {
    /// What is wrong, in words that hold nothing secret.
    pub reason: String,
    member: Member,
}

#[derive(Clone)]
enum Member {
    ResourceServer(resource_server::Model),
    Client { row: client::Model, grants: Vec<client_grant::Model>, secrets: Vec<client_secret::Model> },
}

impl UnreadableMember {
    pub(crate) fn resource_server(row: resource_server::Model, error: &StoreError) -> Self {
        Self { reason: error.to_string(), member: Member::ResourceServer(row) }
    }

    pub(crate) fn client(
        row: client::Model,
        grants: &[&client_grant::Model],
        secrets: &[&client_secret::Model],
        error: &StoreError,
    ) -> Self {
        let cloned = |rows: &[&client_grant::Model]| rows.iter().map(|row| (*row).clone()).collect();
        let secrets = secrets.iter().map(|row| (*row).clone()).collect();
        Self { reason: error.to_string(), member: Member::Client { row, grants: cloned(grants), secrets } }
    }

    /// The client id, if it is a client.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        match &self.member {
            Member::Client { row, .. } => Some(&row.client_id),
            Member::ResourceServer(_) => None,
        }
    }

    /// The secrets of the client, those that can be read: who declares it anew need not hand out new ones.
    #[must_use]
    pub fn secrets(&self) -> Vec<StoredSecret> {
        match &self.member {
            Member::Client { secrets, .. } => {
                secrets.iter().filter_map(|secret| row::secret(secret).ok()).collect()
            }
            Member::ResourceServer(_) => Vec::new(),
        }
    }

    /// Whether the registry has a readable member of this name.
    pub(crate) fn is_declared_in(&self, registry: &Registry) -> bool {
        match &self.member {
            Member::ResourceServer(row) => {
                registry.resource_servers.iter().any(|server| server.audience.as_str() == row.audience)
            }
            Member::Client { row, .. } => {
                registry.clients.iter().any(|client| client.client_id.as_str() == row.client_id)
            }
        }
    }

    pub(crate) fn write_back(&self, rows: &mut Rows) {
        match &self.member {
            Member::ResourceServer(row) => rows.servers.push(row.clone().into_active_model().reset_all()),
            Member::Client { row, grants, secrets } => {
                rows.clients.push(row.clone().into_active_model().reset_all());
                rows.grants.extend(grants.iter().map(|row| row.clone().into_active_model().reset_all()));
                rows.secrets.extend(secrets.iter().map(|row| row.clone().into_active_model().reset_all()));
            }
        }
    }
}

/// What it is, as people read it: `client web`.
impl fmt::Display for UnreadableMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.member {
            Member::ResourceServer(row) => write!(f, "resource server {}", row.audience),
            Member::Client { row, .. } => write!(f, "client {}", row.client_id),
        }
    }
}

/// Without the rows: they hold hashes of secrets.
impl fmt::Debug for UnreadableMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnreadableMember")
            .field("name", &format_args!("{self}"))
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
