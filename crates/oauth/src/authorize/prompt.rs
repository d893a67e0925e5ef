use serde::{Deserialize, Serialize};

use crate::AuthorizeError;

/// What a request asks to be shown, or not.
///
/// [OpenID Connect Core section 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// No page at all: an answer, or an error.
    None,
    /// The log-in page, even to somebody who is signed in.
    Login,
    /// The consent page, even if this was allowed before.
    Consent,
    /// A choice of who signs in.
    SelectAccount,
}

/// All that a request asks to be shown; nothing in the usual request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prompts(Vec<Prompt>);

impl Prompts {
    pub(crate) fn parse(text: &str) -> Result<Self, AuthorizeError> {
        let mut prompts = Vec::new();
        for name in text.split(' ') {
            let prompt = Prompt::ALL.into_iter().find(|prompt| prompt.as_str() == name);
            let prompt =
                prompt.ok_or(AuthorizeError::InvalidRequest("prompt is none that this server has"))?;
            if !prompts.contains(&prompt) {
                prompts.push(prompt);
            }
        }
        if prompts.contains(&Prompt::None) && prompts.len() > 1 {
            return Err(AuthorizeError::InvalidRequest("prompt none goes with no other"));
        }
        Ok(Self(prompts))
    }

    /// Whether this is asked for.
    #[must_use]
    pub fn contains(&self, prompt: Prompt) -> bool {
        self.0.contains(&prompt)
    }
}

impl Prompt {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Login, Self::Consent, Self::SelectAccount];

    /// The name of the standard.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_one_of_four_and_none_stands_alone() {
        let prompts = Prompts::parse("login consent login").unwrap();
        assert!(prompts.contains(Prompt::Login) && prompts.contains(Prompt::Consent));
        assert!(!prompts.contains(Prompt::None) && !prompts.contains(Prompt::SelectAccount));
        assert!(Prompts::parse("none").unwrap().contains(Prompt::None));
        for text in ["", "Login", "login,consent", "login  consent", "create", "none login", "login none"] {
            assert!(Prompts::parse(text).is_err(), "{text:?}");
        }
    }
}
