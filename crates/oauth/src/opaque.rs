//! Secrets of the issuer's own making that mean nothing by themselves: codes, refresh tokens, cookies.
//!
//! Each is 256 random bits in base64url behind a prefix that says its kind, so that one kind never
//! parses as another, a scanner finds a leaked one, and a log line that has one by mistake is known for
//! what it is. Only the hash is ever kept.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use claviger_jose::base64url;
use secrecy::{ExposeSecret, SecretString};

use crate::GrammarError;

/// The length of 256 bits in base64url.
const ENCODED: usize = 43;

macro_rules! opaque_secret {
    ($(#[$meta:meta])* $name:ident, $prefix:literal, $rule:literal) => {
        $(#[$meta])*
        ///
        /// A secret: it does not print itself, and it is compared by its hash only.
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// What the text starts with.
            pub const PREFIX: &'static str = $prefix;

            /// The secret that these random bits make.
            #[must_use]
            pub fn from_random(bits: [u8; 32]) -> Self {
                Self(text_of($prefix, &bits))
            }

            /// The text, to be sent to whom it is meant for and to nobody else.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }

            /// The SHA-256 of the whole text: what is kept of it. Enough for 256 random bits, of which
            /// there is no dictionary.
            #[must_use]
            pub fn hash(&self) -> [u8; 32] {
                sha256(self.expose().as_bytes())
            }
        }

        impl FromStr for $name {
            type Err = GrammarError;

            fn from_str(text: &str) -> Result<Self, GrammarError> {
                if is_opaque($prefix, text) { Ok(Self(text.into())) } else { Err(GrammarError($rule)) }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([hidden])"))
            }
        }
    };
}

opaque_secret!(
    /// An authorization code ([RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)).
    AuthorizationCode,
    "ac_",
    "an authorization code is `ac_` and 43 characters of base64url"
);

opaque_secret!(
    /// A refresh token ([RFC 6749 section 1.5](https://www.rfc-editor.org/rfc/rfc6749#section-1.5)).
    RefreshToken,
    "rt_",
    "a refresh token is `rt_` and 43 characters of base64url"
);

opaque_secret!(
    /// What a browser shows for a person's session: the value of a cookie.
    SessionSecret,
    "ss_",
    "a session's secret is `ss_` and 43 characters of base64url"
);

opaque_secret!(
    /// The part of a one-time link that makes it good for something.
    LinkSecret,
    "ol_",
    "a link's secret is `ol_` and 43 characters of base64url"
);

opaque_secret!(
    /// The name of a pushed authorization request
    /// ([RFC 9126 section 2.2](https://www.rfc-editor.org/rfc/rfc9126#section-2.2)).
    RequestUri,
    "urn:ietf:params:oauth:request_uri:",
    "a request_uri is one that this server gave out"
);

fn text_of(prefix: &str, bits: &[u8; 32]) -> SecretString {
    // One allocation of the exact size: no half-written copy of the secret stays behind.
    let mut text = String::with_capacity(prefix.len() + ENCODED);
    text.push_str(prefix);
    base64url::encode_into(bits, &mut text);
    text.into()
}

/// Only the one canonical spelling: a second one would have a second hash.
fn is_opaque(prefix: &str, text: &str) -> bool {
    let encoded = text.strip_prefix(prefix).filter(|encoded| encoded.len() == ENCODED);
    encoded.is_some_and(|encoded| base64url::decode_into(encoded, &mut [0; 33]).is_ok())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: [u8; 32] = [0xA5; 32];

    // S-71
    #[test]
    fn a_secret_is_256_bits_behind_the_prefix_of_its_kind() {
        let check = |text: &str, prefix: &str| {
            let encoded = text.strip_prefix(prefix).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(base64url::decode(encoded).unwrap(), BITS);
        };
        check(AuthorizationCode::from_random(BITS).expose(), "ac_");
        check(RefreshToken::from_random(BITS).expose(), "rt_");
        check(SessionSecret::from_random(BITS).expose(), "ss_");
        check(LinkSecret::from_random(BITS).expose(), "ol_");
        check(RequestUri::from_random(BITS).expose(), "urn:ietf:params:oauth:request_uri:");
    }

    // S-71
    #[test]
    fn no_kind_of_secret_and_no_signed_token_passes_for_a_refresh_token() {
        let encoded = base64url::encode(&BITS);
        assert!(format!("rt_{encoded}").parse::<RefreshToken>().is_ok());
        for prefix in ["ac_", "ss_", "ol_", "urn:ietf:params:oauth:request_uri:", "", "RT_", "rt-", "rt_rt_"]
        {
            assert!(format!("{prefix}{encoded}").parse::<RefreshToken>().is_err(), "{prefix}");
        }
        let jwt = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl";
        assert!(jwt.parse::<RefreshToken>().is_err());
        assert!(format!("rt_{jwt}").parse::<RefreshToken>().is_err());
        // And the other way round: no other store ever looks a refresh token up.
        let refresh = format!("rt_{encoded}");
        assert!(refresh.parse::<AuthorizationCode>().is_err());
        assert!(refresh.parse::<SessionSecret>().is_err());
        assert!(refresh.parse::<LinkSecret>().is_err());
        assert!(refresh.parse::<RequestUri>().is_err());
    }

    // S-71
    #[test]
    fn a_secret_has_one_spelling() {
        let good = RefreshToken::from_random(BITS);
        let good = good.expose();
        let (head, last) = good.split_at(good.len() - 1);
        assert!(good.parse::<RefreshToken>().is_ok());
        // 43 characters have 258 bits: the last two are zero, or one secret had four hashes.
        let spellings: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').collect();
        let good_ends = spellings.iter().filter(|end| format!("{head}{end}").parse::<RefreshToken>().is_ok());
        assert_eq!(good_ends.count(), 16, "{last}");
        for text in
            [head.to_owned(), format!("{good}A"), format!("{good}="), format!(" {good}"), format!("{good}\n")]
        {
            assert!(text.parse::<RefreshToken>().is_err(), "{text:?}");
        }
        assert!(format!("{head}\u{e9}").parse::<RefreshToken>().is_err());
    }

    #[test]
    fn a_hash_is_that_of_the_whole_text() {
        let code = AuthorizationCode::from_random(BITS);
        assert_eq!(code.hash(), sha256(code.expose().as_bytes()));
        assert_eq!(code.hash(), code.expose().parse::<AuthorizationCode>().unwrap().hash());
        assert_ne!(code.hash(), RefreshToken::from_random(BITS).hash());
        assert_eq!(sha256(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    // S-103
    #[test]
    fn a_secret_does_not_print_itself() {
        let code = AuthorizationCode::from_random(BITS);
        assert_eq!(format!("{code:?}"), "AuthorizationCode([hidden])");
        let error = format!("{:?}", "ac_canary".parse::<AuthorizationCode>().unwrap_err());
        assert!(!error.contains("canary"));
    }
}
