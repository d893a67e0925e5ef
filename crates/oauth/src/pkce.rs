//! Proof Key for Code Exchange (RFC 7636): whoever redeems a code is whoever asked for it.
//!
//! There is one method, S256. `plain` cannot be expressed, and neither can a challenge of a method
//! that was left out, which the RFC would read as `plain`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use claviger_jose::base64url;
use secrecy::{ExposeSecret, SecretString};

use crate::grammar::{GrammarError, text_newtype};
use crate::opaque::sha256;

/// The name of the one method.
pub(crate) const S256: &str = "S256";

text_newtype!(
    /// The SHA-256 of a [`CodeVerifier`] in base64url: 43 characters. Not a secret: it passes through
    /// the browser.
    ///
    /// [RFC 7636 section 4.2](https://www.rfc-editor.org/rfc/rfc7636#section-4.2)
    CodeChallenge,
    check_challenge
);

/// What a client keeps to itself until it redeems the code: 43 to 128 unreserved characters.
///
/// [RFC 7636 section 4.1](https://www.rfc-editor.org/rfc/rfc7636#section-4.1)
#[derive(Clone)]
pub struct CodeVerifier(SecretString);

impl CodeChallenge {
    /// The challenge that a client makes of its verifier.
    #[must_use]
    pub fn of(verifier: &CodeVerifier) -> Self {
        Self(base64url::encode(&sha256(verifier.expose().as_bytes())).into())
    }

    /// Whether this is the challenge of the verifier. In constant time.
    ///
    /// [RFC 7636 section 4.6](https://www.rfc-editor.org/rfc/rfc7636#section-4.6)
    #[must_use]
    pub fn is_of(&self, verifier: &CodeVerifier) -> bool {
        verify_slices_are_equal(self.as_str().as_bytes(), Self::of(verifier).as_str().as_bytes()).is_ok()
    }
}

impl CodeVerifier {
    /// The text, as it is sent to the token endpoint.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl FromStr for CodeVerifier {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            Ok(Self(text.into()))
        } else {
            Err(GrammarError("a code_verifier has 43 to 128 characters of A-Z a-z 0-9 - . _ ~"))
        }
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier([hidden])")
    }
}

fn check_challenge(text: &str) -> Result<(), GrammarError> {
    match base64url::decode_into(text, &mut [0; 64]) {
        Ok(hash) if hash.len() == 32 => Ok(()),
        _ => Err(GrammarError("a code_challenge is 43 characters of base64url, the SHA-256 of the verifier")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn proves(challenge: &str, verifier: &str) -> bool {
        let challenge: CodeChallenge = challenge.parse().unwrap();
        verifier.parse().is_ok_and(|verifier| challenge.is_of(&verifier))
    }

    // S-62
    #[test]
    fn only_the_verifier_of_the_challenge_proves_it() {
        assert!(proves(CHALLENGE, VERIFIER));
        assert_eq!(CodeChallenge::of(&VERIFIER.parse().unwrap()).as_str(), CHALLENGE);
        let wrong = VERIFIER.replace('d', "D");
        assert!(!proves(CHALLENGE, &wrong));
        assert!(!proves(CHALLENGE, &VERIFIER.to_lowercase()));
        assert!(!proves(CHALLENGE, &format!("{VERIFIER}A")));
        // Plain: the verifier itself as its challenge.
        assert!(!proves(VERIFIER, VERIFIER));
        assert!(!proves(CHALLENGE, CHALLENGE));
    }

    // S-62
    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        let is_verifier = |text: &str| text.parse::<CodeVerifier>().is_ok();
        assert!(is_verifier(&"a".repeat(43)) && is_verifier(&"~".repeat(128)));
        assert!(is_verifier(&format!("-._~{}", "0".repeat(39))));
        assert!(!is_verifier("") && !is_verifier("a"));
        assert!(!is_verifier(&"a".repeat(42)) && !is_verifier(&"a".repeat(129)));
        for odd in ["+", "/", "=", " ", "%", "\u{e9}", "\0"] {
            assert!(!is_verifier(&format!("{}{odd}", "a".repeat(43))), "{odd:?}");
        }
    }

    // S-62
    #[test]
    fn a_challenge_is_a_hash() {
        let is_challenge = |text: &str| text.parse::<CodeChallenge>().is_ok();
        assert!(is_challenge(CHALLENGE));
        assert!(!is_challenge("") && !is_challenge(&CHALLENGE[1..]));
        assert!(!is_challenge(&format!("{CHALLENGE}=")) && !is_challenge(&format!("{CHALLENGE}A")));
        assert!(!is_challenge(&CHALLENGE.replace('-', "+")));
        // Trailing bits that nobody reads.
        assert!(!is_challenge(&CHALLENGE.replace("cM", "cN")));
    }

    // S-103
    #[test]
    fn a_verifier_does_not_print_itself() {
        assert_eq!(format!("{:?}", VERIFIER.parse::<CodeVerifier>().unwrap()), "CodeVerifier([hidden])");
    }
}
