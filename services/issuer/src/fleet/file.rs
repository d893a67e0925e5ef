use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use claviger_jose::Algorithm;
use claviger_oauth::{Audience, AuthenticationMethod, ClientId, Issuer, Scope, ScopeSet, TeamName};
use claviger_store::{Client, ClientGrant, Registry, ResourceServer, Team};

use crate::{
    admin,
    declared::{Document, Mistakes, Table},
};

/// Reads the `fleet.toml` of an issuer. No token may live longer than `longest`.
///
/// The issuer's own admin API is not declared; clients can be granted access to it as to any resource server.
///
/// # Errors
/// All [`Mistakes`] with their lines; a file with one mistake declares nothing.
pub fn parse(name: &str, text: &str, longest: Duration, issuer: &Issuer) -> Result<Registry, Mistakes> {
    let document = Document::new(name, text);
    let root = document.root();
    let reader = Reader { document: &document, longest, own: admin::resource_server(issuer, longest) };

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
    }))
}

struct Reader<'d, 't> {
    document: &'d Document<'t>,
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
            if audience.as_ref() == Some(&self.own.audience) {
                let message =
                    "the issuer's own admin API is not declared; grant clients access to it".to_owned();
                self.document.note(table.line_of("audience"), message);
            } else if let (Some(audience), Some(team)) = (audience, team) {
                let server = ResourceServer { audience: audience.clone(), team, alg, token_lifetime, scopes };
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
            let client_id = table.required::<ClientId>("id");
            let team = self.team(&table, teams);
            let method = table.parsed("method").unwrap_or(AuthenticationMethod::ClientSecretBasic);
            let disabled = table.boolean("disabled").unwrap_or(false);
            let grants = self.grants(&table, servers);
            if let (Some(client_id), Some(team)) = (client_id, team) {
                let client = Client {
                    client_id: client_id.clone(),
                    team,
                    method,
                    disabled,
                    grants,
                    secrets: Vec::new(),
                };
                if clients.insert(client_id.clone(), client).is_some() {
                    self.document.note(table.line(), format!("client {client_id} is declared twice"));
                }
            }
            table.finish();
        }
        clients
    }

    fn team(&self, table: &Table<'_, '_>, teams: &HashSet<TeamName>) -> Option<TeamName> {
        let team = table.required::<TeamName>("team")?;
        if !teams.contains(&team) {
            self.document.note(table.line_of("team"), format!("team {team} is not declared in this file"));
        }
        Some(team)
    }

    fn grants(&self, table: &Table<'_, '_>, servers: &HashMap<Audience, ResourceServer>) -> Vec<ClientGrant> {
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const FLEET: &str = r#"
[[team]]
name = "shop"

[[resource_server]]
audience = "https://orders.fleet.test"
team = "shop"
algorithm = "RS256"
scopes = ["orders:read", "orders:write"]

[[client]]
id = "web"
team = "shop"
access."https://orders.fleet.test" = ["orders:read"]
"#;

    fn issuer() -> Issuer {
        "https://id.fleet.test".parse().unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "`expect!` reads best in the call")]
    fn check_mistakes(text: &str, expected: Expect) {
        let found = parse("fleet.toml", text, Duration::from_mins(5), &issuer());
        expected.assert_eq(&found.map_or_else(|mistakes| mistakes.to_string(), |_| "none".to_owned()));
    }

    #[test]
    fn a_fleet_is_read() {
        let registry = parse("fleet.toml", FLEET, Duration::from_mins(5), &issuer()).unwrap();
        assert_eq!(registry.teams.len(), 1);
        assert_eq!(registry.resource_servers[0].alg, Algorithm::Rs256);
        assert_eq!(registry.resource_servers[0].token_lifetime, Duration::from_mins(5));
        assert_eq!(registry.clients[0].grants[0].scopes.as_str(), "orders:read");
    }

    #[test]
    fn all_mistakes_are_found_in_one_run_with_their_lines() {
        let text = r#"
[[team]]
name = "Shop!"
nmae = "x"

[[resource_server]]
audience = "orders"
team = "shop"
algorithm = "HS256"
token_lifetime = "2h"
scopes = ["a b", 7]

[[resource_server]]
audience = "https://a.test"
scopes = "x"

[[client]]
id = "web:1"
team = "shop"
method = "none"

[[client]]
id = "web"
access."https://b.test" = []
[[client]]
id = 5
[clients]
"#;
        check_mistakes(
            text,
            expect![[r#"
            fleet.toml:3: `name` = "Shop!": a team name has only the characters a-z 0-9 -
            fleet.toml:4: `nmae` is not known here; known are: name
            fleet.toml:7: `audience` = "orders": an audience is an absolute URI
            fleet.toml:8: team shop is not declared in this file
            fleet.toml:9: `algorithm` = "HS256": the algorithm is neither RS256 nor ES256
            fleet.toml:10: `token_lifetime` must be 1s to 5m (`token_lifetime` in claviger.toml)
            fleet.toml:11: `scopes` = "a b": a scope has 1 to 128 printable ASCII characters without space, " and \
            fleet.toml:11: `scopes` must be a list of strings, not integer
            fleet.toml:13: `team` is missing
            fleet.toml:15: `scopes` must be a list of strings, not string
            fleet.toml:18: `id` = "web:1": a client id has only the characters A-Z a-z 0-9 . _ -
            fleet.toml:19: team shop is not declared in this file
            fleet.toml:20: `method` = "none": an authentication method is `client_secret_basic` or `client_secret_post`
            fleet.toml:22: `team` is missing
            fleet.toml:24: resource server https://b.test is not declared in this file
            fleet.toml:25: `team` is missing
            fleet.toml:26: `id` must be a string, not integer
            fleet.toml:27: `clients` is not known here; known are: team, resource_server, client"#]],
        );
    }

    #[test]
    fn what_is_declared_twice_or_reaches_too_far_is_refused() {
        let twice = format!("{FLEET}{}", FLEET.replace("orders:read\"]\n", "orders:admin\"]\n"));
        check_mistakes(
            &twice,
            expect![[r"
            fleet.toml:16: team shop is declared twice
            fleet.toml:19: resource server https://orders.fleet.test is declared twice
            fleet.toml:25: client web is declared twice
            fleet.toml:28: resource server https://orders.fleet.test has no scope orders:admin"]],
        );
    }

    // S-98
    #[test]
    fn the_admin_api_is_there_for_those_who_are_granted_it_and_nobody_declares_it() {
        let granted = format!("{FLEET}access.\"https://id.fleet.test/admin\" = [\"keys:read\"]\n");
        let registry = parse("fleet.toml", &granted, Duration::from_mins(5), &issuer()).unwrap();
        let audiences: Vec<_> =
            registry.resource_servers.iter().map(|server| server.audience.as_str()).collect();
        assert_eq!(audiences, ["https://id.fleet.test/admin", "https://orders.fleet.test"]);
        check_mistakes(
            &granted.replace("keys:read", "keys:write"),
            expect!["fleet.toml:15: resource server https://id.fleet.test/admin has no scope keys:write"],
        );
        check_mistakes(
            &FLEET.replace("https://orders.fleet.test\"\nteam", "https://id.fleet.test/admin\"\nteam"),
            expect![[r"
            fleet.toml:6: the issuer's own admin API is not declared; grant clients access to it
            fleet.toml:14: resource server https://orders.fleet.test is not declared in this file"]],
        );
    }

    #[test]
    fn what_is_not_toml_is_told_with_its_line() {
        check_mistakes(
            "[[team]\nname = ",
            expect![[r"
            fleet.toml:1: unclosed array table, expected `]`
            fleet.toml:2: `name` is not known here; known are: team, resource_server, client"]],
        );
    }
}
