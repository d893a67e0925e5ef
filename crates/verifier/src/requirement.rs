//! What a route asks of its caller besides a good token: declared once, by a type or a value.

use std::time::Duration;

use claviger_oauth::Scope;

use crate::{Principal, Refusal};

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// The token allows this scope.
    Scope(StaticScope),
    /// The subject has this role.
    Role(&'static str),
    /// The token has this claim with this value, or with an array that has it.
    Claim {
        /// The claim.
        name: &'static str,
        /// The value, a string.
        value: &'static str,
    },
    /// The subject authenticated in person no longer ago than this
    /// ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)).
    AuthenticatedWithin(Duration),
    /// The subject authenticated in one of these ways, the preferred one first (RFC 9470).
    Acr(&'static [&'static str]),
}

impl Requirement {
    pub(crate) fn check<C>(&self, principal: &Principal<C>) -> Result<(), Refusal> {
        match *self {
            Self::Scope(scope) if principal.has_scope(scope.as_str()) => Ok(()),
            Self::Scope(scope) => Err(Refusal::InsufficientScope(scope.into())),
            Self::Role(role) if principal.has_role(role) => Ok(()),
            Self::Claim { name, value } if has_claim(principal, name, value) => Ok(()),
            Self::Role(_) | Self::Claim { .. } => Err(Refusal::Forbidden(*self)),
            Self::AuthenticatedWithin(max_age)
                if principal.authenticated_ago().is_some_and(|ago| ago <= max_age) =>
            {
                Ok(())
            }
            Self::Acr(accepted) if principal.acr().is_some_and(|acr| accepted.contains(&acr)) => Ok(()),
            Self::AuthenticatedWithin(_) | Self::Acr(_) => Err(Refusal::StepUp(*self)),
        }
    }

    /// A stable code for logs and metrics.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Scope(_) => "insufficient_scope",
            Self::Role(_) => "insufficient_role",
            Self::Claim { .. } => "insufficient_claim",
            Self::AuthenticatedWithin(_) => "authentication_too_old",
            Self::Acr(_) => "insufficient_acr",
        }
    }
}

fn has_claim<C>(principal: &Principal<C>, name: &str, value: &str) -> bool {
    match principal.claim::<serde_json::Value>(name) {
        Some(serde_json::Value::String(held)) => held == value,
        Some(serde_json::Value::Array(held)) => held.iter().any(|held| held.as_str() == Some(value)),
        _ => false,
    }
}

/// A type that stands for what a handler requires: the parameter of `Authorized`. Declared by
/// [`required_scope!`](crate::required_scope), [`required_role!`](crate::required_role),
/// [`required_claim!`](crate::required_claim) and [`required_authentication!`](crate::required_authentication);
/// a tuple requires all of its members.
pub trait Required {
    /// Goes on only if the caller may.
    ///
    /// # Errors
    /// The refusal that belongs to the requirement.
    fn check<C>(principal: &Principal<C>) -> Result<(), Refusal>;
}

impl<A: Required, B: Required> Required for (A, B) {
    fn check<C>(principal: &Principal<C>) -> Result<(), Refusal> {
        A::check(principal)?;
        B::check(principal)
    }
}

impl<A: Required, B: Required, D: Required> Required for (A, B, D) {
    fn check<C>(principal: &Principal<C>) -> Result<(), Refusal> {
        A::check(principal)?;
        <(B, D)>::check(principal)
    }
}

/// A scope that is written in the program text. One that breaks the grammar does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaticScope(&'static str);

impl StaticScope {
    /// A scope: 1 to 128 printable ASCII characters without space, `"` and `\`
    /// ([RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
    ///
    /// # Panics
    /// If the text is none; in a constant, that is an error of the compiler.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        let bytes = text.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= 128, "a scope has 1 to 128 characters");
        let mut at = 0;
        while at < bytes.len() {
            let is_scope_character = matches!(bytes[at], 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
            assert!(is_scope_character, "a scope has printable ASCII characters without space, \" and \\");
            at += 1;
        }
        Self(text)
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl From<StaticScope> for Scope {
    fn from(scope: StaticScope) -> Self {
        scope.0.parse().expect("a static scope was checked against the same grammar")
    }
}

/// Declares a type that requires a scope.
///
/// ```
/// claviger_verifier::required_scope!(pub OrdersRead = "orders:read");
/// ```
///
/// A text that is no scope does not compile:
/// ```compile_fail
/// claviger_verifier::required_scope!(pub OrdersRead = "orders read");
/// ```
#[macro_export]
macro_rules! required_scope {
    ($visibility:vis $name:ident = $scope:literal) => {
        $crate::requirement!(
            #[doc = concat!("Requires the scope `", $scope, "`.")]
            $visibility $name = $crate::Requirement::Scope($crate::StaticScope::new($scope))
        );
    };
}

/// Declares a type that requires a role.
///
/// ```
/// claviger_verifier::required_role!(pub Admin = "admin");
/// ```
#[macro_export]
macro_rules! required_role {
    ($visibility:vis $name:ident = $role:literal) => {
        $crate::requirement!(
            #[doc = concat!("Requires the role `", $role, "`.")]
            $visibility $name = $crate::Requirement::Role($role)
        );
    };
}

/// Declares a type that requires a value of a claim.
///
/// ```
/// claviger_verifier::required_claim!(pub InEurope = "region": "eu");
/// ```
#[macro_export]
macro_rules! required_claim {
    ($visibility:vis $name:ident = $claim:literal : $value:literal) => {
        $crate::requirement!(
            #[doc = concat!("Requires the claim `", $claim, "` to be or to have `", $value, "`.")]
            $visibility $name = $crate::Requirement::Claim { name: $claim, value: $value }
        );
    };
}

/// Declares a type that requires a recent authentication, or one of a kind (RFC 9470).
///
/// ```
/// claviger_verifier::required_authentication!(pub Recent = within 300 seconds);
/// claviger_verifier::required_authentication!(pub TwoFactors = acr "mfa", "hwk");
/// ```
#[macro_export]
macro_rules! required_authentication {
    ($visibility:vis $name:ident = within $seconds:literal seconds) => {
        $crate::requirement!(
            #[doc = concat!("Requires an authentication in person within ", $seconds, " seconds.")]
            $visibility $name =
                $crate::Requirement::AuthenticatedWithin(::core::time::Duration::from_secs($seconds))
        );
    };
    ($visibility:vis $name:ident = acr $($acr:literal),+) => {
        $crate::requirement!(
            #[doc = concat!("Requires an authentication of one of the kinds", $(" `", $acr, "`",)+ ".")]
            $visibility $name = $crate::Requirement::Acr(&[$($acr),+])
        );
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! requirement {
    ($(#[$doc:meta])* $visibility:vis $name:ident = $requirement:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        $visibility struct $name;

        impl $name {
            // A constant, so that the compiler looks at it even if nothing requires it yet.
            const REQUIREMENT: $crate::Requirement = $requirement;
        }

        const _: $crate::Requirement = $name::REQUIREMENT;

        impl $crate::Required for $name {
            fn check<C>(principal: &$crate::Principal<C>) -> ::core::result::Result<(), $crate::Refusal> {
                principal.require(&Self::REQUIREMENT)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_knows_the_same_grammar() {
        for byte in 0..=0x7F_u8 {
            let text: &'static str = String::from(char::from(byte)).leak();
            let compiled = std::panic::catch_unwind(|| StaticScope::new(text)).is_ok();
            assert_eq!(compiled, text.parse::<Scope>().is_ok(), "{byte}");
        }
        assert_eq!(Scope::from(StaticScope::new("orders:read")).as_str(), "orders:read");
    }
}
