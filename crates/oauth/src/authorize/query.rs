use std::fmt;

use crate::{
    AuthorizeError, ClientId, RequestUri, TargetError,
    form::{Form, FormError},
};

/// The parameters of an authorization request; nothing is proven yet.
///
/// A fault of the parameters as a whole is kept and told by
/// [`AuthorizationRequest::parse`](crate::AuthorizationRequest::parse), when it is known where it may be
/// told. The three parameters that decide where are read at once: each is given once or it is nobody's.
///
/// [RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)
pub struct AuthorizeQuery {
    pub(crate) form: Form,
    client_id: ClientId,
    redirect_uri: Option<String>,
    request_uri: Option<String>,
    state: Option<String>,
}

impl AuthorizeQuery {
    /// Reads a query string, or the body of a form.
    ///
    /// # Errors
    /// [`TargetError`] if `client_id` is missing, repeated or malformed, or one of `redirect_uri` and
    /// `request_uri` is repeated. To be answered by a page.
    pub fn parse(query: &[u8]) -> Result<Self, TargetError> {
        let mut form = Form::parse_faulty(query, "resource");
        let twice = |FormError(_)| TargetError::Repeated;
        let client_id = form.take_only("client_id").map_err(twice)?.ok_or(TargetError::NoClient)?;
        let redirect_uri = form.take_only("redirect_uri").map_err(twice)?;
        let request_uri = form.take_only("request_uri").map_err(twice)?;
        let state = form.take_only("state").unwrap_or_default();
        let client_id = client_id.parse().map_err(|_| TargetError::UnknownClient)?;
        Ok(Self { form, client_id, redirect_uri, request_uri, state })
    }

    /// The client that is claimed to ask.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// Where the answer is asked to go.
    #[must_use]
    pub fn redirect_uri(&self) -> Option<&str> {
        self.redirect_uri.as_deref()
    }

    /// What the client is to find again in the answer.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The languages of the person, the best first, as far as they can be read: a page that tells of a fault is for them too.
    pub fn ui_locales(&self) -> impl Iterator<Item = &str> {
        self.form.peek("ui_locales").into_iter().flat_map(|names| names.split(' '))
    }

    /// The pushed request that this one stands for ([RFC 9126 section 4](https://www.rfc-editor.org/rfc/rfc9126#section-4)):
    /// everything but the client id is taken from there.
    ///
    /// # Errors
    /// `invalid_request_uri` if it is none that this server can have given out.
    pub fn request_uri(&self) -> Result<Option<RequestUri>, AuthorizeError> {
        let parsed = self.request_uri.as_deref().map(str::parse).transpose();
        parsed.map_err(|_| AuthorizeError::InvalidRequestUri)
    }

    /// Whether it names a request that is to be found elsewhere.
    pub(crate) fn is_reference(&self) -> bool {
        self.request_uri.is_some()
    }

    pub(crate) fn into_parts(self) -> (Form, ClientId, Option<String>) {
        (self.form, self.client_id, self.state)
    }
}

impl fmt::Debug for AuthorizeQuery {
    /// A query has hints of who signs in, and whatever else a client puts into it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeQuery").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<AuthorizeQuery, TargetError> {
        AuthorizeQuery::parse(query.as_bytes())
    }

    // S-64
    #[test]
    fn without_one_client_there_is_nobody_to_answer() {
        assert_eq!(parse("").unwrap_err(), TargetError::NoClient);
        assert_eq!(parse("client_id=").unwrap_err(), TargetError::NoClient);
        assert_eq!(parse("client_id=user%3Aalice").unwrap_err(), TargetError::UnknownClient);
        assert_eq!(parse("client_id=a&client_id=a").unwrap_err(), TargetError::Repeated);
        assert_eq!(parse("client_id=a&client_id=").unwrap_err(), TargetError::Repeated);
        for name in ["redirect_uri", "request_uri"] {
            let query = format!("client_id=a&{name}=x&{name}=y");
            assert_eq!(parse(&query).unwrap_err(), TargetError::Repeated);
        }
    }

    // S-68
    #[test]
    fn a_fault_elsewhere_is_kept_until_it_can_be_told() {
        for fault in ["&scope=a&scope=b", "&x=%zz", "&x=%00", "&state=a&state=b"] {
            let query = parse(&format!("client_id=a&redirect_uri=https://app.example/cb{fault}")).unwrap();
            assert!(query.form.fault().is_some(), "{fault}");
            assert_eq!(query.redirect_uri(), Some("https://app.example/cb"));
            assert_eq!(query.state(), None);
        }
        assert!(parse(&format!("client_id=a&x={}", "a".repeat(8193))).unwrap().form.fault().is_some());
    }

    // S-67
    #[test]
    fn a_request_uri_is_one_of_ours() {
        let given = RequestUri::from_random([7; 32]);
        let encoded: String = url::form_urlencoded::byte_serialize(given.expose().as_bytes()).collect();
        let query = parse(&format!("client_id=a&request_uri={encoded}")).unwrap();
        assert_eq!(query.request_uri().unwrap().unwrap().hash(), given.hash());
        for other in ["https://evil.example/request.jwt", "urn:ietf:params:oauth:request_uri:short"] {
            let query = parse(&format!("client_id=a&request_uri={other}")).unwrap();
            assert_eq!(query.request_uri().unwrap_err(), AuthorizeError::InvalidRequestUri);
        }
        assert!(parse("client_id=a").unwrap().request_uri().unwrap().is_none());
    }
}
