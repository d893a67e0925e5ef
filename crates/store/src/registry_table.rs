//! The registry as a whole, read and written in one transaction.

use std::collections::HashMap;

use sea_orm::{ActiveModelTrait, EntityTrait, QueryOrder};

use crate::{
    Act, Outcome, Registry, RegistrySnapshot, Store, StoreError, UnreadableMember, audit_log,
    entity::{client, client_grant, client_secret, resource_server, revision, team},
    registry_row as row,
    store::{advance, read_revisions},
    timed::Transaction,
    waiting::announce,
};

/// Rows per statement: both databases bound the number of parameters.
const CHUNK: usize = 1000;

impl Store {
    /// The registry and the number of its last change, as of one moment.
    ///
    /// A resource server or a client that is not what [`replace_registry`](Self::replace_registry) wrote is
    /// [unreadable](Registry::unreadable), and no error.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a team is not.
    pub async fn load_registry(&self) -> Result<RegistrySnapshot, StoreError> {
        let transaction = self.begin_read().await?;
        let revision = read_revisions(&transaction).await?.registry;
        let teams = team::Entity::find().order_by_asc(team::Column::Name).all(&transaction).await?;
        let servers = resource_server::Entity::find().order_by_asc(resource_server::Column::Audience);
        let servers = servers.all(&transaction).await?;
        let clients = client::Entity::find().order_by_asc(client::Column::ClientId).all(&transaction).await?;
        let grants = client_grant::Entity::find().order_by_asc(client_grant::Column::Audience);
        let grants = grants.all(&transaction).await?;
        let secrets = client_secret::Entity::find().order_by_asc(client_secret::Column::CreatedAt);
        let secrets = secrets.all(&transaction).await?;
        transaction.commit().await?;
        let mut registry =
            Registry { teams: teams.iter().map(row::team).collect::<Result<_, _>>()?, ..Registry::default() };
        for server in servers {
            match row::resource_server(&server) {
                Ok(server) => registry.resource_servers.push(server),
                Err(error) => registry.unreadable.push(UnreadableMember::resource_server(server, &error)),
            }
        }
        let (mut grants, mut secrets) =
            (by_client(&grants, |row| &row.client_id), by_client(&secrets, |row| &row.client_id));
        for client in clients {
            let grants = grants.remove(client.client_id.as_str()).unwrap_or_default();
            let secrets = secrets.remove(client.client_id.as_str()).unwrap_or_default();
            match row::client(&client, &grants, &secrets) {
                Ok(client) => registry.clients.push(client),
                Err(error) => {
                    let member = UnreadableMember::client(client, &grants, &secrets, &error);
                    registry.unreadable.push(member);
                }
            }
        }
        Ok(RegistrySnapshot { revision, registry })
    }

    /// Makes the registry this one, in one transaction, if nobody changed it since `expected_revision`. What is not in it is
    /// gone, secrets included: change the registry that was [loaded](Self::load_registry), do not write one anew.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a registry that is not whole: a team or audience that it names but does not have, or
    /// two members of one name. Nothing is changed then.
    pub async fn replace_registry(
        &self,
        expected_revision: u64,
        registry: &Registry,
        acts: &[Act],
    ) -> Result<Outcome, StoreError> {
        let transaction = self.begin_write().await?;
        if !advance(&transaction, revision::Column::Registry, expected_revision).await? {
            transaction.rollback().await?;
            return Ok(Outcome::AlreadyRotated);
        }
        client_grant::Entity::delete_many().exec(&transaction).await?;
        client_secret::Entity::delete_many().exec(&transaction).await?;
        client::Entity::delete_many().exec(&transaction).await?;
        resource_server::Entity::delete_many().exec(&transaction).await?;
        team::Entity::delete_many().exec(&transaction).await?;
        let Registry { teams, resource_servers, clients, unreadable } = registry;
        let mut rows = Rows::default();
        rows.teams.extend(teams.iter().map(row::of_team));
        rows.servers.extend(resource_servers.iter().map(row::of_resource_server));
        for client in clients {
            rows.clients.push(row::of_client(client));
            rows.grants.extend(client.grants.iter().map(|grant| row::of_grant(client, grant)));
            rows.secrets.extend(client.secrets.iter().map(|secret| row::of_secret(client, secret)));
        }
        // As they were: a change elsewhere in the fleet does not destroy what a newer program can read.
        for member in unreadable.iter().filter(|member| !member.is_declared_in(registry)) {
            member.write_back(&mut rows);
        }
        rows.insert(&transaction).await?;
        audit_log::append(&transaction, acts).await?;
        announce(&transaction).await?;
        transaction.commit().await?;
        Ok(Outcome::Applied)
    }
}

/// All rows of a registry, in the order in which they refer to each other.
#[derive(Default)]
pub(crate) struct Rows {
    teams: Vec<team::ActiveModel>,
    pub(crate) servers: Vec<resource_server::ActiveModel>,
    pub(crate) clients: Vec<client::ActiveModel>,
    pub(crate) grants: Vec<client_grant::ActiveModel>,
    pub(crate) secrets: Vec<client_secret::ActiveModel>,
}

impl Rows {
    async fn insert(self, transaction: &Transaction) -> Result<(), StoreError> {
        insert(transaction, self.teams).await?;
        insert(transaction, self.servers).await?;
        insert(transaction, self.clients).await?;
        insert(transaction, self.grants).await?;
        insert(transaction, self.secrets).await
    }
}

async fn insert<A: ActiveModelTrait>(transaction: &Transaction, rows: Vec<A>) -> Result<(), StoreError> {
    for chunk in rows.chunks(CHUNK) {
        A::Entity::insert_many(chunk.iter().cloned()).exec_without_returning(transaction).await?;
    }
    Ok(())
}

fn by_client<T>(rows: &[T], client: impl Fn(&T) -> &String) -> HashMap<&str, Vec<&T>> {
    let mut members: HashMap<&str, Vec<&T>> = HashMap::new();
    for row in rows {
        members.entry(client(row)).or_default().push(row);
    }
    members
}
