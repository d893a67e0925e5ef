use std::time::Duration;

use http::StatusCode;
use maud::{Markup, html};

use super::{
    Language, Page, Site,
    layout::{self, Layout, hidden, monogram, sentence},
    page::Policy,
    words::{LogInWords, Words},
};

/// Where the log-in form is posted to.
pub(crate) const SIGN_IN_PATH: &str = "/sign-in";

/// Asks for a name and a password.
///
/// The form posts `username`, `password`, `csrf_token`, `interaction` and `decision` (`allow`; `deny` for Cancel).
#[derive(Debug, Clone)]
pub(crate) struct LogInPage<'v> {
    /// The name of the application that asks; `None` for the issuer's own pages.
    pub(crate) client: Option<&'v str>,
    /// What is in the field for the name already: a hint of the client, or what was typed.
    pub(crate) username: &'v str,
    /// Whether the person has signed in already and is asked again, because the client wants to be sure.
    pub(crate) again: bool,
    /// Why the last attempt did not go through.
    pub(crate) problem: Option<LogInProblem>,
    /// Shows that the form is this page's.
    pub(crate) csrf_token: &'v str,
    /// The request that is answered in the end, sealed.
    pub(crate) interaction: &'v str,
    /// The redirect URI that the person goes back to; with it, there is a button to give up.
    pub(crate) returns_to: Option<&'v str>,
}

/// Why nobody was signed in. An unknown name, a wrong password and a disabled account are one case (S-89).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogInProblem {
    /// The name and the password do not belong together.
    Wrong,
    /// Too many attempts, for this name or from this address.
    TooMany {
        /// When the next attempt will be looked at.
        retry_after: Duration,
    },
    /// Too many wrong ones in a row: an operator ends that, and no time.
    Stopped,
    /// Too many people at once; the password was not looked at.
    Busy,
    /// The database cannot be reached.
    Unavailable,
    /// The page was open for too long, or somebody has signed in meanwhile: what was entered was not looked at.
    Stale,
}

impl LogInProblem {
    fn status(self) -> StatusCode {
        match self {
            Self::Wrong | Self::Stale => StatusCode::FORBIDDEN,
            Self::TooMany { .. } | Self::Stopped => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Wrong | Self::Stale | Self::Stopped => None,
            Self::TooMany { retry_after } => Some(retry_after),
            Self::Busy => Some(Duration::from_secs(2)),
            Self::Unavailable => Some(Duration::from_secs(30)),
        }
    }

    fn text(self, words: &Words) -> String {
        let LogInWords { wrong, stopped, busy, unavailable, stale, .. } = words.log_in;
        match self {
            Self::Wrong => wrong.to_owned(),
            Self::TooMany { retry_after } => (words.too_many)(&(words.length)(retry_after)),
            Self::Stopped => stopped.to_owned(),
            Self::Busy => busy.to_owned(),
            Self::Unavailable => unavailable.to_owned(),
            Self::Stale => stale.to_owned(),
        }
    }
}

impl LogInPage<'_> {
    /// The page, with the status of its problem.
    pub(crate) fn page(&self, site: &Site, language: Language) -> Page {
        let words = Words::of(language);
        let title = if self.again { words.log_in.again_title } else { words.sign_in };
        let policy = Policy { leads_to: self.returns_to, ..Policy::default() };
        let layout = Layout { site, language, title, problem: self.problem.is_some(), wide: false, policy };
        let page = layout.page(&self.main(site, words, title));
        let Some(problem) = self.problem else { return page };
        Page { status: problem.status(), retry_after: problem.retry_after(), ..page }
    }

    fn main(&self, site: &Site, words: &Words, title: &str) -> Markup {
        html! {
            h1 { (title) }
            (self.purpose(&words.log_in))
            @if let Some(problem) = self.problem { (layout::alert(&problem.text(words))) }
            form method="post" action=(site.path(SIGN_IN_PATH)) {
                (hidden("csrf_token", self.csrf_token))
                (hidden("interaction", self.interaction))
                (self.fields(words))
                div.actions {
                    button.primary type="submit" name="decision" value="allow" { (words.sign_in) }
                    @if self.returns_to.is_some() {
                        button type="submit" name="decision" value="deny" formnovalidate { (words.cancel) }
                    }
                }
            }
        }
    }

    fn purpose(&self, words: &LogInWords) -> Markup {
        html! {
            @match self.client {
                Some(client) => p.purpose {
                    (monogram(client))
                    span { (sentence(if self.again { words.again_for } else { words.purpose }, client)) }
                },
                None => p.purpose { (words.own) },
            }
        }
    }

    /// The first field that has to be filled in has the focus, so that a person can begin to type; what went wrong
    /// describes it, for a screen reader begins there and not at the top.
    fn fields(&self, words: &Words) -> Markup {
        let wrong = self.problem == Some(LogInProblem::Wrong);
        let (invalid, described) = (wrong.then_some("true"), self.problem.map(|_| "problem"));
        let known = !self.username.is_empty();
        html! {
            div.field {
                label for="username" { (words.username) }
                input type="text" id="username" name="username" value=(self.username) autocomplete="username"
                    autocapitalize="none" autocorrect="off" spellcheck="false" required
                    autofocus[!known] aria-invalid=[invalid] aria-describedby=[described];
            }
            div.field {
                label for="password" { (words.password) }
                input type="password" id="password" name="password" autocomplete="current-password" required
                    autofocus[known] aria-invalid=[invalid] aria-describedby=[described];
            }
        }
    }
}
