//! How a bearer token arrives and how its absence is answered (RFC 6750).

use std::fmt;

use crate::Scope;

/// A bearer token as a request presents it: of the right shape, and not yet anything more.
///
/// [RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)
#[derive(Clone, Copy)]
pub struct BearerToken<'a>(&'a str);

/// Why a request presents no bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerError {
    /// There is no Authorization header, or it is of another scheme.
    #[error("no bearer token")]
    Missing,
    /// What follows the scheme is no token, or longer than 8 KiB.
    #[error("malformed bearer token")]
    Malformed,
    /// There is more than one Authorization header: someone else may have read the other.
    #[error("more than one Authorization header")]
    Repeated,
}

const MAX_TOKEN: usize = 8 * 1024;

impl<'a> BearerToken<'a> {
    /// Reads the values of all Authorization headers of a request.
    ///
    /// # Errors
    /// [`BearerError`]: there must be exactly one header, of the scheme `Bearer` in any case, one
    /// or more spaces, and a token of at most 8 KiB.
    pub fn parse(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, BearerError> {
        let mut headers = headers.into_iter();
        let header = headers.next().ok_or(BearerError::Missing)?;
        if headers.next().is_some() {
            return Err(BearerError::Repeated);
        }
        let token = credentials(header, b"Bearer").ok_or(BearerError::Missing)?;
        if !is_b64token(token) {
            return Err(BearerError::Malformed);
        }
        str::from_utf8(token).map(Self).map_err(|_| BearerError::Malformed)
    }

    /// The token. A secret: for the verifier's eyes only.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for BearerToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken([hidden])")
    }
}

/// What a resource server answers instead: the value of `WWW-Authenticate`.
///
/// [RFC 6750 section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// The request has no token: no error is named (RFC 6750 section 3.1). The realm is there
    /// because section 3 requires at least one parameter, and is a constant because it would
    /// otherwise tell something.
    Bare,
    /// The request has more than one token or a malformed one.
    InvalidRequest,
    /// The token is not accepted; why is not told.
    InvalidToken,
    /// The token is good and does not have this scope.
    InsufficientScope(Scope),
}

impl Challenge {
    /// The HTTP status that goes with the challenge (RFC 6750 section 3.1).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Bare | Self::InvalidToken => 401,
            Self::InsufficientScope(_) => 403,
        }
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare => f.write_str("Bearer realm=\"service\""),
            Self::InvalidRequest => f.write_str("Bearer error=\"invalid_request\""),
            Self::InvalidToken => f.write_str("Bearer error=\"invalid_token\""),
            // The grammar of a scope has neither `"` nor `\`: it cannot leave its quotes.
            Self::InsufficientScope(scope) => {
                write!(f, "Bearer error=\"insufficient_scope\", scope=\"{scope}\"")
            }
        }
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

    fn parse<'a>(headers: &[&'a str]) -> Result<&'a str, BearerError> {
        let headers: Vec<&[u8]> = headers.iter().map(|header| header.as_bytes()).collect();
        BearerToken::parse(headers).map(BearerToken::as_str)
    }

    #[test]
    fn a_token_is_read_from_the_one_header() {
        assert_eq!(parse(&["Bearer abc.def.ghi"]), Ok("abc.def.ghi"));
        assert_eq!(parse(&["bearer a"]), Ok("a"));
        assert_eq!(parse(&["BEARER   a"]), Ok("a"));
        assert_eq!(parse(&["Bearer azAZ09-._~+/=="]), Ok("azAZ09-._~+/=="));
    }

    #[test]
    fn without_a_bearer_header_there_is_no_token() {
        for headers in
            [&[][..], &[""], &["Basic b3JkZXJzOnM="], &["Bearerabc"], &["Bearer\tabc"], &[" Bearer abc"]]
        {
            assert_eq!(parse(headers), Err(BearerError::Missing), "{headers:?}");
        }
    }

    #[test]
    fn two_headers_are_refused_whatever_they_say() {
        for second in ["Bearer abc", "Bearer def", "Basic b3JkZXJzOnM=", ""] {
            assert_eq!(parse(&["Bearer abc", second]), Err(BearerError::Repeated));
            assert_eq!(parse(&[second, "Bearer abc"]), Err(BearerError::Repeated));
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
            assert_eq!(parse(&[header]), Err(BearerError::Malformed), "{header}");
        }
        for header in ["Bearer a\tb", "Bearer a ", "Bearer é", "Bearer a\0", &long, &huge] {
            assert_eq!(parse(&[header]), Err(BearerError::Malformed));
        }
        assert!(parse(&[&format!("Bearer {}", "a".repeat(8192))]).is_ok());
        assert_eq!(BearerToken::parse([&b"Bearer \xff"[..]]).unwrap_err(), BearerError::Malformed);
    }

    #[test]
    fn the_grammar_has_exactly_these_characters() {
        let listed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
        for byte in 0..=u8::MAX {
            assert_eq!(is_b64token_byte(byte), listed.as_bytes().contains(&byte), "{byte}");
        }
    }

    // S-103
    #[test]
    fn a_token_does_not_show_itself() {
        let token = BearerToken::parse([&b"Bearer canary"[..]]).unwrap();
        assert!(!format!("{token:?}").contains("canary"));
    }

    #[test]
    fn a_challenge_names_its_error() {
        let check = |challenge: Challenge, status, value: &str| {
            assert_eq!((challenge.status(), challenge.to_string().as_str()), (status, value));
        };
        check(Challenge::Bare, 401, r#"Bearer realm="service""#);
        check(Challenge::InvalidRequest, 400, r#"Bearer error="invalid_request""#);
        check(Challenge::InvalidToken, 401, r#"Bearer error="invalid_token""#);
        let scope = "orders:read".parse().unwrap();
        check(
            Challenge::InsufficientScope(scope),
            403,
            r#"Bearer error="insufficient_scope", scope="orders:read""#,
        );
    }
}
