use std::io::{BufRead, stdin};

use anyhow::{Context, ensure};
use clap::Args;
use claviger_jose::base64url;
use claviger_keyring::rand_core::RngCore;
use claviger_store::{PasswordHash, Profile, Username};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::prompt::hidden;
use crate::{
    people::{Password, PasswordRules, Scheme, office},
    rng::SystemRng,
};

/// No password is longer.
const MOST: u64 = 1026;

/// Where a password comes from. Never from the command line itself, which everybody on the machine can read.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct PasswordSource {
    /// The password is the first line of standard input.
    #[arg(long, conflicts_with = "prompt")]
    password_stdin: bool,
    /// Ask for the password at the terminal, without showing it.
    #[arg(long)]
    prompt: bool,
}

/// A password that was chosen.
pub(super) struct Chosen {
    pub(super) hash: PasswordHash,
    /// The password itself, if nobody knows it yet.
    pub(super) shown: Option<SecretString>,
}

impl PasswordSource {
    /// Reads the password, or makes one of 128 random bits.
    pub(super) fn choose(
        self,
        rules: &PasswordRules,
        (username, profile): (&Username, &Profile),
    ) -> anyhow::Result<Chosen> {
        let (text, shown) = if self.password_stdin {
            (first_line(stdin().lock())?, None)
        } else if self.prompt {
            (asked_twice()?, None)
        } else {
            let made = made();
            (made.clone(), Some(made))
        };
        let password = Password::parse(&text)?;
        office::check_password(rules, &password, (username.as_str(), profile))?;
        let hash = Scheme::hash(&password).context("the password could not be hashed")?;
        Ok(Chosen { hash, shown })
    }
}

fn made() -> SecretString {
    let mut random = Zeroizing::new([0; 16]);
    SystemRng.fill_bytes(&mut *random);
    base64url::encode(&*random).into()
}

fn asked_twice() -> anyhow::Result<SecretString> {
    let password = hidden("password: ")?;
    let again = hidden("the same again: ")?;
    ensure!(password.expose_secret() == again.expose_secret(), "the two are not the same");
    Ok(password)
}

/// The first line, without its end. Nothing of it is trimmed: spaces are of the password.
pub(super) fn first_line(from: impl BufRead) -> anyhow::Result<SecretString> {
    let mut line = Zeroizing::new(String::with_capacity(2048));
    from.take(MOST).read_line(&mut line).context("standard input holds no password")?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_with_all_of_its_spaces() {
        let line = |text: &str| first_line(text.as_bytes()).unwrap().expose_secret().to_owned();
        assert_eq!(line(" two words \nmore"), " two words ");
        assert_eq!(line("windows\r\n"), "windows");
        assert_eq!(line("no end"), "no end");
        assert_eq!(line(""), "");
        assert!(first_line(&b"\xff\n"[..]).is_err());
        assert_eq!(line(&"x".repeat(5_000)).len(), 1026, "and so it is too long for one");
    }

    // S-93
    #[test]
    fn a_password_that_is_made_up_is_one_to_choose_and_never_the_same() {
        let rules = PasswordRules::new(15, []);
        let (name, profile) = ("ada".parse().unwrap(), Profile::default());
        let source = PasswordSource { password_stdin: false, prompt: false };
        let one = source.choose(&rules, (&name, &profile)).unwrap();
        let other = source.choose(&rules, (&name, &profile)).unwrap();
        let (one, other) = (one.shown.unwrap(), other.shown.unwrap());
        assert_eq!(one.expose_secret().len(), 22);
        assert_ne!(one.expose_secret(), other.expose_secret());
    }
}
