use claviger_jose::NumericDate;

/// Where a key is in its life (NIST SP 800-57 part 1, section 7). Forward only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, but silent: caches are learning it. As trusted as an active key.
    Prepared {
        /// Since when it is published.
        since: NumericDate,
    },
    /// Signs, and verifies.
    Active {
        /// Since when it signs.
        since: NumericDate,
    },
    /// Verifies what it has signed, and signs no more.
    Retiring {
        /// Since when it signs no more.
        since: NumericDate,
        /// Until when it stays published.
        until: NumericDate,
    },
    /// Gone: a tombstone, so that its kid never returns.
    Removed {
        /// When it left the set.
        at: NumericDate,
    },
    /// Declared dead ahead of its time; it left the set at once.
    Revoked {
        /// When it was declared dead.
        at: NumericDate,
    },
}

/// A key cannot go from where it is to where it was asked to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key that is {from} cannot {verb}")]
pub struct IllegalTransition {
    from: &'static str,
    verb: &'static str,
}

impl KeyState {
    /// `Prepared → Active`.
    ///
    /// # Errors
    /// [`IllegalTransition`] from any other state.
    pub fn activate(self, now: NumericDate) -> Result<Self, IllegalTransition> {
        match self {
            Self::Prepared { .. } => Ok(Self::Active { since: now }),
            _ => Err(self.refuse("be activated")),
        }
    }

    /// `Active → Retiring`.
    ///
    /// # Errors
    /// [`IllegalTransition`] from any other state.
    pub fn retire(self, now: NumericDate, until: NumericDate) -> Result<Self, IllegalTransition> {
        match self {
            Self::Active { .. } => Ok(Self::Retiring { since: now, until }),
            _ => Err(self.refuse("retire")),
        }
    }

    /// `Retiring → Removed`, once its time is over.
    ///
    /// # Errors
    /// [`IllegalTransition`] from any other state, and before `until`.
    pub fn remove(self, now: NumericDate) -> Result<Self, IllegalTransition> {
        match self {
            Self::Retiring { until, .. } if now >= until => Ok(Self::Removed { at: now }),
            _ => Err(self.refuse("be removed now")),
        }
    }

    /// Any state but `Revoked` itself `→ Revoked`.
    ///
    /// # Errors
    /// [`IllegalTransition`] if the key is revoked already: its time of death stays.
    pub fn revoke(self, now: NumericDate) -> Result<Self, IllegalTransition> {
        match self {
            Self::Revoked { .. } => Err(self.refuse("be revoked again")),
            _ => Ok(Self::Revoked { at: now }),
        }
    }

    /// Whether a key in this state is in the published set.
    #[must_use]
    pub fn is_published(self) -> bool {
        matches!(self, Self::Prepared { .. } | Self::Active { .. } | Self::Retiring { .. })
    }

    /// The state's name, as it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepared { .. } => "prepared",
            Self::Active { .. } => "active",
            Self::Retiring { .. } => "retiring",
            Self::Removed { .. } => "removed",
            Self::Revoked { .. } => "revoked",
        }
    }

    /// When the key entered this state.
    #[must_use]
    pub const fn since(self) -> NumericDate {
        match self {
            Self::Prepared { since } | Self::Active { since } | Self::Retiring { since, .. } => since,
            Self::Removed { at } | Self::Revoked { at } => at,
        }
    }

    /// When the key will leave this state by the clock alone: only a retiring key does.
    #[must_use]
    pub const fn until(self) -> Option<NumericDate> {
        match self {
            Self::Retiring { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Puts together what [`name`](Self::name), [`since`](Self::since) and
    /// [`until`](Self::until) took apart; `None` if it does not fit together.
    #[must_use]
    pub fn from_parts(name: &str, since: NumericDate, until: Option<NumericDate>) -> Option<Self> {
        match (name, until) {
            ("prepared", None) => Some(Self::Prepared { since }),
            ("active", None) => Some(Self::Active { since }),
            ("retiring", Some(until)) => Some(Self::Retiring { since, until }),
            ("removed", None) => Some(Self::Removed { at: since }),
            ("revoked", None) => Some(Self::Revoked { at: since }),
            _ => None,
        }
    }

    fn refuse(self, verb: &'static str) -> IllegalTransition {
        IllegalTransition { from: self.name(), verb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> NumericDate {
        NumericDate::from_secs(secs)
    }

    // S-31
    #[test]
    fn only_the_transitions_of_the_life_of_a_key_exist() {
        let states = [
            KeyState::Prepared { since: at(1) },
            KeyState::Active { since: at(1) },
            KeyState::Retiring { since: at(1), until: at(5) },
            KeyState::Removed { at: at(1) },
            KeyState::Revoked { at: at(1) },
        ];
        let reachable = |state: KeyState, now| {
            let next = [state.activate(now), state.retire(now, at(9)), state.remove(now), state.revoke(now)];
            next.map(|next| next.map_or("-", KeyState::name)).join(" ")
        };
        let at_5 = states.map(|state| reachable(state, at(5)));
        assert_eq!(
            at_5,
            ["active - - revoked", "- retiring - revoked", "- - removed revoked", "- - - revoked", "- - - -",]
        );
        assert_eq!(reachable(states[2], at(4)), "- - - revoked", "a tail cannot be cut short");
    }

    #[test]
    fn parts_go_together_as_they_came_apart_and_in_no_other_way() {
        for state in [
            KeyState::Prepared { since: at(1) },
            KeyState::Active { since: at(2) },
            KeyState::Retiring { since: at(3), until: at(4) },
            KeyState::Removed { at: at(5) },
            KeyState::Revoked { at: at(6) },
        ] {
            assert_eq!(KeyState::from_parts(state.name(), state.since(), state.until()), Some(state));
        }
        assert_eq!(KeyState::from_parts("retiring", at(1), None), None);
        assert_eq!(KeyState::from_parts("active", at(1), Some(at(2))), None);
        assert_eq!(KeyState::from_parts("ACTIVE", at(1), None), None);
    }
}
