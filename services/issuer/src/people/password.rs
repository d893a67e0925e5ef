use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The longest password in bytes: more is refused before anything is computed of it.
const MAX: usize = 1024;

/// A password as somebody has typed it: 1 to 1024 bytes, without NUL, in Unicode's normal form C, and never cut.
#[derive(Clone)]
pub(crate) struct Password {
    normal: SecretString,
    /// As it came, if that is something else: other systems have hashed it so.
    typed: Option<SecretString>,
}

/// Why a text is no password, or none to choose. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordFault {
    #[error("the password is empty")]
    Empty,
    #[error("the password is longer than 1024 bytes")]
    TooLong,
    /// PBKDF2 and scrypt cannot tell a password from the same with NULs behind it.
    #[error("the password has a NUL character")]
    Nul,
    #[error("the password is too short: at least {least} characters are needed")]
    TooShort { least: usize },
    #[error("the password is made of common words or simple runs, and is among the first to be guessed")]
    Common,
}

impl Password {
    /// A text that can be a password; whether it is one to choose is for the [`PasswordRules`](super::PasswordRules).
    pub(crate) fn parse(text: &SecretString) -> Result<Self, PasswordFault> {
        let text = text.expose_secret();
        match text.len() {
            0 => return Err(PasswordFault::Empty),
            1..=MAX => {}
            _ => return Err(PasswordFault::TooLong),
        }
        if text.contains('\0') {
            return Err(PasswordFault::Nul);
        }
        if is_nfc(text) {
            return Ok(Self { normal: text.into(), typed: None });
        }
        // The form is at most three times as long: no copy of a part stays behind.
        let mut normal = String::with_capacity(3 * text.len());
        normal.extend(text.nfc());
        if normal.len() > MAX {
            return Err(PasswordFault::TooLong);
        }
        Ok(Self { normal: normal.into(), typed: Some(text.into()) })
    }

    /// The password as it is hashed here.
    pub(crate) fn normal(&self) -> &str {
        self.normal.expose_secret()
    }

    /// The password as other systems have hashed it, which did not normalise.
    pub(crate) fn typed(&self) -> &str {
        self.typed.as_ref().unwrap_or(&self.normal).expose_secret()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Password, PasswordFault> {
        Password::parse(&text.into())
    }

    // S-87
    #[test]
    fn what_cannot_be_a_password_is_refused_before_anything_is_computed() {
        assert_eq!(parse("").unwrap_err(), PasswordFault::Empty);
        assert_eq!(parse("pw\0").unwrap_err(), PasswordFault::Nul);
        assert!(parse(&"x".repeat(1024)).is_ok());
        assert_eq!(parse(&"x".repeat(1025)).unwrap_err(), PasswordFault::TooLong);
        let swelling = "\u{1d160}".repeat(256);
        assert_eq!(swelling.len(), 1024);
        assert_eq!(parse(&swelling).unwrap_err(), PasswordFault::TooLong, "its normal form is longer");
    }

    // S-87
    #[test]
    fn two_ways_to_type_one_password_are_one() {
        let (one, other) = (parse("zoe\u{308} 한국").unwrap(), parse("zo\u{eb} 한국").unwrap());
        assert_eq!(one.normal(), other.normal());
        assert_eq!((one.typed(), other.typed()), ("zoe\u{308} 한국", "zo\u{eb} 한국"));
        assert_ne!(parse(" x").unwrap().normal(), parse("x").unwrap().normal(), "nothing is trimmed");
    }

    // S-103
    #[test]
    fn a_password_does_not_show_itself() {
        assert_eq!(format!("{:?}", parse("hunter2 hunter2")), "Ok(Password(..))");
    }
}
