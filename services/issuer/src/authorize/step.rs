use claviger_jose::NumericDate;
use claviger_oauth::{Allowed, AuthorizationRequest, AuthorizeError, ClaimsRequest, Prompt, Sid, Subject};
use claviger_store::Session;

/// What comes next on the way to a code.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Somebody must sign in.
    LogIn,
    /// Whoever has signed in must say whether the client may.
    Consent,
    /// Nothing is missing.
    Approve,
    /// The client does not want anybody to be asked, or asks for what cannot be had.
    Refuse(AuthorizeError),
}

/// What the next step depends on.
#[derive(Debug)]
pub(super) struct Situation<'s> {
    /// What the client asks for.
    pub(super) request: &'s AuthorizationRequest,
    /// What it gets of that.
    pub(super) asked: &'s Allowed,
    /// Whether people need not be asked for its sake.
    pub(super) first_party: bool,
    /// Whether any program on the person's machine could pretend to be it: it has no secret, and its answer does not go
    /// to a place that somebody owns.
    pub(super) impersonable: bool,
    /// Who has signed in with this browser.
    pub(super) session: Option<&'s Session>,
    /// The session in which somebody has signed in for this very request.
    pub(super) signed_in: Option<&'s Sid>,
    /// What that person has allowed the client before.
    pub(super) allowed: Option<&'s Allowed>,
    /// The time.
    pub(super) now: NumericDate,
}

impl Situation<'_> {
    /// The next step (OpenID Connect Core 1.0 section 3.1.2.3 and 3.1.2.4).
    pub(super) fn next(&self) -> Step {
        let silent = self.asks_for(Prompt::None);
        let Some(session) = self.session else {
            return if silent { Step::Refuse(AuthorizeError::LoginRequired) } else { Step::LogIn };
        };
        let just_now = self.signed_in == Some(&session.sid);
        if self.is_another_person(session) && (silent || just_now) {
            return Step::Refuse(AuthorizeError::LoginRequired);
        }
        if !just_now && self.needs_log_in(session) {
            return if silent { Step::Refuse(AuthorizeError::LoginRequired) } else { Step::LogIn };
        }
        if self.is_too_weak(session) {
            return Step::Refuse(AuthorizeError::UnmetAuthenticationRequirements);
        }
        if !self.needs_consent(just_now) {
            Step::Approve
        } else if silent {
            Step::Refuse(AuthorizeError::ConsentRequired)
        } else {
            Step::Consent
        }
    }

    fn asks_for(&self, prompt: Prompt) -> bool {
        self.request.prompt.contains(prompt)
    }

    /// The client cannot do with a log-in of this kind, and there is none of another.
    fn is_too_weak(&self, session: &Session) -> bool {
        let demanded = self.request.claims.as_ref().and_then(ClaimsRequest::demanded_acr);
        demanded.is_some_and(|values| !session.acr.as_ref().is_some_and(|acr| values.contains(acr)))
    }

    /// The client asks for a certain person, and this is somebody else.
    fn is_another_person(&self, session: &Session) -> bool {
        !self.request.may_be_about(&Subject::of_user(&session.account))
    }

    fn needs_log_in(&self, session: &Session) -> bool {
        let too_old = |max_age| self.now.since(session.auth_time) > max_age;
        // With a whole second as its unit, an age of 0 could be met by a log-in of just before.
        let max_age = self.request.max_age;
        self.asks_for(Prompt::Login)
            || self.asks_for(Prompt::SelectAccount)
            || max_age.is_some_and(|max_age| max_age.is_zero() || too_old(max_age))
            || self.is_another_person(session)
    }

    fn needs_consent(&self, just_now: bool) -> bool {
        if self.asks_for(Prompt::Consent) {
            return true;
        }
        if self.first_party {
            // Whoever has just typed in his password knows that something is going on.
            return self.impersonable && !just_now;
        }
        self.impersonable || !self.allowed.is_some_and(|allowed| allowed.covers(self.asked))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use claviger_oauth::{Application, AuthorizeQuery, RedirectTarget, UserId};

    use super::*;

    const NOW: NumericDate = NumericDate::from_secs(1_000_000);
    const A: &str = "https://a.test";
    const B: &str = "https://b.test";

    /// Who the client is, and what has happened before.
    #[derive(Clone, Copy, Default)]
    struct Given {
        first_party: bool,
        impersonable: bool,
        /// How many seconds ago somebody has signed in, and whether for this request.
        signed_in: Option<(u64, bool)>,
        /// Services at which it may read.
        allowed: Option<&'static [&'static str]>,
    }

    /// Signed in a minute ago for something else, and has allowed this.
    const USUAL: Given =
        Given { first_party: false, impersonable: false, signed_in: Some((60, false)), allowed: Some(&[A]) };

    fn request(more: &str) -> AuthorizationRequest {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let query = format!(
            "client_id=shop&redirect_uri=https://app.test/cb&response_type=code&code_challenge_method=S256\
             &code_challenge={challenge}&scope=openid&{more}"
        );
        let query = AuthorizeQuery::parse(query.as_bytes()).unwrap();
        let redirect_uris = vec!["https://app.test/cb".parse().unwrap()];
        let application = Application { redirect_uris, ..Application::default() };
        let target = RedirectTarget::prove(&"shop".parse().unwrap(), &application, &query).unwrap();
        AuthorizationRequest::parse(query, &target, |subject| subject.parse().ok()).unwrap()
    }

    fn session(auth_time: NumericDate) -> Session {
        Session {
            sid: "s1".parse().unwrap(),
            account: "alice".parse::<UserId>().unwrap(),
            auth_time,
            amr: vec!["pwd".to_owned()],
            acr: None,
            created_at: auth_time,
            seen_at: auth_time,
            expires_at: NOW + Duration::from_hours(1),
            user_agent: String::new(),
            address: String::new(),
        }
    }

    fn reads(services: &[&str]) -> Allowed {
        let read = std::collections::BTreeSet::from(["read".parse().unwrap()]);
        let services = services.iter().map(|service| (service.parse().unwrap(), read.clone()));
        Allowed { services: services.collect(), ..Allowed::default() }
    }

    #[track_caller]
    fn check(given: Given, more: &str, expected: &str) {
        let request = request(more);
        let session = given.signed_in.map(|(ago, _)| session(NumericDate::from_secs(NOW.as_secs() - ago)));
        let just_now = given.signed_in.is_some_and(|(_, just_now)| just_now);
        let asked = reads(&[A]);
        let allowed = given.allowed.map(reads);
        let situation = Situation {
            request: &request,
            asked: &asked,
            first_party: given.first_party,
            impersonable: given.impersonable,
            session: session.as_ref(),
            signed_in: session.as_ref().filter(|_| just_now).map(|session| &session.sid),
            allowed: allowed.as_ref(),
            now: NOW,
        };
        let step = match situation.next() {
            Step::LogIn => "log in",
            Step::Consent => "consent",
            Step::Approve => "approve",
            Step::Refuse(error) => error.code(),
        };
        assert_eq!(step, expected, "{more}");
    }

    #[test]
    fn somebody_signs_in_once_and_again_when_the_client_wants_to_be_sure() {
        let nobody = Given { signed_in: None, ..USUAL };
        let just_now = Given { signed_in: Some((0, true)), ..USUAL };
        check(nobody, "", "log in");
        check(nobody, "prompt=none", "login_required");
        check(USUAL, "", "approve");
        check(USUAL, "prompt=none", "approve");
        for more in ["prompt=login", "prompt=select_account", "max_age=0", "max_age=59"] {
            check(USUAL, more, "log in");
            check(just_now, more, "approve");
        }
        check(USUAL, "max_age=60", "approve");
        check(USUAL, "prompt=none&max_age=59", "login_required");
        let in_the_same_second = Given { signed_in: Some((0, false)), ..USUAL };
        check(in_the_same_second, "prompt=login", "log in");
        check(in_the_same_second, "max_age=0", "log in");
    }

    // S-70
    #[test]
    fn whoever_is_not_of_the_house_is_allowed_by_the_person_and_for_no_more() {
        let not_yet = Given { allowed: None, ..USUAL };
        check(not_yet, "", "consent");
        check(not_yet, "prompt=none", "consent_required");
        let elsewhere = Given { allowed: Some(&[B]), ..USUAL };
        check(elsewhere, "", "consent");
        check(elsewhere, "prompt=none", "consent_required");
        check(Given { allowed: Some(&[A, B]), ..USUAL }, "prompt=none", "approve");
        check(USUAL, "prompt=consent", "consent");
        let own = Given { first_party: true, ..not_yet };
        check(own, "", "approve");
        check(own, "prompt=none", "approve");
    }

    // S-70
    #[test]
    fn a_program_that_any_other_could_pretend_to_be_gets_nothing_silently() {
        let native = Given { impersonable: true, ..USUAL };
        check(native, "", "consent");
        check(native, "prompt=none", "consent_required");
        check(Given { signed_in: Some((0, true)), ..native }, "", "consent");
        let own = Given { first_party: true, ..native };
        check(own, "", "consent");
        check(own, "prompt=none", "consent_required");
        check(Given { signed_in: Some((0, true)), ..own }, "", "approve");
    }

    #[test]
    fn a_client_that_asks_for_somebody_gets_nobody_else() {
        let claims = |subject: &str| {
            format!("claims=%7B%22id_token%22:%7B%22sub%22:%7B%22value%22:%22{subject}%22%7D%7D%7D")
        };
        check(USUAL, &claims("user:alice"), "approve");
        check(USUAL, &claims("user:bob"), "log in");
        check(USUAL, &format!("{}&prompt=none", claims("user:bob")), "login_required");
        check(Given { signed_in: Some((0, true)), ..USUAL }, &claims("user:bob"), "login_required");
        check(USUAL, "id_token_hint=user:alice", "approve");
        check(USUAL, "id_token_hint=user:alice&prompt=none", "approve");
        check(USUAL, "id_token_hint=user:bob", "log in");
        check(USUAL, "id_token_hint=user:bob&prompt=none", "login_required");
        check(Given { signed_in: Some((0, true)), ..USUAL }, "id_token_hint=user:bob", "login_required");
    }

    #[test]
    fn a_client_that_cannot_do_with_a_password_is_told_so() {
        let claims = |essential: bool| {
            format!(
                "claims=%7B%22id_token%22:%7B%22acr%22:%7B%22essential%22:{essential},%22value%22:%22mfa%22%7D%7D%7D"
            )
        };
        check(USUAL, &claims(true), "unmet_authentication_requirements");
        check(USUAL, &claims(false), "approve");
        check(USUAL, "acr_values=mfa", "approve");
    }
}
