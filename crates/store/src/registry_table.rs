//! The registry as a whole, read and written in one transaction.

use std::collections::HashMap;

use sea_orm::{ActiveModelTrait, EntityTrait, QueryOrder};

use crate::{
    Act, Client, Outcome, Registry, RegistrySnapshot, Store, StoreError, audit_log,
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
    /// # Errors
    /// [`StoreError::Corrupt`] if a row is not what [`replace_registry`](Self::replace_registry) wrote.
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
        let registry = Registry {
            teams: teams.iter().map(row::team).collect::<Result<_, _>>()?,
            resource_servers: servers.iter().map(row::resource_server).collect::<Result<_, _>>()?,
            clients: assemble(&clients, &grants, &secrets)?,
        };
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
        let Registry { teams, resource_servers, clients } = registry;
        insert::<team::Entity, _>(&transaction, teams.iter().map(row::of_team)).await?;
        insert::<resource_server::Entity, _>(
            &transaction,
            resource_servers.iter().map(row::of_resource_server),
        )
        .await?;
        insert::<client::Entity, _>(&transaction, clients.iter().map(row::of_client)).await?;
        let grants =
            clients.iter().flat_map(|client| client.grants.iter().map(|grant| row::of_grant(client, grant)));
        insert::<client_grant::Entity, _>(&transaction, grants).await?;
        let secrets = clients
            .iter()
            .flat_map(|client| client.secrets.iter().map(|secret| row::of_secret(client, secret)));
        insert::<client_secret::Entity, _>(&transaction, secrets).await?;
        audit_log::append(&transaction, acts).await?;
        announce(&transaction).await?;
        transaction.commit().await?;
        Ok(Outcome::Applied)
    }
}

async fn insert<E, A>(transaction: &Transaction, rows: impl Iterator<Item = A>) -> Result<(), StoreError>
where
    E: EntityTrait,
    A: ActiveModelTrait<Entity = E>,
{
    let rows: Vec<A> = rows.collect();
    for chunk in rows.chunks(CHUNK) {
        E::insert_many(chunk.iter().cloned()).exec_without_returning(transaction).await?;
    }
    Ok(())
}

fn assemble(
    clients: &[client::Model],
    grants: &[client_grant::Model],
    secrets: &[client_secret::Model],
) -> Result<Vec<Client>, StoreError> {
    let mut members = clients.iter().map(row::client).collect::<Result<Vec<Client>, _>>()?;
    let position: HashMap<&str, usize> =
        clients.iter().enumerate().map(|(position, client)| (client.client_id.as_str(), position)).collect();
    for grant in grants {
        if let Some(&position) = position.get(grant.client_id.as_str()) {
            members[position].grants.push(row::grant(grant)?);
        }
    }
    for secret in secrets {
        if let Some(&position) = position.get(secret.client_id.as_str()) {
            members[position].secrets.push(row::secret(secret)?);
        }
    }
    Ok(members)
}
