use claviger_oauth::{Application, LogOutRequest, Sid, Subject, UserId};
use claviger_store::{Client, Session};
use url::form_urlencoded;

use super::Hint;

/// What becomes of a request to sign out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// This session ends; then the person goes back.
    End(Sid, Option<ReturnTo>),
    /// The session that the hint names ends, if it is this person's: the browser has sent no cookie along, as with a post from
    /// another site.
    EndNamed(Sid, UserId, Option<ReturnTo>),
    /// The person is asked: a link from anywhere must not do it alone.
    Ask(Option<ReturnTo>),
    /// Nobody is signed in.
    Nothing(Option<ReturnTo>),
}

/// Why a request to sign out is answered with an error page. Nobody is signed out then, and nobody redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LogOutRefusal {
    /// The client that asks is not registered, or is disabled.
    #[error("unknown client")]
    UnknownClient,
    /// The URI is not one of the client's, or it is not known whose it should be.
    #[error("the post_logout_redirect_uri is not registered for this client")]
    ReturnTo,
}

/// Where a person goes after signing out: a URI that the client has registered, and the client's state.
///
/// There is no other way to one than [`prove`](Self::prove): an open redirect has no code to live in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnTo(String);

impl ReturnTo {
    /// Proves that the URI is one of the client's, byte for byte, and adds the state.
    ///
    /// [OpenID Connect RP-Initiated Logout 1.0 section 3](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RedirectionAfterLogout)
    fn prove(application: &Application, presented: &str, state: Option<&str>) -> Option<Self> {
        let registered = application.post_logout_redirect_uris.iter();
        let registered = registered.map(claviger_oauth::RedirectUri::as_str).find(|uri| *uri == presented)?;
        let Some(state) = state else {
            return Some(Self(registered.to_owned()));
        };
        let separator = if registered.contains('?') { '&' } else { '?' };
        let state = form_urlencoded::byte_serialize(state.as_bytes()).collect::<String>();
        Some(Self(format!("{registered}{separator}state={state}")))
    }

    /// The URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Decides. `client` is the one that asks, if it says which, by its hint or by its name; `session` that of the browser.
///
/// # Errors
/// [`LogOutRefusal`].
pub(crate) fn decide(
    request: &LogOutRequest,
    hint: Option<&Hint>,
    client: Option<&Client>,
    session: Option<&Session>,
) -> Result<Decision, LogOutRefusal> {
    let asks = hint.is_some() || request.client_id.is_some();
    let client = client.filter(|client| !client.disabled);
    if asks && client.is_none() {
        return Err(LogOutRefusal::UnknownClient);
    }
    let return_to = match &request.post_logout_redirect_uri {
        None => None,
        Some(presented) => {
            let application = client.and_then(|client| client.application.as_ref());
            let proven = application
                .and_then(|application| ReturnTo::prove(application, presented, request.state.as_deref()));
            Some(proven.ok_or(LogOutRefusal::ReturnTo)?)
        }
    };
    Ok(match (session, hint) {
        (Some(session), Some(hint)) if hint.subject == Subject::of_user(&session.account) => {
            Decision::End(session.sid.clone(), return_to)
        }
        (Some(_), _) => Decision::Ask(return_to),
        (None, Some(Hint { subject, sid: Some(sid), .. })) => match subject.user_id() {
            Some(account) => Decision::EndNamed(sid.clone(), account, return_to),
            None => Decision::Nothing(return_to),
        },
        (None, _) => Decision::Nothing(return_to),
    })
}

#[cfg(test)]
mod tests {
    use claviger_jose::NumericDate;
    use claviger_oauth::AuthenticationMethod;

    use super::*;

    const BYE: &str = "https://shop.test/bye";

    fn client(disabled: bool) -> Client {
        let uris = [BYE, "https://shop.test/bye?a=b"].map(|uri| uri.parse().unwrap());
        Client {
            client_id: "shop".parse().unwrap(),
            team: "shop".parse().unwrap(),
            method: AuthenticationMethod::None,
            disabled,
            grants: Vec::new(),
            secrets: Vec::new(),
            grant_types: Vec::new(),
            keys: claviger_oauth::ClientKeys::None,
            application: Some(Application {
                post_logout_redirect_uris: uris.into(),
                ..Application::default()
            }),
        }
    }

    fn session(account: &str, sid: &str) -> Session {
        let at = NumericDate::from_secs(1000);
        Session {
            sid: sid.parse().unwrap(),
            account: account.parse().unwrap(),
            auth_time: at,
            amr: Vec::new(),
            acr: None,
            created_at: at,
            seen_at: at,
            expires_at: at,
            user_agent: String::new(),
            address: String::new(),
        }
    }

    fn hint(account: &str, sid: Option<&str>) -> Hint {
        Hint {
            client_id: "shop".parse().unwrap(),
            subject: Subject::of_user(&account.parse().unwrap()),
            sid: sid.map(|sid| sid.parse().unwrap()),
        }
    }

    fn request(uri: Option<&str>, state: Option<&str>) -> LogOutRequest {
        LogOutRequest {
            id_token_hint: None,
            client_id: Some("shop".parse().unwrap()),
            post_logout_redirect_uri: uri.map(str::to_owned),
            state: state.map(str::to_owned),
            ui_locales: Vec::new(),
        }
    }

    fn decided(hint: Option<&Hint>, session: Option<&Session>) -> Decision {
        decide(&request(None, None), hint, Some(&client(false)), session).unwrap()
    }

    // S-97
    #[test]
    fn without_a_hint_of_the_person_who_is_signed_in_the_person_is_asked() {
        let ada = session("ada", "s1");
        let (sid, account) = (ada.sid.clone(), ada.account.clone());
        assert_eq!(decided(None, Some(&ada)), Decision::Ask(None));
        assert_eq!(decided(Some(&hint("bob", Some("s1"))), Some(&ada)), Decision::Ask(None));
        assert_eq!(decided(Some(&hint("ada", Some("s1"))), Some(&ada)), Decision::End(sid.clone(), None));
        let older = hint("ada", Some("s0"));
        assert_eq!(
            decided(Some(&older), Some(&ada)),
            Decision::End(sid.clone(), None),
            "of an older session"
        );
        assert_eq!(decided(Some(&hint("ada", None)), Some(&ada)), Decision::End(sid.clone(), None));
        assert_eq!(decided(Some(&hint("ada", Some("s1"))), None), Decision::EndNamed(sid, account, None));
        assert_eq!(decided(Some(&hint("ada", None)), None), Decision::Nothing(None));
        assert_eq!(decided(None, None), Decision::Nothing(None));
    }

    // S-97
    #[test]
    fn a_person_goes_back_only_to_a_registered_uri_byte_for_byte() {
        let shop = client(false);
        let back = |uri, state| match decide(&request(Some(uri), state), None, Some(&shop), None) {
            Ok(Decision::Nothing(Some(return_to))) => Ok(return_to.0),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal),
        };
        assert_eq!(back(BYE, None).as_deref(), Ok(BYE));
        assert_eq!(back(BYE, Some("a&b=ü")).as_deref(), Ok("https://shop.test/bye?state=a%26b%3D%C3%BC"));
        assert_eq!(
            back("https://shop.test/bye?a=b", Some("x")).as_deref(),
            Ok("https://shop.test/bye?a=b&state=x")
        );
        for foreign in [
            "https://evil.test/",
            "https://shop.test/bye/",
            "https://shop.test/BYE",
            "https://shop.test/bye?",
            "https://shop.test/bye#",
            "https://shop.test/bye?b=a",
            "https://shop.test@evil.test/bye",
            "//shop.test/bye",
            "javascript:alert(1)",
        ] {
            assert_eq!(back(foreign, None), Err(LogOutRefusal::ReturnTo), "{foreign}");
        }
    }

    // S-97
    #[test]
    fn nobody_is_signed_out_or_redirected_for_a_client_that_is_not_there() {
        let ada = session("ada", "s1");
        let known = hint("ada", Some("s1"));
        let ask = |request: &LogOutRequest, client: Option<&Client>| {
            decide(request, Some(&known), client, Some(&ada))
        };
        assert_eq!(ask(&request(None, None), None), Err(LogOutRefusal::UnknownClient));
        assert_eq!(ask(&request(None, None), Some(&client(true))), Err(LogOutRefusal::UnknownClient));
        let mut nameless = request(Some(BYE), None);
        nameless.client_id = None;
        assert_eq!(decide(&nameless, None, None, Some(&ada)), Err(LogOutRefusal::ReturnTo));
        let mut no_application = client(false);
        no_application.application = None;
        assert_eq!(ask(&request(Some(BYE), None), Some(&no_application)), Err(LogOutRefusal::ReturnTo));
    }
}
