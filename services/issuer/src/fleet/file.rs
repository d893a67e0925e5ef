use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::Duration,
};

use claviger_jose::Algorithm;
use claviger_oauth::{Audience, ClaimPlace, ClientId, Issuer, Scope, ScopeSet, TeamName, is_identity_scope};
use claviger_store::{Client, ClientGrant, Registry, ResourceServer, Team};

use crate::{
    admin,
    declared::{Document, Mistakes, Table},
};

/// Reads the `fleet.toml` of an issuer. No token may live longer than `longest`.
///
/// The issuer's own admin API is not declared; clients can be granted access to it as to any resource server. Key sets that
/// the file names are read from beside it.
///
/// # Errors
/// All [`Mistakes`] with their lines; a file with one mistake declares nothing.
pub fn parse(name: &str, text: &str, longest: Duration, issuer: &Issuer) -> Result<Registry, Mistakes> {
    let document = Document::new(name, text);
    let root = document.root();
    let directory = Path::new(name).parent().unwrap_or(Path::new(""));
    let own = admin::resource_server(issuer, longest);
    let reader = Reader { document: &document, issuer, directory, longest, own };

    let mut teams = reader.teams(&root);
    let mut servers = reader.resource_servers(&root, &teams);
    let own = reader.own.clone();
    servers.insert(own.audience.clone(), own.clone());
    let clients = reader.clients(&root, &teams, &servers);
    root.finish();
    // The database knows it as a resource server like others, for the sake of those who may use it.
    if clients.values().flat_map(|client| &client.grants).any(|grant| grant.audience == own.audience) {
        teams.insert(own.team);
    } else {
        servers.remove(&own.audience);
    }
    document.finish(Some(Registry {
        teams: sorted(teams.into_iter().map(|name| Team { name }), |team| team.name.clone()),
        resource_servers: sorted(servers.into_values(), |server| server.audience.clone()),
        clients: sorted(clients.into_values(), |client| client.client_id.clone()),
        unreadable: Vec::new(),
    }))
}

pub(super) struct Reader<'d, 't> {
    pub(super) document: &'d Document<'t>,
    pub(super) issuer: &'d Issuer,
    /// Where files are that it names.
    pub(super) directory: &'d Path,
    longest: Duration,
    /// The issuer's own.
    own: ResourceServer,
}

impl Reader<'_, '_> {
    fn teams(&self, root: &Table<'_, '_>) -> HashSet<TeamName> {
        let mut teams = HashSet::new();
        for table in root.tables("team") {
            if let Some(name) = table.required::<TeamName>("name")
                && !teams.insert(name.clone())
            {
                self.document.note(table.line(), format!("team {name} is declared twice"));
            }
            table.finish();
        }
        teams
    }

    fn resource_servers(
        &self,
        root: &Table<'_, '_>,
        teams: &HashSet<TeamName>,
    ) -> HashMap<Audience, ResourceServer> {
        let mut servers = HashMap::new();
        for table in root.tables("resource_server") {
            let audience = table.required::<Audience>("audience");
            let team = self.team(&table, teams);
            let alg = table.parsed("algorithm").unwrap_or(Algorithm::Es256);
            let token_lifetime = table.duration("token_lifetime").unwrap_or(self.longest);
            if token_lifetime > self.longest || token_lifetime < Duration::from_secs(1) {
                let longest = humantime::format_duration(self.longest);
                let message =
                    format!("`token_lifetime` must be 1s to {longest} (`token_lifetime` in claviger.toml)");
                self.document.note(table.line_of("token_lifetime"), message);
            }
            let scopes = self.scopes(table.list("scopes"), table.line_of("scopes"));
            if let Some(scope) = scopes.iter().find(|scope| is_identity_scope(scope)) {
                let message = format!("`scopes`: {scope} is a scope of the issuer's own, about people");
                self.document.note(table.line_of("scopes"), message);
            }
            let claims = self.claims(&table, |_| None);
            if claims.iter().flat_map(|rule| &rule.places).any(|place| *place != ClaimPlace::AccessToken) {
                let message =
                    "`claims`: a resource server sees access tokens only, `in = [\"access_token\"]`";
                self.document.note(table.line_of("claims"), message.to_owned());
            }
            if audience.as_ref() == Some(&self.own.audience) {
                let message =
                    "the issuer's own admin API is not declared; grant clients access to it".to_owned();
                self.document.note(table.line_of("audience"), message);
            } else if let (Some(audience), Some(team)) = (audience, team) {
                let audience_of = audience.clone();
                let server =
                    ResourceServer { audience: audience_of, team, alg, token_lifetime, scopes, claims };
                if servers.insert(audience.clone(), server).is_some() {
                    self.document.note(table.line(), format!("resource server {audience} is declared twice"));
                }
            }
            table.finish();
        }
        servers
    }

    fn clients(
        &self,
        root: &Table<'_, '_>,
        teams: &HashSet<TeamName>,
        servers: &HashMap<Audience, ResourceServer>,
    ) -> HashMap<ClientId, Client> {
        let mut clients = HashMap::new();
        for table in root.tables("client") {
            if let Some(client) = self.client(&table, teams, servers) {
                let client_id = client.client_id.clone();
                if clients.insert(client_id.clone(), client).is_some() {
                    self.document.note(table.line(), format!("client {client_id} is declared twice"));
                }
            }
            table.finish();
        }
        clients
    }

    pub(super) fn team(&self, table: &Table<'_, '_>, teams: &HashSet<TeamName>) -> Option<TeamName> {
        let team = table.required::<TeamName>("team")?;
        if !teams.contains(&team) {
            self.document.note(table.line_of("team"), format!("team {team} is not declared in this file"));
        }
        Some(team)
    }

    pub(super) fn grants(
        &self,
        table: &Table<'_, '_>,
        servers: &HashMap<Audience, ResourceServer>,
    ) -> Vec<ClientGrant> {
        let mut grants = Vec::new();
        for (audience, line, scopes) in table.map_of_lists::<Scope>("access") {
            let Some((audience, server)) = servers.get_key_value(audience.as_str()) else {
                self.document.note(line, format!("resource server {audience} is not declared in this file"));
                continue;
            };
            for scope in scopes.iter().filter(|scope| !server.scopes.contains(scope.as_str())) {
                self.document.note(line, format!("resource server {audience} has no scope {scope}"));
            }
            grants.push(ClientGrant { audience: audience.clone(), scopes: self.scopes(scopes, line) });
        }
        sorted(grants, |grant| grant.audience.clone())
    }

    /// A set that is longer than a token request may name could never be asked for.
    fn scopes(&self, scopes: Vec<Scope>, line: usize) -> ScopeSet {
        let scopes: ScopeSet = scopes.into_iter().collect();
        if scopes.as_str().parse::<ScopeSet>().is_err() && !scopes.is_empty() {
            self.document.note(line, "these scopes are longer than 2 KiB together".to_owned());
        }
        scopes
    }
}

fn sorted<T, K: Ord>(values: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_by_key(key);
    values
}
