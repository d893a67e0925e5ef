use http::StatusCode;
use maud::{Markup, html};

use super::{
    Language, Page, Site,
    layout::{self, Layout, hidden, sentence},
    page::Policy,
    words::{FirstAdministratorWords, Words},
};

/// Where the one-time link of the first administrator leads.
pub(crate) const WELCOME_PATH: &str = "/welcome";

/// Asks for the name and the password of the first administrator (S-93).
///
/// The form posts `username`, `password`, `password_again`, `csrf_token` and `link`, the secret of the link.
#[derive(Debug, Clone)]
pub(crate) struct FirstAdministratorPage<'v> {
    /// The name that was typed last.
    pub(crate) username: &'v str,
    /// The least length of a password, in characters.
    pub(crate) password_min: usize,
    /// Why what was typed is not taken.
    pub(crate) problem: Option<FirstAdministratorProblem>,
    /// Shows that the form is this page's.
    pub(crate) csrf_token: &'v str,
    /// The secret of the one-time link.
    pub(crate) link: &'v str,
}

/// Why a name or a password is not taken (S-87).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstAdministratorProblem {
    /// The name is empty, too long, or has characters that are not shown.
    Username,
    /// Somebody has this name.
    UsernameTaken,
    /// The password is shorter than it may be.
    PasswordTooShort,
    /// The password is longer than it may be.
    PasswordTooLong,
    /// The password is one that many people have, or holds the name of the person or of this place.
    PasswordCommon,
    /// The password has a character that is not taken.
    PasswordCharacters,
    /// The two passwords differ.
    Different,
    /// It could not be kept; nothing was changed.
    Unavailable,
}

/// The field that a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Username,
    Password,
    Again,
}

impl FirstAdministratorProblem {
    fn field(self) -> Option<Field> {
        match self {
            Self::Username | Self::UsernameTaken => Some(Field::Username),
            Self::PasswordTooShort
            | Self::PasswordTooLong
            | Self::PasswordCommon
            | Self::PasswordCharacters => Some(Field::Password),
            Self::Different => Some(Field::Again),
            Self::Unavailable => None,
        }
    }

    fn text(self, words: &Words, password_min: usize) -> String {
        let own = &words.first_administrator;
        match self {
            Self::Username => own.username.to_owned(),
            Self::UsernameTaken => own.username_taken.to_owned(),
            Self::PasswordTooShort => (own.password_short)(password_min),
            Self::PasswordTooLong => own.password_long.to_owned(),
            Self::PasswordCommon => own.password_common.to_owned(),
            Self::PasswordCharacters => own.password_characters.to_owned(),
            Self::Different => own.different.to_owned(),
            Self::Unavailable => own.unavailable.to_owned(),
        }
    }
}

impl FirstAdministratorPage<'_> {
    /// The page, with the status of its problem.
    pub(crate) fn page(&self, site: &Site, language: Language) -> Page {
        let words = Words::of(language);
        let title = words.first_administrator.title;
        let policy = Policy::default();
        let layout = Layout { site, language, title, problem: self.problem.is_some(), wide: false, policy };
        let page = layout.page(&self.main(site, words));
        let status = match self.problem {
            None => StatusCode::OK,
            Some(FirstAdministratorProblem::Unavailable) => StatusCode::SERVICE_UNAVAILABLE,
            Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Page { status, ..page }
    }

    fn main(&self, site: &Site, words: &Words) -> Markup {
        let own = &words.first_administrator;
        html! {
            h1 { (own.title) }
            p { (own.intro) }
            @if let Some(problem) = self.problem {
                (layout::alert(&problem.text(words, self.password_min)))
            }
            form method="post" action=(site.path(WELCOME_PATH)) {
                (hidden("csrf_token", self.csrf_token))
                (hidden("link", self.link))
                (self.fields(words, own))
                div.actions { button.primary type="submit" { (own.create) } }
            }
        }
    }

    fn fields(&self, words: &Words, own: &FirstAdministratorWords) -> Markup {
        let at = self.problem.and_then(FirstAdministratorProblem::field);
        let invalid = |field| (at == Some(field)).then_some("true");
        let described = |field| (at == Some(field)).then_some("problem");
        let both = matches!(at, Some(Field::Password | Field::Again));
        let password_described = if both { "problem hint" } else { "hint" };
        html! {
            div.field {
                label for="username" { (words.username) }
                input type="text" id="username" name="username" value=(self.username) autocomplete="username"
                    autocapitalize="none" autocorrect="off" spellcheck="false" required
                    autofocus[at.is_none() || at == Some(Field::Username)]
                    aria-invalid=[invalid(Field::Username)] aria-describedby=[described(Field::Username)];
            }
            div.field {
                label for="password" { (words.password) }
                p.hint id="hint" { ((own.hint)(self.password_min)) }
                input type="password" id="password" name="password" autocomplete="new-password" required
                    autofocus[both]
                    aria-invalid=[invalid(Field::Password)] aria-describedby=(password_described);
            }
            div.field {
                label for="password_again" { (own.again) }
                input type="password" id="password_again" name="password_again" autocomplete="new-password" required
                    aria-invalid=[invalid(Field::Again)] aria-describedby=[described(Field::Again)];
            }
        }
    }
}

/// Says that the first administrator exists, and what to do next.
#[derive(Debug, Clone)]
pub(crate) struct AdministratorMadePage<'v> {
    /// The administrator's name.
    pub(crate) username: &'v str,
}

impl AdministratorMadePage<'_> {
    /// The page.
    pub(crate) fn page(&self, site: &Site, language: Language) -> Page {
        let words = Words::of(language);
        let own = &words.first_administrator;
        let policy = Policy::default();
        let layout = Layout { site, language, title: own.made_title, problem: false, wide: false, policy };
        layout.page(&html! {
            h1 { (own.made_title) }
            (layout::notice(own.made))
            p { (sentence(own.made_name, self.username)) }
            p { a.button.primary href=(site.path(super::SESSIONS_PATH)) { (words.sign_in) } }
        })
    }
}
