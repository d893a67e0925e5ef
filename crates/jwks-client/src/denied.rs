use std::collections::BTreeSet;

use claviger_jose::Kid;

/// How many kids can be denied.
pub(crate) const MAX_DENIED: usize = 1024;

/// The kids that are dead here, whatever the issuer publishes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Denied(BTreeSet<Kid>);

/// Why a kid was not denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DenyError {
    /// The list is full. No earlier kid is forgotten for a new one: that would revive a stolen key.
    #[error(
        "{MAX_DENIED} kids are denied already; have the issuer revoke its keys, then begin anew, without the disk copy"
    )]
    Full,
}

impl Denied {
    /// Adds a kid; answers whether it is new.
    pub(crate) fn deny(&mut self, kid: Kid) -> Result<bool, DenyError> {
        if self.0.contains(&kid) {
            return Ok(false);
        }
        if self.0.len() >= MAX_DENIED {
            return Err(DenyError::Full);
        }
        Ok(self.0.insert(kid))
    }

    /// Adds those of another list. Neither forgets anything for the bound, which is one for what is new.
    pub(crate) fn add(&mut self, others: &Self) {
        self.0.extend(&others.0);
    }

    /// Adds a kid that is denied elsewhere; answers whether it is new here.
    pub(crate) fn insert(&mut self, kid: Kid) -> bool {
        self.0.insert(kid)
    }

    pub(crate) fn contains(&self, kid: &Kid) -> bool {
        self.0.contains(kid)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn kids(&self) -> Vec<Kid> {
        self.0.iter().copied().collect()
    }
}

impl FromIterator<Kid> for Denied {
    /// All of them: those of a copy on disk were denied once, and the copy is bounded.
    fn from_iter<I: IntoIterator<Item = Kid>>(kids: I) -> Self {
        Self(kids.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_forgets_nothing() {
        let mut denied = Denied::default();
        let kid = |number: usize| format!("kid-{number}").parse::<Kid>().unwrap();
        for number in 0..MAX_DENIED {
            assert_eq!(denied.deny(kid(number)), Ok(true));
        }
        assert_eq!(denied.deny(kid(MAX_DENIED)), Err(DenyError::Full));
        assert_eq!(denied.deny(kid(0)), Ok(false), "to deny again is no fault");
        assert!(denied.contains(&kid(0)) && !denied.contains(&kid(MAX_DENIED)));
    }
}
