use std::time::Duration;

use http::StatusCode;
use maud::html;

use super::{
    Language, Page, SESSIONS_PATH, Site,
    layout::{self, Layout},
    page::Policy,
    words::{ErrorText, Words},
};

/// Says what went wrong and what to do next, where there is nobody to redirect to.
///
/// There is no field for a text: what a request says of its own errors is never shown (S-96).
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorPage<'v> {
    /// What went wrong.
    pub(crate) case: ErrorCase,
    /// What names this answer in the log.
    pub(crate) reference: Option<&'v str>,
}

/// What can go wrong on a way that a person walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(crate) enum ErrorCase {
    /// No such client, or one that is disabled (S-64).
    UnknownClient,
    /// The redirect URI is not one of the client's (S-64).
    RedirectUri,
    /// The post-logout redirect URI is not one of the client's (S-97).
    PostLogoutRedirectUri,
    /// The request cannot be understood, and so nobody can be told.
    Malformed,
    /// The page was open for too long, or was used already.
    Expired,
    /// The form is not this page's: no cookie, another session, or another site (S-95).
    Forged,
    /// The one-time link was used, has expired, or never was.
    Link,
    /// There is no such page.
    NotFound,
    /// Something that is needed cannot be reached.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// A fault of ours.
    Internal,
}

impl ErrorCase {
    /// Each of them once.
    #[cfg(test)]
    pub(super) const ALL: [Self; 10] = [
        Self::UnknownClient,
        Self::RedirectUri,
        Self::PostLogoutRedirectUri,
        Self::Malformed,
        Self::Expired,
        Self::Forged,
        Self::Link,
        Self::NotFound,
        Self::Unavailable { retry_after: Duration::from_secs(30) },
        Self::Internal,
    ];

    fn status(self) -> StatusCode {
        match self {
            Self::UnknownClient
            | Self::RedirectUri
            | Self::PostLogoutRedirectUri
            | Self::Malformed
            | Self::Expired => StatusCode::BAD_REQUEST,
            Self::Forged => StatusCode::FORBIDDEN,
            Self::Link => StatusCode::GONE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after } => Some(retry_after),
            _ => None,
        }
    }

    /// The code that a developer looks for: fixed words, never the request's.
    fn code(self) -> &'static str {
        match self {
            Self::UnknownClient => "unknown_client",
            Self::RedirectUri => "invalid_redirect_uri",
            Self::PostLogoutRedirectUri => "invalid_post_logout_redirect_uri",
            Self::Malformed => "invalid_request",
            Self::Expired => "expired",
            Self::Forged => "form_not_ours",
            Self::Link => "link_used_or_expired",
            Self::NotFound => "not_found",
            Self::Unavailable { .. } => "temporarily_unavailable",
            Self::Internal => "server_error",
        }
    }

    fn text(self, words: &Words) -> ErrorText {
        let errors = &words.errors;
        match self {
            Self::UnknownClient => errors.unknown_client,
            Self::RedirectUri => errors.redirect_uri,
            Self::PostLogoutRedirectUri => errors.post_logout_redirect_uri,
            Self::Malformed => errors.malformed,
            Self::Expired => errors.expired,
            Self::Forged => errors.forged,
            Self::Link => errors.link,
            Self::NotFound => errors.not_found,
            Self::Unavailable { .. } => errors.unavailable,
            Self::Internal => errors.internal,
        }
    }
}

impl ErrorPage<'_> {
    /// The page, with the status of its case.
    pub(crate) fn page(&self, site: &Site, language: Language) -> Page {
        let words = Words::of(language);
        let ErrorText { title, happened, next } = self.case.text(words);
        let policy = Policy::default();
        let layout = Layout { site, language, title, problem: true, wide: false, policy };
        let page = layout.page(&html! {
            h1 { (title) }
            (layout::alert(happened))
            p { (next) }
            @if self.case == ErrorCase::PostLogoutRedirectUri {
                p { a.button.primary href=(site.path(SESSIONS_PATH)) { (words.sessions.title) } }
            }
            p.fine {
                (words.errors.code) " " code { (self.case.code()) }
                @if let Some(reference) = self.reference { " · " (words.errors.reference) " " code { (reference) } }
            }
        });
        Page { status: self.case.status(), retry_after: self.case.retry_after(), ..page }
    }
}
