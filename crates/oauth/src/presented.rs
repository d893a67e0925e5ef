//! How an access token arrives (RFC 6750, RFC 9449).

use std::fmt;

/// An access token as a request presents it: of the right shape, and not yet anything more.
///
/// [RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1),
/// [RFC 9449 section 7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1)
#[derive(Clone, Copy)]
pub struct PresentedToken<'a> {
    scheme: TokenScheme,
    token: &'a str,
}

/// The authentication scheme that a token is presented with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenScheme {
    /// `Bearer`: whoever has the token may use it.
    Bearer,
    /// `DPoP`: a proof of possession stands beside it.
    Dpop,
}

/// Why a request presents no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresentedTokenError {
    /// There is no Authorization header, or it is of another scheme.
    #[error("no access token")]
    Missing,
    /// What follows the scheme is no token, or longer than 8 KiB.
    #[error("malformed access token")]
    Malformed,
    /// There is more than one Authorization header: someone else may have read the other.
    #[error("more than one Authorization header")]
    Repeated,
}

const MAX_TOKEN: usize = 8 * 1024;

impl<'a> PresentedToken<'a> {
    /// Reads the values of all Authorization headers of a request.
    ///
    /// # Errors
    /// [`PresentedTokenError`]: there must be exactly one header, of the scheme `Bearer` or `DPoP` in any case,
    /// one or more spaces, and a token of at most 8 KiB.
    pub fn parse(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, PresentedTokenError> {
        let mut headers = headers.into_iter();
        let header = headers.next().ok_or(PresentedTokenError::Missing)?;
        if headers.next().is_some() {
            return Err(PresentedTokenError::Repeated);
        }
        let bearer = credentials(header, b"Bearer").map(|token| (TokenScheme::Bearer, token));
        let presented = bearer.or_else(|| Some((TokenScheme::Dpop, credentials(header, b"DPoP")?)));
        let (scheme, token) = presented.ok_or(PresentedTokenError::Missing)?;
        if !is_b64token(token) {
            return Err(PresentedTokenError::Malformed);
        }
        let token = str::from_utf8(token).map_err(|_| PresentedTokenError::Malformed)?;
        Ok(Self { scheme, token })
    }

    /// The scheme that it is presented with.
    #[must_use]
    pub fn scheme(self) -> TokenScheme {
        self.scheme
    }

    /// The token. A secret: for the verifier's eyes only.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.token
    }
}

impl fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedToken([hidden])")
    }
}

/// What follows the scheme and its spaces in an Authorization header; `None` if the scheme is
/// another.
pub(crate) fn credentials<'v>(header: &'v [u8], scheme: &[u8]) -> Option<&'v [u8]> {
    let end = header.iter().position(|&b| b == b' ').unwrap_or(header.len());
    let (presented, mut rest) = header.split_at(end);
    while let [b' ', tail @ ..] = rest {
        rest = tail;
    }
    presented.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(token: &[u8]) -> bool {
    if token.len() > MAX_TOKEN {
        return false;
    }
    let padding = token.iter().rev().take_while(|&&b| b == b'=').count();
    let body = &token[..token.len() - padding];
    // Every request pays for this loop. Without an early exit the compiler makes vectors of it.
    !body.is_empty() && body.iter().fold(true, |good, &b| good & is_b64token_byte(b))
}

fn is_b64token_byte(b: u8) -> bool {
    // `-` `.` `/` and the digits are neighbours.
    matches!(b, b'A'..=b'Z' | b'a'..=b'z' | b'-'..=b'9' | b'_' | b'~' | b'+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(headers: &[&'a str]) -> Result<&'a str, PresentedTokenError> {
        let headers: Vec<&[u8]> = headers.iter().map(|header| header.as_bytes()).collect();
        PresentedToken::parse(headers).map(PresentedToken::as_str)
    }

    #[test]
    fn a_token_is_read_from_the_one_header() {
        assert_eq!(parse(&["Bearer abc.def.ghi"]), Ok("abc.def.ghi"));
        assert_eq!(parse(&["bearer a"]), Ok("a"));
        assert_eq!(parse(&["dpop a"]), Ok("a"));
        assert_eq!(parse(&["BEARER   a"]), Ok("a"));
        assert_eq!(parse(&["Bearer azAZ09-._~+/=="]), Ok("azAZ09-._~+/=="));
    }

    #[test]
    fn without_a_bearer_header_there_is_no_token() {
        for headers in
            [&[][..], &[""], &["Basic b3JkZXJzOnM="], &["Bearerabc"], &["Bearer\tabc"], &[" Bearer abc"]]
        {
            assert_eq!(parse(headers), Err(PresentedTokenError::Missing), "{headers:?}");
        }
    }

    #[test]
    fn two_headers_are_refused_whatever_they_say() {
        for second in ["Bearer abc", "Bearer def", "Basic b3JkZXJzOnM=", ""] {
            assert_eq!(parse(&["Bearer abc", second]), Err(PresentedTokenError::Repeated));
            assert_eq!(parse(&[second, "Bearer abc"]), Err(PresentedTokenError::Repeated));
        }
    }

    // S-12
    #[test]
    fn a_malformed_or_long_token_is_refused() {
        let long = format!("Bearer {}", "a".repeat(8193));
        let huge = format!("Bearer {}", "a".repeat(10_000_000));
        for header in
            ["Bearer", "Bearer ", "Bearer =", "Bearer a b", "Bearer a,b", "Bearer a=b", "Bearer \"a\""]
        {
            assert_eq!(parse(&[header]), Err(PresentedTokenError::Malformed), "{header}");
        }
        for header in ["Bearer a\tb", "Bearer a ", "Bearer é", "Bearer a\0", &long, &huge] {
            assert_eq!(parse(&[header]), Err(PresentedTokenError::Malformed));
        }
        assert!(parse(&[&format!("Bearer {}", "a".repeat(8192))]).is_ok());
        assert_eq!(PresentedToken::parse([&b"Bearer \xff"[..]]).unwrap_err(), PresentedTokenError::Malformed);
    }

    #[test]
    fn the_grammar_has_exactly_these_characters() {
        let listed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
        for byte in 0..=u8::MAX {
            assert_eq!(is_b64token_byte(byte), listed.as_bytes().contains(&byte), "{byte}");
        }
    }

    #[test]
    fn a_scheme_is_not_mistaken_for_the_other() {
        let scheme = |header: &str| PresentedToken::parse([header.as_bytes()]).unwrap().scheme();
        assert_eq!(scheme("Bearer a"), TokenScheme::Bearer);
        assert_eq!(scheme("DPoP a"), TokenScheme::Dpop);
    }

    // S-103
    #[test]
    fn a_token_does_not_show_itself() {
        let token = PresentedToken::parse([&b"Bearer canary"[..]]).unwrap();
        assert!(!format!("{token:?}").contains("canary"));
    }
}
