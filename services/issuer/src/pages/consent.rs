use std::collections::BTreeSet;

use claviger_oauth::{Allowed, IDENTITY_SCOPES, Scope};
use maud::{Markup, html};

use super::{
    Language, Page, Site,
    layout::{Layout, hidden, monogram, sentence},
    page::Policy,
    words::{ConsentWords, Words},
};

/// Where the consent form is posted to.
pub(crate) const CONSENT_PATH: &str = "/consent";

/// Asks whether an application may have what it wants.
///
/// The form posts `csrf_token`, `interaction` and `decision` (`allow` or `deny`).
#[derive(Debug, Clone)]
pub(crate) struct ConsentPage<'v> {
    /// The name of the application that asks.
    pub(crate) client: &'v str,
    /// Who is asked.
    pub(crate) username: &'v str,
    /// What it wants.
    pub(crate) wants: Permissions<'v>,
    /// Shows that the form is this page's.
    pub(crate) csrf_token: &'v str,
    /// The request that is answered in the end, sealed.
    pub(crate) interaction: &'v str,
    /// The redirect URI that the person goes back to.
    pub(crate) returns_to: &'v str,
}

impl ConsentPage<'_> {
    /// The page.
    pub(crate) fn page(&self, site: &Site, language: Language) -> Page {
        let words = Words::of(language);
        let policy = Policy { leads_to: Some(self.returns_to), ..Policy::default() };
        let layout =
            Layout { site, language, title: words.consent.title, problem: false, wide: false, policy };
        layout.page(&self.main(site, words))
    }

    fn main(&self, site: &Site, words: &Words) -> Markup {
        let own = &words.consent;
        html! {
            h1 { (own.asks.before) bdi { (self.client) } (own.asks.after) }
            p.purpose { (monogram(self.username)) span { (sentence(words.signed_in_as, self.username)) } }
            p id="scopes" { (own.will) }
            (self.wants.list("scopes", own))
            form method="post" action=(site.path(CONSENT_PATH)) {
                (hidden("csrf_token", self.csrf_token))
                (hidden("interaction", self.interaction))
                div.actions {
                    button.primary type="submit" name="decision" value="allow" { (own.allow) }
                    button type="submit" name="decision" value="deny" { (own.deny) }
                }
            }
            p.fine {
                @if let Some(host) = host(self.returns_to) { (sentence(own.returns, host)) " " }
                (own.ends)
            }
        }
    }
}

/// What somebody allows a client, as people are shown it: first who they are, then what else of them, then what at which
/// service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Permissions<'v> {
    /// Scopes about the person: `openid`, `profile`, `offline_access` and their like.
    pub(crate) identity: Vec<&'v str>,
    /// The services that it wants to call for the person, with the scopes at each.
    pub(crate) services: Vec<(&'v str, Vec<&'v str>)>,
}

impl<'v> From<&'v Allowed> for Permissions<'v> {
    fn from(allowed: &'v Allowed) -> Self {
        let held = |scope: &&&str| allowed.identity.iter().any(|held| held.as_str() == **scope);
        let scopes = |scopes: &'v BTreeSet<Scope>| scopes.iter().map(Scope::as_str).collect();
        let services = allowed.services.iter();
        Self {
            identity: IDENTITY_SCOPES.iter().filter(held).copied().collect(),
            services: services.map(|(service, at)| (service.as_str(), scopes(at))).collect(),
        }
    }
}

impl Permissions<'_> {
    /// The list; the element of this id says what it is.
    pub(super) fn list(&self, labelled_by: &str, words: &ConsentWords) -> Markup {
        html! {
            ul.scopes role="list" aria-labelledby=(labelled_by) {
                @for scope in &self.identity { li { (identity(scope, words)) } }
                @for (service, scopes) in &self.services {
                    li {
                        (sentence(words.acts, service))
                        @if !scopes.is_empty() {
                            span.codes { @for scope in scopes { code { (scope) } } }
                        }
                    }
                }
            }
        }
    }
}

/// What a scope means to a person; one that is not known here by its name.
fn identity(scope: &str, words: &ConsentWords) -> Markup {
    let known = match scope {
        "openid" => words.openid,
        "profile" => words.profile,
        "email" => words.email,
        "roles" => words.roles,
        "groups" => words.groups,
        "offline_access" => words.offline_access,
        _ => return html! { code { (scope) } },
    };
    html! { (known) }
}

/// Host and port of a redirect URI: where the person goes, as far as anybody can tell from it. An application on the
/// person's own machine has none that says something.
fn host(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix("https://")?;
    rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_somebody_is_stands_first_and_what_is_done_at_services_last() {
        let allowed = r#"{"identity":["email","offline_access","openid","profile"],"services":{"urn:b":[],"urn:a":["read"]}}"#;
        let allowed: Allowed = serde_json::from_str(allowed).unwrap();
        let identity = vec!["openid", "profile", "email", "offline_access"];
        let services = vec![("urn:a", vec!["read"]), ("urn:b", Vec::new())];
        assert_eq!(Permissions::from(&allowed), Permissions { identity, services });
    }

    #[test]
    fn only_a_site_has_a_host_to_go_back_to() {
        assert_eq!(host("https://app.example.com/callback?x=1"), Some("app.example.com"));
        assert_eq!(host("https://app.example.com:8443"), Some("app.example.com:8443"));
        assert_eq!(host("http://127.0.0.1:9000/callback"), None);
        assert_eq!(host("com.example.app:/callback"), None);
    }
}
