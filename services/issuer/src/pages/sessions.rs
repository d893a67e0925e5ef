use claviger_jose::NumericDate;
use claviger_oauth::LOGOUT_PATH;
use maud::{Markup, html};

use super::{
    Language, Page, Permissions, Site,
    device::Device,
    layout::{self, Layout, hidden, sentence},
    page::Policy,
    words::{SessionWords, Words},
};

/// Where a person's sessions are listed, and where those that are to end are posted to.
pub(crate) const SESSIONS_PATH: &str = "/sessions";

/// Lists a person's sessions, each of which can be ended, and what they have allowed applications, which can be taken back.
///
/// The forms post `csrf_token` and one of `sid`, the session to end, `decision` with the value `others`, and `client`, the
/// application that is allowed nothing any more.
#[derive(Debug, Clone)]
pub(crate) struct SessionsPage<'v> {
    /// Whose sessions they are.
    pub(crate) username: &'v str,
    /// Those that have not ended, this one first.
    pub(crate) sessions: Vec<SessionRow<'v>>,
    /// What they have allowed applications.
    pub(crate) allowed: Vec<AllowedRow<'v>>,
    /// What was just done.
    pub(crate) done: Option<SessionsDone>,
    /// Shows that the forms are this page's.
    pub(crate) csrf_token: &'v str,
    /// When it is.
    pub(crate) now: NumericDate,
}

/// One session.
#[derive(Debug, Clone)]
pub(crate) struct SessionRow<'v> {
    /// Its identifier.
    pub(crate) sid: &'v str,
    /// What the browser said of itself at log-in.
    pub(crate) user_agent: Option<&'v str>,
    /// The address that the log-in came from.
    pub(crate) address: Option<&'v str>,
    /// When the person signed in.
    pub(crate) signed_in: NumericDate,
    /// When it was last used.
    pub(crate) seen: NumericDate,
    /// The names of the applications that were signed in to in it.
    pub(crate) clients: Vec<&'v str>,
    /// Whether it is the one in which the page is looked at.
    pub(crate) current: bool,
}

/// What somebody has allowed an application.
#[derive(Debug, Clone)]
pub(crate) struct AllowedRow<'v> {
    /// Its identifier.
    pub(crate) client_id: &'v str,
    /// Its name.
    pub(crate) name: &'v str,
    /// What it may.
    pub(crate) may: Permissions<'v>,
    /// When the last of it was allowed.
    pub(crate) since: NumericDate,
}

/// What was just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionsDone {
    /// One was ended.
    Ended,
    /// All but this one were ended.
    OthersEnded,
    /// An application is allowed nothing any more.
    TakenBack,
}

impl SessionsPage<'_> {
    /// The page.
    pub(crate) fn page(&self, site: &Site, language: Language) -> Page {
        let words = Words::of(language);
        let policy = Policy::default();
        let layout =
            Layout { site, language, title: words.sessions.title, problem: false, wide: true, policy };
        layout.page(&self.main(site, words))
    }

    fn main(&self, site: &Site, words: &Words) -> Markup {
        let own = &words.sessions;
        let others = self.sessions.iter().filter(|session| !session.current).count();
        html! {
            h1 { (own.title) }
            p { (sentence(words.signed_in_as, self.username)) " " (own.advice) }
            @match self.done {
                None => {},
                Some(SessionsDone::Ended) => (layout::notice(own.ended)),
                Some(SessionsDone::OthersEnded) => (layout::notice(own.others_ended)),
                Some(SessionsDone::TakenBack) => (layout::notice(own.taken_back)),
            }
            ul.sessions role="list" {
                @for session in &self.sessions { (self.row(session, site, words)) }
            }
            @if others == 0 { p.fine { (own.alone) } }
            @if others > 1 {
                form method="post" action=(site.path(SESSIONS_PATH)) {
                    (hidden("csrf_token", self.csrf_token))
                    div.actions { button type="submit" name="decision" value="others" { (own.end_others) } }
                }
            }
            @if !self.allowed.is_empty() {
                h2.section id="allowed" { (own.allowed) }
                ul.allowed role="list" aria-labelledby="allowed" {
                    @for (place, allowed) in self.allowed.iter().enumerate() {
                        (self.allowed_row(place, allowed, site, words))
                    }
                }
            }
        }
    }

    fn allowed_row(&self, place: usize, allowed: &AllowedRow<'_>, site: &Site, words: &Words) -> Markup {
        let own = &words.sessions;
        let id = format!("allowed-{place}");
        html! {
            li {
                h3 id=(id) { bdi { (allowed.name) } }
                p { (own.allowed_since.before) (self.time(allowed.since, words)) (own.allowed_since.after) }
                (allowed.may.list(&id, &words.consent))
                form.end method="post" action=(site.path(SESSIONS_PATH)) {
                    (hidden("csrf_token", self.csrf_token))
                    button type="submit" name="client" value=(allowed.client_id)
                        aria-label={ (own.take_back) ": " (allowed.name) } { (own.take_back) }
                }
            }
        }
    }

    fn row(&self, session: &SessionRow<'_>, site: &Site, words: &Words) -> Markup {
        let own = &words.sessions;
        let device = device(session, own);
        html! {
            li.current[session.current] {
                h2 { (device) @if session.current { " " span.badge { (own.current) } } }
                p { (own.used.before) (self.time(session.seen, words)) (own.used.after) }
                p {
                    (own.signed_in.before) (self.time(session.signed_in, words)) (own.signed_in.after)
                    @if let Some(address) = session.address { " · " span.address { (address) } }
                }
                @if !session.clients.is_empty() {
                    p { (own.clients) " " @for (place, client) in session.clients.iter().enumerate() {
                        @if place > 0 { ", " }
                        bdi { (client) }
                    } }
                }
                @if session.current {
                    p.end { a.button href=(site.path(LOGOUT_PATH)) { (words.sign_out) } }
                } @else {
                    form.end method="post" action=(site.path(SESSIONS_PATH)) {
                        (hidden("csrf_token", self.csrf_token))
                        button type="submit" name="sid" value=(session.sid)
                            aria-label={ (own.end) ": " (device) @if let Some(address) = session.address { ", " (address) } }
                            { (own.end) }
                    }
                }
            }
        }
    }

    /// How long ago, for people; the moment itself for machines and under the pointer.
    fn time(&self, at: NumericDate, words: &Words) -> Markup {
        let exact = super::words::utc(at);
        html! {
            time datetime=(exact.replace(' ', "T").replace("TUTC", "Z")) title=(exact) {
                ((words.ago)(self.now.since(at)))
            }
        }
    }
}

fn device(session: &SessionRow<'_>, words: &SessionWords) -> String {
    let device = session.user_agent.map(Device::of).filter(|device| !device.is_unknown());
    device.map_or_else(|| words.unknown_device.to_owned(), |device| device.to_string())
}
