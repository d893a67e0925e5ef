//! A client asks to sign a person out
//! ([OpenID Connect RP-Initiated Logout 1.0](https://openid.net/specs/openid-connect-rpinitiated-1_0.html)).

use std::fmt;

use secrecy::SecretString;
use url::form_urlencoded;

use crate::{
    ClientId, GrammarError,
    form::{Form, FormError},
};

/// A request to the log-out endpoint, read and not believed yet: anybody can send one.
///
/// `logout_hint` is read and not used: the browser knows who is signed in.
///
/// [OpenID Connect RP-Initiated Logout 1.0 section 2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)
pub struct LogOutRequest {
    /// An ID token that the client has got for this person, perhaps long ago.
    pub id_token_hint: Option<SecretString>,
    /// Which client asks, by its own words.
    pub client_id: Option<ClientId>,
    /// Where it wants the person back.
    pub post_logout_redirect_uri: Option<String>,
    /// What it wants back with the person.
    pub state: Option<String>,
    /// The languages that the person reads, the preferred first.
    pub ui_locales: Vec<String>,
}

impl LogOutRequest {
    /// Reads the query of a GET, or the form of a POST. A parameter is given once; what is malformed is an error, and never
    /// treated as left out.
    ///
    /// # Errors
    /// [`GrammarError`] for the error page: a request that cannot be read is never answered by a redirect.
    pub fn parse(parameters: &[u8]) -> Result<Self, GrammarError> {
        let mut form = Form::parse(parameters, "").map_err(|FormError(reason)| GrammarError(reason))?;
        let ui_locales = form.take("ui_locales").unwrap_or_default();
        Ok(Self {
            id_token_hint: form.take("id_token_hint").map(Into::into),
            client_id: form.take("client_id").map(|id| id.parse()).transpose()?,
            post_logout_redirect_uri: form.take("post_logout_redirect_uri"),
            state: form.take("state"),
            ui_locales: ui_locales.split(' ').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        })
    }

    /// The same request as a form, for the page that asks the person to carry back. Without the hint, which was of no use if
    /// the person has to be asked.
    #[must_use]
    pub fn to_form(&self) -> String {
        let locales = self.ui_locales.join(" ");
        let members = [
            ("client_id", self.client_id.as_ref().map(ClientId::as_str)),
            ("post_logout_redirect_uri", self.post_logout_redirect_uri.as_deref()),
            ("state", self.state.as_deref()),
            ("ui_locales", Some(locales.as_str()).filter(|locales| !locales.is_empty())),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish()
    }
}

impl fmt::Debug for LogOutRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOutRequest").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn parse(parameters: &str) -> Result<LogOutRequest, GrammarError> {
        LogOutRequest::parse(parameters.as_bytes())
    }

    // S-97
    #[test]
    fn a_request_is_read_strictly() {
        let request =
            parse("id_token_hint=a.b.c&client_id=shop&state=x%26y&ui_locales=ko+en&more=1").unwrap();
        assert_eq!(request.id_token_hint.unwrap().expose_secret(), "a.b.c");
        assert_eq!(request.client_id.unwrap().as_str(), "shop");
        assert_eq!(request.state.as_deref(), Some("x&y"));
        assert_eq!(request.ui_locales, ["ko", "en"]);
        assert!(parse("").unwrap().post_logout_redirect_uri.is_none());
        for bad in [
            "client_id=a&client_id=a",
            "client_id=-",
            "state=%zz",
            "post_logout_redirect_uri=a&post_logout_redirect_uri=b",
            &format!("state={}", "a".repeat(8193)),
        ] {
            assert!(parse(bad).is_err(), "{}", &bad[..20.min(bad.len())]);
        }
    }

    // S-97
    #[test]
    fn what_the_page_carries_back_is_the_same_request_without_its_hint() {
        let asked = "client_id=shop&post_logout_redirect_uri=https%3A%2F%2Fshop.test%2Fbye%3Fa%3Db&state=%26%3D+%C3%A9";
        let request = parse(&format!("{asked}&id_token_hint=a.b.c&ui_locales=ko")).unwrap();
        let again = parse(&request.to_form()).unwrap();
        assert!(again.id_token_hint.is_none());
        assert_eq!(again.client_id, request.client_id);
        assert_eq!(again.post_logout_redirect_uri.as_deref(), Some("https://shop.test/bye?a=b"));
        assert_eq!(again.state.as_deref(), Some("&= é"));
        assert_eq!(again.ui_locales, ["ko"]);
    }

    // S-103
    #[test]
    fn a_request_does_not_print_its_hint() {
        let request = parse("id_token_hint=canary&state=canary&client_id=shop").unwrap();
        assert_eq!(format!("{request:?}"), "LogOutRequest { client_id: Some(ClientId(\"shop\")), .. }");
    }
}
