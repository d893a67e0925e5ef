use std::fmt;

use claviger_jose::Algorithm;
use serde::Serialize;

use self::model::Model;
use crate::TestToken;

mod claims;
mod form;
mod header;
mod model;
mod payload;
mod signature;

/// One way to forge or to spoil a token, by name.
///
/// Where the attack is in the content, the signature is a valid one of a key that the issuer publishes, over
/// exactly the bytes that are sent: a verifier that looks at the signature alone accepts it. All tokens can be
/// sent as a bearer token (RFC 6750 section 2.1), so the right answer to each is 401 `invalid_token`.
///
/// There is no row for the twin (r, n-s) of an ECDSA signature: it is valid by the standard.
///
/// ```
/// use claviger_testkit::{Tamper, TestIssuer};
///
/// let issuer = TestIssuer::without_socket("https://id.fleet.test");
/// let good = issuer.token("https://orders.fleet.test").scope("orders:read");
/// let forged = Tamper::named("alg-none").ok_or("no such row")?.apply(&good);
/// assert_eq!(forged.split('.').count(), 3);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy)]
pub struct Tamper {
    name: &'static str,
    attack: Attack,
    make: fn(&Model<'_>) -> String,
}

/// What a forgery attacks; the number is the item of the checklist that says what must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Attack {
    /// The choice of the algorithm (1).
    Algorithm,
    /// Extensions that have to be understood (2).
    Extension,
    /// Keys that the token brings, or sends somebody for (3).
    EmbeddedKey,
    /// The kind of token (4).
    Type,
    /// Who issued it, and whose key it is (5).
    Issuer,
    /// Whom it is for (6).
    Audience,
    /// Claims that are missing, of another type, or have two meanings (7).
    Claims,
    /// When it is good (8).
    Time,
    /// The compact form (9).
    Form,
    /// The signature (10).
    Signature,
    /// Sizes (12).
    Size,
    /// A proof of possession that nobody asked for (16).
    Confirmation,
}

impl Tamper {
    const fn row(name: &'static str, attack: Attack, make: fn(&Model<'_>) -> String) -> Self {
        Self { name, attack, make }
    }

    /// Every way there is.
    #[must_use]
    pub fn all() -> Vec<Self> {
        [header::ROWS, claims::ROWS, payload::ROWS, form::ROWS, signature::ROWS].concat()
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|tamper| tamper.name == name)
    }

    /// Its name: lower case, digits and dashes.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it attacks.
    #[must_use]
    pub const fn attack(&self) -> Attack {
        self.attack
    }

    /// A forgery of this token. It is as much like it as the attack allows, down to the algorithm.
    ///
    /// # Panics
    /// If the issuer has no active key of that algorithm.
    #[must_use]
    pub fn apply(&self, token: &TestToken) -> String {
        (self.make)(&Model::of(token, token.key()))
    }

    /// The forgeries of a token under each algorithm that the issuer signs with.
    pub(crate) fn apply_each(self, token: &TestToken) -> Vec<(Algorithm, String)> {
        let keys = token.keys();
        keys.into_iter().map(|key| (key.alg(), (self.make)(&Model::of(token, key)))).collect()
    }
}

impl fmt::Debug for Tamper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tamper")
            .field("name", &self.name)
            .field("attack", &self.attack)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::TestIssuer;

    #[test]
    fn every_row_has_a_name_of_its_own_and_can_be_sent() {
        let issuer = TestIssuer::without_socket("https://id.fleet.test");
        let token = issuer.token("https://orders.fleet.test").scope("orders:read");
        let all = Tamper::all();
        let names: HashSet<&str> = all.iter().map(Tamper::name).collect();
        assert!(names.len() == all.len() && all.len() >= 100, "{} names, {} rows", names.len(), all.len());
        for tamper in all {
            let name = tamper.name();
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.chars().all(is_name), "{name}");
            for (alg, forged) in tamper.apply_each(&token) {
                let is_bearer = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
                let body = forged.trim_end_matches('=');
                assert!(!body.is_empty() && body.chars().all(is_bearer), "{name} ({alg}): {forged}");
            }
        }
    }

    #[test]
    fn an_issuer_with_one_algorithm_has_every_row() {
        let issuer = TestIssuer::builder().keys([crate::TestKey::rs256()]).without_socket("https://id.test");
        let token = issuer.token("https://orders.fleet.test");
        assert!(Tamper::all().iter().all(|tamper| tamper.apply_each(&token).len() == 1));
    }
}
