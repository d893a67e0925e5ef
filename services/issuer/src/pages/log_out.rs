use claviger_oauth::LOGOUT_PATH;
use maud::{Markup, html};

use super::{
    Language, Page, Site,
    layout::{self, Layout, hidden, monogram, sentence},
    page::{Policy, web},
    words::Words,
};

/// Asks whether somebody really wants to sign out: a link from elsewhere must not do it alone (S-97).
///
/// The form posts `csrf_token`, `interaction` and `decision` (`allow` or `deny`).
#[derive(Debug, Clone)]
pub(crate) struct LogOutPage<'v> {
    /// Who is signed in.
    pub(crate) username: &'v str,
    /// The names of the applications that were signed in to in this session.
    pub(crate) clients: Vec<&'v str>,
    /// Shows that the form is this page's.
    pub(crate) csrf_token: &'v str,
    /// What is done afterwards, sealed; empty if nothing.
    pub(crate) interaction: &'v str,
    /// The post-logout redirect URI, if there is one.
    pub(crate) returns_to: Option<&'v str>,
}

impl LogOutPage<'_> {
    /// The page.
    pub(crate) fn page(&self, site: &Site, language: Language) -> Page {
        let words = Words::of(language);
        let policy = Policy { leads_to: self.returns_to, ..Policy::default() };
        let layout =
            Layout { site, language, title: words.log_out.title, problem: false, wide: false, policy };
        layout.page(&self.main(site, words))
    }

    fn main(&self, site: &Site, words: &Words) -> Markup {
        html! {
            h1 { (words.log_out.title) }
            p.purpose { (monogram(self.username)) span { (sentence(words.signed_in_as, self.username)) } }
            @if !self.clients.is_empty() {
                p id="clients" { (words.log_out.clients) }
                ul.plain role="list" aria-labelledby="clients" {
                    @for client in &self.clients { li { (monogram(client)) bdi { (client) } } }
                }
            }
            form method="post" action=(site.path(LOGOUT_PATH)) {
                (hidden("csrf_token", self.csrf_token))
                (hidden("interaction", self.interaction))
                div.actions {
                    button.primary type="submit" name="decision" value="allow" { (words.sign_out) }
                    button type="submit" name="decision" value="deny" { (words.log_out.stay) }
                }
            }
        }
    }
}

/// Says that nobody is signed in any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct SignedOutPage<'v> {
    /// Name and address of the application that the person came from, if that is known.
    pub(crate) client: Option<(&'v str, &'v str)>,
}

impl SignedOutPage<'_> {
    /// The page.
    pub(crate) fn page(&self, site: &Site, language: Language) -> Page {
        let words = Words::of(language);
        let own = &words.signed_out;
        let policy = Policy::default();
        let layout = Layout { site, language, title: own.title, problem: false, wide: false, policy };
        let client = self.client.and_then(|(name, uri)| Some((name, web(uri)?)));
        layout.page(&html! {
            h1 { (own.title) }
            (layout::notice(own.text))
            p { (own.next) }
            @if let Some((name, uri)) = client {
                p { a href=(uri) { (own.go.before) bdi { (name) } (own.go.after) } }
            }
        })
    }
}
