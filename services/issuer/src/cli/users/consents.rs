//! What people have allowed applications, for whoever is asked about it.

use std::collections::BTreeSet;

use anyhow::bail;
use claviger_oauth::{ClientId, Scope};
use claviger_store::{Store, Username};
use comfy_table::{Table, presets::NOTHING};

use super::{found, names, time};
use crate::{actor::Actor, people::office};

/// Shows what somebody has allowed, by client.
pub(super) async fn list(store: &Store, username: &Username) -> anyhow::Result<()> {
    let user = found(store, username).await?;
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["client", "of the person", "at services", "allowed"]);
    for consent in store.consents_of(&user.id).await? {
        let services = consent.allowed.services.iter();
        let services = services.map(|(service, scopes)| format!("{service} ({})", listed(scopes)));
        table.add_row([
            consent.client_id.to_string(),
            listed(&consent.allowed.identity),
            services.collect::<Vec<_>>().join(", "),
            time(consent.granted_at).to_string(),
        ]);
    }
    println!("{table}");
    Ok(())
}

/// Takes back what somebody has allowed a client.
pub(super) async fn withdraw(store: &Store, username: &Username, client: &ClientId) -> anyhow::Result<()> {
    let user = found(store, username).await?;
    let act = office::withdrawn(&Actor::operator(), &user.id, client);
    if !store.withdraw_consent(&user.id, client, &[act]).await? {
        bail!("{username} has allowed {client} nothing");
    }
    println!("{client} is allowed nothing by {username} any more; access tokens that it holds expire");
    Ok(())
}

fn listed(scopes: &BTreeSet<Scope>) -> String {
    names(scopes.iter().map(Scope::as_str))
}
