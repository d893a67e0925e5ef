//! Pages to be looked at and tested with: each of them once, in the states that people meet.

use std::time::Duration;

use claviger_jose::NumericDate;

use super::{
    AdministratorMadePage, AllowedRow, Brand, ConsentPage, ErrorCase, ErrorPage, FirstAdministratorPage,
    FirstAdministratorProblem, FormPostPage, Language, LogInPage, LogInProblem, LogOutPage, Logo, Page,
    Permissions, SessionRow, SessionsDone, SessionsPage, SignedOutPage, Site,
};

const NOW: NumericDate = NumericDate::from_secs(1_795_000_000);
const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#5b3fd6"/><path d="M9 22L16 9l7 13M12 17.500h8" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round"/></svg>"##;

/// The house's own brand, with a logo, so that there is one of each asset.
pub(super) fn site() -> Site {
    let brand = Brand { logo: Some(Logo::new(LOGO.into()).unwrap()), ..Brand::default() };
    Site::new(&"https://id.example.com".parse().unwrap(), &brand)
}

/// A brand as others have it.
pub(super) fn acme() -> Site {
    let logo = Some(Logo::new(LOGO.into()).unwrap());
    let brand = Brand { name: "Acme".parse().unwrap(), colour: "#5b3fd6".parse().unwrap(), logo };
    Site::new(&"https://login.acme.example".parse().unwrap(), &brand)
}

/// All that others can put onto a page, as one text for each place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'g> {
    pub(super) client: &'g str,
    pub(super) username: &'g str,
    pub(super) secret: &'g str,
    pub(super) scope: &'g str,
    pub(super) service: &'g str,
    pub(super) user_agent: &'g str,
    pub(super) address: &'g str,
    pub(super) uri: &'g str,
    pub(super) parameter: &'g str,
}

impl<'g> Given<'g> {
    pub(super) const ORDINARY: Given<'static> = Given {
        client: "Orders",
        username: "minji.kim",
        secret: "c2VjcmV0",
        scope: "orders:read",
        service: "orders.example.com",
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        address: "2001:db8::7",
        uri: "https://app.example.com/callback",
        parameter: "code",
    };

    /// The same text everywhere.
    pub(super) fn all(text: &'g str) -> Self {
        Self {
            client: text,
            username: text,
            secret: text,
            scope: text,
            service: text,
            user_agent: text,
            address: text,
            uri: text,
            parameter: text,
        }
    }
}

/// Every page in every state, by name.
pub(super) fn pages(given: Given<'_>, site: &Site, language: Language) -> Vec<(String, Page)> {
    let mut pages: Vec<(String, Page)> = Vec::new();
    let mut add = |name: &str, page| pages.push((name.to_owned(), page));
    let log_in = LogInPage {
        client: Some(given.client),
        username: "",
        again: false,
        problem: None,
        csrf_token: given.secret,
        interaction: given.secret,
        returns_to: Some(given.uri),
    };
    add("log-in", log_in.page(site, language));
    let problems = [
        ("wrong", LogInProblem::Wrong),
        ("too-many", LogInProblem::TooMany { retry_after: Duration::from_secs(130) }),
        ("stopped", LogInProblem::Stopped),
        ("busy", LogInProblem::Busy),
        ("unavailable", LogInProblem::Unavailable),
        ("stale", LogInProblem::Stale),
    ];
    let log_in = LogInPage { username: given.username, ..log_in };
    for (name, problem) in problems {
        let page = LogInPage { problem: Some(problem), ..log_in.clone() };
        add(&format!("log-in-{name}"), page.page(site, language));
    }
    add("log-in-again", LogInPage { again: true, ..log_in.clone() }.page(site, language));
    add("log-in-own", LogInPage { client: None, returns_to: None, ..log_in }.page(site, language));
    add("consent", consent(given).page(site, language));
    let log_out = LogOutPage {
        username: given.username,
        clients: vec![given.client, "Ledger"],
        csrf_token: given.secret,
        interaction: given.secret,
        returns_to: Some(given.uri),
    };
    add("log-out", log_out.page(site, language));
    add("signed-out", SignedOutPage::default().page(site, language));
    add("signed-out-client", SignedOutPage { client: Some((given.client, given.uri)) }.page(site, language));
    let sessions = sessions(given);
    add("sessions", sessions.page(site, language));
    for (name, done) in [("ended", SessionsDone::Ended), ("others-ended", SessionsDone::OthersEnded)] {
        let left = if done == SessionsDone::Ended { 2 } else { 1 };
        let left = sessions.sessions[..left].to_vec();
        let page = SessionsPage { sessions: left, done: Some(done), ..sessions.clone() };
        add(&format!("sessions-{name}"), page.page(site, language));
    }
    let page = SessionsPage { done: Some(SessionsDone::TakenBack), allowed: Vec::new(), ..sessions };
    add("sessions-taken-back", page.page(site, language));
    administrator(given, |name, page| add(name, page), site, language);
    let form_post = FormPostPage {
        client: given.client,
        action: given.uri,
        fields: vec![(given.parameter, given.secret), ("iss", "https://id.example.com")],
    };
    add("form-post", form_post.page(site, language));
    for case in ErrorCase::ALL {
        let page = ErrorPage { case, reference: Some(given.secret) };
        add(
            &format!("error-{}", format!("{case:?}").split(' ').next().unwrap().to_lowercase()),
            page.page(site, language),
        );
    }
    pages
}

fn consent(given: Given<'_>) -> ConsentPage<'_> {
    ConsentPage {
        client: given.client,
        username: given.username,
        wants: permissions(given),
        csrf_token: given.secret,
        interaction: given.secret,
        returns_to: given.uri,
    }
}

fn permissions(given: Given<'_>) -> Permissions<'_> {
    Permissions {
        identity: vec!["openid", "profile", "email", "roles", "groups", "offline_access", given.scope],
        services: vec![
            (given.service, vec![given.scope, "orders:write"]),
            ("ledger.example.com", Vec::new()),
        ],
    }
}

fn sessions(given: Given<'_>) -> SessionsPage<'_> {
    let row = |sid, ago: u64, current| SessionRow {
        sid,
        user_agent: Some(given.user_agent),
        address: Some(given.address),
        signed_in: NumericDate::from_secs(NOW.as_secs() - ago - 90_000),
        seen: NumericDate::from_secs(NOW.as_secs() - ago),
        clients: vec![given.client, "Ledger"],
        current,
    };
    let phone =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1";
    SessionsPage {
        username: given.username,
        sessions: vec![
            row("s1", 20, true),
            SessionRow {
                user_agent: Some(phone),
                address: Some("192.0.2.61"),
                ..row(given.secret, 7_300, false)
            },
            SessionRow { user_agent: None, address: None, clients: Vec::new(), ..row("s3", 400_000, false) },
        ],
        allowed: vec![
            AllowedRow {
                client_id: given.secret,
                name: given.client,
                may: permissions(given),
                since: NumericDate::from_secs(NOW.as_secs() - 700_000),
            },
            AllowedRow {
                client_id: "ledger",
                name: "Ledger",
                may: Permissions { identity: vec!["openid"], services: Vec::new() },
                since: NumericDate::from_secs(NOW.as_secs() - 100),
            },
        ],
        done: None,
        csrf_token: given.secret,
        now: NOW,
    }
}

fn administrator(given: Given<'_>, mut add: impl FnMut(&str, Page), site: &Site, language: Language) {
    let page = FirstAdministratorPage {
        username: "",
        password_min: 15,
        problem: None,
        csrf_token: given.secret,
        link: given.secret,
    };
    add("first-administrator", page.page(site, language));
    for problem in [
        FirstAdministratorProblem::Username,
        FirstAdministratorProblem::UsernameTaken,
        FirstAdministratorProblem::PasswordTooShort,
        FirstAdministratorProblem::PasswordTooLong,
        FirstAdministratorProblem::PasswordCommon,
        FirstAdministratorProblem::PasswordCharacters,
        FirstAdministratorProblem::Different,
        FirstAdministratorProblem::Unavailable,
    ] {
        let page =
            FirstAdministratorPage { username: given.username, problem: Some(problem), ..page.clone() };
        add(&format!("first-administrator-{problem:?}").to_lowercase(), page.page(site, language));
    }
    add("administrator-made", AdministratorMadePage { username: given.username }.page(site, language));
}
