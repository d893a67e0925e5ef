use super::{
    blocklist::is_common,
    password::{Password, PasswordFault},
};

/// Which passwords may be chosen (NIST SP 800-63B-4 section 3.1.1.2): long ones that are not among the first to be guessed.
/// There is nothing about which characters must be in them, and none has to be changed after a time.
#[derive(Debug, Clone)]
pub(crate) struct PasswordRules {
    least: usize,
    context: Vec<String>,
}

impl PasswordRules {
    /// A password has at least so many characters. `context` are the names of the service, which say nothing.
    pub(crate) fn new(least: usize, context: impl IntoIterator<Item = String>) -> Self {
        Self { least, context: context.into_iter().chain(["claviger".to_owned()]).collect() }
    }

    /// Whether somebody may choose this password. `about` are texts that everybody knows of them: names, addresses.
    ///
    /// # Errors
    /// The [`PasswordFault`] to tell them.
    pub(crate) fn check<'a>(
        &'a self,
        password: &Password,
        about: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), PasswordFault> {
        if password.normal().chars().count() < self.least {
            return Err(PasswordFault::TooShort { least: self.least });
        }
        let context: Vec<&str> = self.context.iter().map(String::as_str).chain(about).collect();
        if is_common(password.normal(), &context) { Err(PasswordFault::Common) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), PasswordFault> {
        let rules = PasswordRules::new(15, ["id.shop.test".to_owned()]);
        rules.check(&Password::parse(&text.into()).unwrap(), ["ada", "Ada Lovelace"])
    }

    // S-87
    #[test]
    fn a_password_is_long_and_that_is_all() {
        assert_eq!(check("jK9 fog hums tu"), Ok(()), "15 characters");
        assert_eq!(check("jK9 fog hums t"), Err(PasswordFault::TooShort { least: 15 }), "14");
        assert_eq!(check("the fog hums over tartu all night"), Ok(()), "letters are enough");
        assert_eq!(check(&"the fog hums over tartu, ".repeat(40)), Ok(()), "1000 bytes");
        assert_eq!(check("안개가 타르투 위로 낮게 운다"), Ok(()));
        assert_eq!(
            check("안개가 타르투 위로"),
            Err(PasswordFault::TooShort { least: 15 }),
            "characters count"
        );
    }

    // S-87
    #[test]
    fn a_password_is_not_among_the_first_to_be_guessed() {
        for common in ["passwordpassword", "ada-lovelace2026", "claviger-claviger", "111111111111111"] {
            assert_eq!(check(common), Err(PasswordFault::Common), "{common}");
        }
    }
}
