use std::{fmt, str::FromStr};

/// The longest hash: none of those in use comes near.
const MAX: usize = 512;

/// What is kept of a password: a text of 1 to 512 printable ASCII characters that names its scheme, its parameters and its
/// salt. Which schemes there are is for whoever verifies it to know.
#[derive(Clone)]
pub struct PasswordHash(Box<str>);

/// A text that is no hash of a password. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash of a password has 1 to 512 printable ASCII characters")]
pub struct PasswordHashError;

impl PasswordHash {
    /// The text, for whoever verifies a password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<Self, PasswordHashError> {
        let is_hash = (1..=MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_hash { Ok(Self(text.into())) } else { Err(PasswordHashError) }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-103
    #[test]
    fn a_hash_is_a_short_printable_text_that_no_log_shows() {
        let hash: PasswordHash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".parse().unwrap();
        assert_eq!(format!("{hash:?}"), "PasswordHash(..)");
        assert!(hash.expose().starts_with("$argon2id$"));
        for text in ["", "a b", "a\nb", "\u{e9}", &"x".repeat(513)] {
            let error = text.parse::<PasswordHash>().expect_err(text);
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }
}
