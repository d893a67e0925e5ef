use maud::{PreEscaped, html};

use super::{
    Language, Page, Site,
    layout::{Layout, hidden, sentence},
    page::{Policy, web},
    words::Words,
};

/// Sends the form as soon as it is there. It is the only script of all pages, never changes, and so is allowed by its
/// hash: stricter than a nonce, which any script could be given.
const SCRIPT: &str = "document.forms[0].submit()";

/// Carries an answer to the client in a form (OAuth 2.0 Form Post Response Mode 1.0). Without JavaScript it has a
/// button.
#[derive(Debug, Clone)]
pub(crate) struct FormPostPage<'v> {
    /// The name of the application that gets the answer.
    pub(crate) client: &'v str,
    /// Its redirect URI.
    pub(crate) action: &'v str,
    /// The parameters of the answer.
    pub(crate) fields: Vec<(&'v str, &'v str)>,
}

impl FormPostPage<'_> {
    /// The page.
    pub(crate) fn page(&self, site: &Site, language: Language) -> Page {
        let words = Words::of(language);
        let own = &words.form_post;
        let policy = Policy { script: Some(SCRIPT), leads_to: Some(self.action) };
        let layout = Layout { site, language, title: own.title, problem: false, wide: false, policy };
        layout.page(&html! {
            h1 { (own.title) }
            p { (sentence(own.text, self.client)) }
            form method="post" action=[web(self.action)] {
                @for (name, value) in &self.fields { (hidden(name, value)) }
                div.actions { button.primary type="submit" { (own.go) } }
            }
            p.fine { (own.hint) }
            script { (PreEscaped(SCRIPT)) }
        })
    }
}
