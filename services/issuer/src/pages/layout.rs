use http::StatusCode;
use maud::{DOCTYPE, Markup, html};

use super::{
    Language, Page, Site,
    page::Policy,
    words::{Around, Words},
};

/// What stands around every page: the brand above it, and where one is below it.
pub(super) struct Layout<'l> {
    pub(super) site: &'l Site,
    pub(super) language: Language,
    /// What the page is about, for the tab and the history.
    pub(super) title: &'l str,
    /// Whether something has to be put right; a screen reader hears it first, in the title.
    pub(super) problem: bool,
    /// Whether the page holds a list that needs room.
    pub(super) wide: bool,
    pub(super) policy: Policy<'l>,
}

impl Layout<'_> {
    pub(super) fn page(&self, main: &Markup) -> Page {
        let Self { site, language, title, problem, wide, policy } = *self;
        let words = Words::of(language);
        let markup = html! {
            (DOCTYPE)
            html lang=(language.tag()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { @if problem { (words.problem) ": " } (title) " · " (site.name) }
                    link rel="icon" href=(site.path(&site.logo.as_ref().unwrap_or(&site.icon).path()));
                    link rel="stylesheet" href=(site.path(&site.style.path()));
                }
                body.wide[wide] {
                    header { (brand(site)) }
                    main { (main) }
                    footer { p { (site.host) } }
                }
            }
        };
        Page { status: StatusCode::OK, retry_after: None, markup, policy: policy.header() }
    }
}

fn brand(site: &Site) -> Markup {
    html! {
        p.brand {
            @match &site.logo {
                Some(logo) => img src=(site.path(&logo.path())) alt="";,
                None => (key()),
            }
            span { (site.name) }
        }
    }
}

fn key() -> Markup {
    html! {
        svg viewBox="0 0 24 24" aria-hidden="true" {
            circle cx="7.5" cy="12" r="4.5" {}
            path d="M12 12h10M18 12v4" {}
        }
    }
}

/// A name that somebody chose, in a sentence. `bdi` keeps the direction of its script within it, so that a name that
/// is written from the right cannot turn the words around it.
pub(super) fn sentence(around: Around, name: &str) -> Markup {
    html! { (around.before) bdi { strong { (name) } } (around.after) }
}

/// The first letter of an application's name. Its own picture is not shown: the browser would tell whoever serves
/// that who is about to sign in, and when.
pub(super) fn monogram(name: &str) -> Markup {
    let first: String =
        name.chars().find(|c| c.is_alphanumeric()).into_iter().flat_map(char::to_uppercase).collect();
    html! { span.monogram aria-hidden="true" { (first) } }
}

/// What went wrong and what to do next, read out at once.
pub(super) fn alert(text: &str) -> Markup {
    html! {
        div.alert role="alert" id="problem" {
            svg viewBox="0 0 24 24" aria-hidden="true" {
                circle cx="12" cy="12" r="9" {}
                path d="M12 7.5v5.5M12 16.4v.1" {}
            }
            p { (text) }
        }
    }
}

/// What went well.
pub(super) fn notice(text: &str) -> Markup {
    html! {
        div.notice role="status" {
            svg viewBox="0 0 24 24" aria-hidden="true" {
                circle cx="12" cy="12" r="9" {}
                path d="M8 12.3l2.8 2.8L16 9.6" {}
            }
            p { (text) }
        }
    }
}

/// What a form sends besides what a person types.
pub(super) fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}
