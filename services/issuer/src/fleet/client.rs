//! What a client declares.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use claviger_oauth::{
    Application, ApplicationKind, Audience, AuthenticationMethod, ClaimPlace, ClaimRule, ClientId,
    ClientKeys, GrantType, RedirectUri, RefreshPolicy, Scope, TeamName, is_identity_scope,
};
use claviger_store::{Client, ResourceServer};

use super::{
    check,
    file::Reader,
    texts::{DisplayName, HttpsUrl, Origin, Word},
};
use crate::{
    client_auth::KeySet,
    declared::{Form, Table},
    outbound,
};

impl Reader<'_, '_> {
    pub(super) fn client(
        &self,
        table: &Table<'_, '_>,
        teams: &HashSet<TeamName>,
        servers: &HashMap<Audience, ResourceServer>,
    ) -> Option<Client> {
        let client_id = table.required::<ClientId>("id");
        let team = self.team(table, teams);
        let kind = table.parsed("kind").map(|Word(kind)| kind);
        let application = self.application(table, kind.unwrap_or_default());
        let method = table.parsed("method");
        let grant_types: Vec<GrantType> = table.list("grant_types");
        let disabled = table.boolean("disabled").unwrap_or(false);
        let keys = self.keys(table);
        let grants = self.grants(table, servers);
        // Of what could not be read nobody knows what goes with it.
        if (table.has("kind") && kind.is_none())
            || (table.has("method") && method.is_none())
            || grant_types.len() < table.elements("grant_types")
        {
            return None;
        }
        let usual = match kind {
            None => (AuthenticationMethod::ClientSecretBasic, GrantType::ClientCredentials),
            Some(ApplicationKind::Web) => {
                (AuthenticationMethod::ClientSecretBasic, GrantType::AuthorizationCode)
            }
            Some(_) => (AuthenticationMethod::None, GrantType::AuthorizationCode),
        };
        let client = Client {
            client_id: client_id?,
            team: team?,
            method: method.unwrap_or(usual.0),
            disabled,
            grant_types: if table.has("grant_types") { distinct(grant_types) } else { vec![usual.1] },
            keys,
            application: kind.map(|_| application),
            grants,
            secrets: Vec::new(),
        };
        let broken = match &client.application {
            Some(application) => check::application(table, &client, application),
            None => check::service(table, &client),
        };
        for (line, rule) in broken {
            self.document.note(line, rule);
        }
        Some(client)
    }

    fn application(&self, table: &Table<'_, '_>, kind: ApplicationKind) -> Application {
        let backchannel = table.parsed::<String>("backchannel_logout_uri");
        if let Some(uri) = &backchannel {
            self.check_outbound(table, "backchannel_logout_uri", uri);
        }
        let origins = table.list::<Origin>("origins");
        if origins.iter().any(|origin| origin.is_local) {
            self.check_local(table, "origins", kind);
        }
        let redirect_uris = self.redirect_uris(table, "redirect_uris", kind);
        let first_party = table.boolean("first_party").unwrap_or(false);
        Application {
            kind,
            first_party,
            name: table.parsed("name").map(|DisplayName(name)| name),
            logo_uri: table.parsed("logo_uri").map(|HttpsUrl(url)| url),
            redirect_uris,
            post_logout_redirect_uris: self.redirect_uris(table, "post_logout_redirect_uris", kind),
            backchannel_logout_uri: backchannel,
            origins: origins.into_iter().map(|origin| origin.text).collect(),
            identity_scopes: self.identity_scopes(table),
            require_pushed: table.boolean("require_pushed").unwrap_or(false),
            refresh: table.parsed("refresh").map_or_else(RefreshPolicy::default, |Word(policy)| policy),
            claims: self.claims(table, |rule| if first_party { None } else { unasked(rule) }),
        }
    }

    fn redirect_uris(
        &self,
        table: &Table<'_, '_>,
        name: &'static str,
        kind: ApplicationKind,
    ) -> Vec<RedirectUri> {
        let uris = table.list::<RedirectUri>(name);
        if uris.iter().any(|uri| uri.as_str().starts_with("http://")) {
            self.check_local(table, name, kind);
        }
        if kind != ApplicationKind::Native && uris.iter().any(RedirectUri::is_private_use) {
            let message = format!("`{name}`: only a native application has a scheme of its own");
            self.document.note(table.line_of(name), message);
        }
        distinct(uris)
    }

    /// On whose machine plain http ends nobody knows, but for an application that runs there, and for an issuer that does.
    fn check_local(&self, table: &Table<'_, '_>, name: &str, kind: ApplicationKind) {
        if kind != ApplicationKind::Native && !self.issuer.is_loopback() {
            let message =
                format!("`{name}`: plain http is for native applications, and for an issuer on loopback");
            self.document.note(table.line_of(name), message);
        }
    }

    fn identity_scopes(&self, table: &Table<'_, '_>) -> claviger_oauth::ScopeSet {
        let scopes = table.list::<Scope>("identity_scopes");
        for scope in scopes.iter().filter(|scope| !is_identity_scope(scope.as_str())) {
            let message = format!(
                "`identity_scopes`: {scope} is none of openid, profile, email, offline_access, roles, groups"
            );
            self.document.note(table.line_of("identity_scopes"), message);
        }
        if table.has("identity_scopes") {
            return scopes.into_iter().collect();
        }
        claviger_oauth::OPENID.parse().unwrap_or_default()
    }

    /// The claims that a client or a resource server adds; `wrong` says what is wrong with one, if anything.
    pub(super) fn claims(
        &self,
        table: &Table<'_, '_>,
        wrong: impl Fn(&ClaimRule) -> Option<String>,
    ) -> Vec<ClaimRule> {
        let mut claims = Vec::new();
        for (line, value) in table.values("claims") {
            match serde_json::from_value(value) {
                Ok(rule) => {
                    if let Some(wrong) = wrong(&rule) {
                        self.document.note(line, format!("`claims`: {wrong}"));
                    }
                    claims.push(rule);
                }
                Err(error) => self.document.note(line, format!("`claims`: {error}")),
            }
        }
        for mistake in ClaimRule::mistakes(&claims) {
            self.document.note(table.line_of("claims"), format!("`claims`: {mistake}"));
        }
        claims
    }

    fn keys(&self, table: &Table<'_, '_>) -> ClientKeys {
        let set = match table.form("jwks") {
            Some(Form::Text(set)) => Some(set),
            Some(Form::Table(file)) => self.read_keys(file),
            None => None,
        };
        let uri = table.parsed::<String>("jwks_uri");
        if let Some(uri) = &uri {
            self.check_outbound(table, "jwks_uri", uri);
        }
        match (set, uri) {
            (Some(_), Some(_)) => {
                let message = "`jwks_uri`: there is a `jwks` already, and which of the two holds?";
                self.document.note(table.line_of("jwks_uri"), message.to_owned());
                ClientKeys::None
            }
            (Some(set), None) => {
                if let Err(error) = KeySet::parse(set.as_bytes()) {
                    self.document.note(table.line_of("jwks"), format!("`jwks`: {error}"));
                }
                ClientKeys::Set(compact(set))
            }
            (None, Some(uri)) => ClientKeys::Uri(uri),
            (None, None) => ClientKeys::None,
        }
    }

    /// A set in a file beside the declaration.
    fn read_keys(&self, table: Table<'_, '_>) -> Option<String> {
        let path = table.required::<String>("file");
        let line = table.line_of("file");
        table.finish();
        let path = self.directory.join(path?);
        match fs::read_to_string(&path) {
            Ok(set) => Some(set),
            Err(error) => {
                self.document.note(line, format!("`jwks.file`: {}: {error}", path.display()));
                None
            }
        }
    }

    fn check_outbound(&self, table: &Table<'_, '_>, name: &str, url: &str) {
        if let Err(refused) = outbound::check(url, self.issuer.is_loopback()) {
            self.document.note(table.line_of(name), format!("`{name}` = {url:?}: {refused}"));
        }
    }
}

/// What a client that is not of the house learns of people is what they say yes to: it goes with a scope that the consent page
/// tells of.
fn unasked(rule: &ClaimRule) -> Option<String> {
    let is_told = rule.is_for(ClaimPlace::IdToken) || rule.is_for(ClaimPlace::Userinfo);
    let needed = rule.from.scope_of_person().filter(|_| is_told)?;
    let is_asked = rule.scope.as_ref().is_some_and(|scope| scope.as_str() == needed);
    let claim = &rule.claim;
    let wrong = format!(
        "{claim} tells something of people, who are asked for that where `first_party` is not true: \
         `scope = \"{needed}\"` is missing"
    );
    (!is_asked).then_some(wrong)
}

/// The same document without what is there for people: two spellings are no difference.
fn compact(set: String) -> String {
    serde_json::from_str::<serde_json::Value>(&set).map_or(set, |document| document.to_string())
}

fn distinct<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}
