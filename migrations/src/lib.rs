//! The schema, one file per change.
//!
//! Forward only: a change that has shipped is never edited and never undone, the next one follows it. A file
//! names tables and columns by string and imports no entity, so that it goes on meaning what it meant when
//! the entities have moved on.
//!
//! What must hold whoever writes to the database (the states of a key, one active key per algorithm, tombstones) is
//! held by the database itself, in triggers, checks and indexes.

use sea_orm_migration::prelude::*;

mod m20261121_000001_keys;
mod m20261121_000002_registry;
mod m20261121_000003_fleet;
mod m20261121_000004_people;
mod m20261122_000005_upkeep;
mod m20261122_000006_serving;

/// All changes, in order. The last one is the newest schema that this binary knows.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_keys::Migration),
            Box::new(m20261121_000002_registry::Migration),
            Box::new(m20261121_000003_fleet::Migration),
            Box::new(m20261121_000004_people::Migration),
            Box::new(m20261122_000005_upkeep::Migration),
            Box::new(m20261122_000006_serving::Migration),
        ]
    }
}

/// The name of the newest change, as the database records it.
#[must_use]
pub fn newest() -> String {
    Migrator::migrations().last().map_or_else(String::new, |change| change.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_changes_is_the_order_of_their_names() {
        let names: Vec<String> =
            Migrator::migrations().iter().map(|change| change.name().to_owned()).collect();
        assert!(names.is_sorted());
        assert_eq!(names.last(), Some(&newest()));
    }
}
