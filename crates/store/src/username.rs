use std::{fmt, str::FromStr};

use unicode_normalization::UnicodeNormalization;

/// The longest name in characters, and the longest [key](Username::key) of one.
const MAX_NAME: usize = 128;
const MAX_KEY: usize = 256;

/// The name under which a person logs in: 1 to 128 characters in Unicode's normal form C, without control characters.
///
/// White space around it is not part of it: it comes from pasting. Names that differ in case only, or in compatible forms of
/// a character, are one name ([`key`](Self::key)).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username {
    text: String,
    key: String,
}

/// A text that is no name. It does not repeat the text: people mistake one field for the other, and it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsernameError(&'static str);

impl Username {
    /// The name as its owner writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name as it is compared: lower case, in normal form KC. No two accounts have the same.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl FromStr for Username {
    type Err = UsernameError;

    fn from_str(text: &str) -> Result<Self, UsernameError> {
        let text = text.trim();
        // Before anything is made of it: a character is at most four bytes.
        if text.len() > 4 * MAX_NAME {
            return Err(UsernameError("a user name has at most 128 characters"));
        }
        let text: String = text.nfc().collect();
        if text.is_empty() {
            return Err(UsernameError("a user name has at least one character"));
        }
        if text.chars().count() > MAX_NAME {
            return Err(UsernameError("a user name has at most 128 characters"));
        }
        if text.chars().any(|char| char.is_control() || is_invisible(char)) {
            return Err(UsernameError("a user name has no control characters and no invisible ones"));
        }
        // Lower-casing can undo the form, and the form can make capitals.
        let key: String = text.nfkc().collect::<String>().to_lowercase().nfkc().collect();
        if key.chars().count() > MAX_KEY || key.trim().is_empty() {
            return Err(UsernameError("a user name has at most 128 plain characters"));
        }
        Ok(Self { text, key })
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Characters that show nothing or turn the direction of writing: two names that look the same would be two.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> String {
        text.parse::<Username>().unwrap_or_else(|error| panic!("{text:?}: {error}")).key().to_owned()
    }

    #[test]
    fn names_that_differ_in_case_or_form_only_are_one() {
        assert_eq!(key("Ada"), key(" ada\n"));
        assert_eq!(key("zoe\u{308}"), key("ZO\u{cb}"));
        assert_eq!(key("\u{ff21}da"), "ada", "full-width letters");
        assert_eq!(key("김민준"), key("김민준"));
        assert_ne!(key("ada"), key("ada lovelace"));
    }

    #[test]
    fn a_name_is_kept_as_its_owner_writes_it() {
        let name: Username = " Zoe\u{308} ".parse().unwrap();
        assert_eq!(name.as_str(), "Zo\u{eb}");
        assert_eq!(name.to_string(), "Zo\u{eb}");
    }

    // S-103
    #[test]
    fn what_is_no_name_is_refused_and_not_repeated() {
        let long = "a".repeat(129);
        for text in
            ["", " ", "a\0b", "a\u{1b}[2Jb", "a\u{202e}b", "a\u{200b}b", "a\nb", &long, &long.repeat(99)]
        {
            let error = text.parse::<Username>().expect_err(text).to_string();
            assert!(text.trim().is_empty() || !error.contains(text), "{error}");
        }
        assert!("\u{fdfa}".repeat(128).parse::<Username>().is_err(), "each is eighteen plain characters");
        assert!("a".repeat(128).parse::<Username>().is_ok());
    }
}
