//! Scopes that stand in the code: checked when it is compiled, required by a type.

use claviger_oauth::Scope;

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

/// A type that stands for a scope which a handler requires: the parameter of
/// [`Scoped`](crate::Scoped). Declared by [`required_scope!`](crate::required_scope).
pub trait RequiredScope {
    /// The scope.
    const SCOPE: StaticScope;
}

/// Declares a type that stands for a scope, to be required by [`Scoped`](crate::Scoped).
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
        #[doc = concat!("Requires the scope `", $scope, "`.")]
        #[derive(Debug, Clone, Copy)]
        $visibility struct $name;

        // The compiler looks at this one even if nothing requires the scope yet.
        const _: $crate::StaticScope = $crate::StaticScope::new($scope);

        impl $crate::RequiredScope for $name {
            const SCOPE: $crate::StaticScope = $crate::StaticScope::new($scope);
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
