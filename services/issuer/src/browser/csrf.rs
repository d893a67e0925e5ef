use std::{fmt, str::FromStr};

use aws_lc_rs::hmac;
use claviger_jose::base64url;
use claviger_oauth::{SessionSecret, Sid};

/// A browser before anybody has signed in with it: 256 random bits in a cookie, so that its log-in page can be told from
/// everybody else's. Nothing is stored of it.
#[derive(Clone)]
pub(crate) struct Visit(String);

/// A text that is no [`Visit`] of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the cookie of a visit")]
pub(crate) struct NotAVisit;

impl Visit {
    /// The one that these random bits make.
    pub(crate) fn from_random(random: [u8; 32]) -> Self {
        Self(base64url::encode(&random))
    }

    /// The value of its cookie.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Visit {
    type Err = NotAVisit;

    fn from_str(text: &str) -> Result<Self, NotAVisit> {
        let is_ours = text.len() == 43 && base64url::decode(text).is_ok();
        is_ours.then(|| Self(text.to_owned())).ok_or(NotAVisit)
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Visit([hidden])")
    }
}

/// What a form is bound to: it can be posted by the browser that it was made for, and by no other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Binding<'b> {
    /// A form of somebody who has signed in.
    Session(&'b SessionSecret),
    /// A page of an application of the house itself, for as long as the session lasts: its secret changes when the person
    /// shows again who they are.
    Page(&'b Sid),
    /// A form of somebody who has not, as the log-in page: without this an attacker could sign a victim in as himself
    /// and read along (log-in CSRF).
    Visit(&'b Visit),
}

impl Binding<'_> {
    /// The kinds are told apart: what is good before a log-in must be good for nothing after it.
    fn message(self) -> Vec<u8> {
        let (kind, held) = match self {
            Self::Session(secret) => ("csrf session\0", secret.expose()),
            Self::Page(sid) => ("csrf page\0", sid.as_str()),
            Self::Visit(visit) => ("csrf visit\0", visit.expose()),
        };
        [kind.as_bytes(), held.as_bytes()].concat()
    }
}

/// What a page of ours knows and no other page can: HMAC-SHA256 of what the browser holds in a cookie.
///
/// Nothing is stored; the key is derived from the issuer's own secret, so all replicas make the same.
pub(crate) struct CsrfToken(String);

impl CsrfToken {
    /// The token of a form.
    pub(crate) fn of(key: &hmac::Key, binding: Binding<'_>) -> Self {
        Self(base64url::encode(hmac::sign(key, &binding.message()).as_ref()))
    }

    /// Whether `presented` is the token of such a form. Takes the same time wherever it differs.
    pub(crate) fn is_of(key: &hmac::Key, binding: Binding<'_>, presented: &str) -> bool {
        let tag = base64url::decode(presented).unwrap_or_default();
        hmac::verify(key, &binding.message(), &tag).is_ok()
    }

    /// The text, for the form.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken([hidden])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    // S-95
    #[test]
    fn a_token_is_good_for_one_browser_and_only_before_or_after_it_signs_in() {
        let (mine, other) = (Visit::from_random([1; 32]), Visit::from_random([2; 32]));
        let session = SessionSecret::from_random([1; 32]);
        let token = CsrfToken::of(&key(7), Binding::Visit(&mine));
        let is_good = |key: &hmac::Key, binding| CsrfToken::is_of(key, binding, token.expose());
        assert!(is_good(&key(7), Binding::Visit(&mine)));
        assert!(!is_good(&key(7), Binding::Visit(&other)));
        assert!(!is_good(&key(7), Binding::Session(&session)));
        assert!(!is_good(&key(8), Binding::Visit(&mine)));
        let whole = token.expose();
        for forged in ["", "x", &whole[1..], &format!("{whole}A"), mine.expose(), &format!("{whole}=")] {
            assert!(!CsrfToken::is_of(&key(7), Binding::Visit(&mine), forged), "{forged}");
        }
    }

    // S-94
    #[test]
    fn only_a_cookie_of_ours_is_a_visit() {
        let ours = Visit::from_random([1; 32]);
        assert_eq!(ours.expose().parse::<Visit>().unwrap().expose(), ours.expose());
        for text in ["", "a", &"a".repeat(42), &"a".repeat(44), &"=".repeat(43), &"é".repeat(21)] {
            assert!(text.parse::<Visit>().is_err(), "{text}");
        }
    }

    // S-103
    #[test]
    fn neither_visit_nor_token_is_shown() {
        let visit = Visit::from_random([1; 32]);
        let token = CsrfToken::of(&key(7), Binding::Visit(&visit));
        let shown = format!("{visit:?} {token:?} {:?}", Binding::Visit(&visit));
        assert!(!shown.contains(visit.expose()) && !shown.contains(token.expose()), "{shown}");
    }
}
