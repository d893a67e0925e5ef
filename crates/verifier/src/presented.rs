//! Where in a request an access token may stand.

use claviger_oauth::{PresentedToken, TokenScheme};
use http::{HeaderValue, header, request::Parts};

use crate::Refusal;

/// The places that a verifier looks at. A token in a query or a body is never looked at.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// A cookie is looked at only if the service asked for it.
    #[cfg(feature = "cookies")]
    pub(crate) cookies: Option<crate::Cookies>,
}

/// The one token of a request, not yet looked at.
#[derive(Clone, Copy)]
pub(crate) struct Found<'r> {
    scheme: TokenScheme,
    token: &'r str,
}

impl<'r> Found<'r> {
    pub(crate) fn scheme(self) -> TokenScheme {
        self.scheme
    }

    pub(crate) fn as_str(self) -> &'r str {
        self.token
    }
}

impl Places {
    /// Finds the one token; two are refused wherever they stand: somebody else may have read the other.
    #[cfg_attr(not(feature = "cookies"), expect(clippy::unused_self, reason = "there is one place only"))]
    pub(crate) fn find<'r>(&self, request: &'r Parts) -> Result<Found<'r>, Refusal> {
        #[cfg(feature = "cookies")]
        if let Some(cookies) = &self.cookies
            && let Some(token) = cookies.token(request)?
        {
            if request.headers.contains_key(header::AUTHORIZATION) {
                return Err(Refusal::RepeatedToken);
            }
            cookies.check_same_site(request)?;
            return Ok(Found { scheme: TokenScheme::Bearer, token });
        }
        let values = request.headers.get_all(header::AUTHORIZATION).into_iter();
        let token = PresentedToken::parse(values.map(HeaderValue::as_bytes))?;
        Ok(Found { scheme: token.scheme(), token: token.as_str() })
    }
}
