use std::{fmt, time::Duration};

use crate::{cli::words::span, config::Config};

/// U: how soon a verifier of ours looks again for a key that it does not know.
const UNKNOWN_KID: Duration = Duration::from_secs(30);
/// From a change to the replicas publishing it, and a fetch.
const MOMENT: Duration = Duration::from_secs(2);
/// How long a verifier takes to read a changed key set, retries included.
const FETCH: Duration = Duration::from_secs(10);
/// How soon a verifier reads its deny file again.
const DENY_FILE: Duration = Duration::from_secs(5);

/// For how long verifiers may not know what has changed, from the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Horizons {
    /// Those that read the feed.
    pub(super) feed: Duration,
    /// Those that read the key set only.
    pub(super) key_set: Duration,
    /// Those that reach nobody.
    pub(super) cut_off: Duration,
    /// How long valid tokens of a key that nobody was told of are refused at most: U + C.
    pub(super) rejects: Duration,
    /// Until the last token that is out now has expired at every verifier: T + S.
    pub(super) tokens: Duration,
}

impl Horizons {
    pub(super) fn of(config: &Config) -> Self {
        let lifetimes = config.policy.lifetimes();
        Self {
            feed: config.poll + MOMENT,
            key_set: lifetimes.freshness + FETCH,
            cut_off: config.staleness.max(lifetimes.freshness),
            rejects: UNKNOWN_KID + lifetimes.freshness,
            tokens: lifetimes.token + lifetimes.skew,
        }
    }

    /// How long a revoked key may still be accepted.
    pub(super) fn of_a_key(&self) -> OfAKey {
        OfAKey(*self)
    }

    /// How long something else that was revoked may still be accepted.
    pub(super) fn of_tokens(&self) -> OfTokens {
        OfTokens(*self)
    }

    /// What a key costs that signs before verifiers have learned it.
    pub(super) fn of_an_unknown_key(&self) -> String {
        let Self { feed, rejects, .. } = self;
        format!(
            "expect rejects: every token of the new key is refused by a verifier until it has learned the key, with \
             the feed for at most {}, without it for at most {} (U + C); other products may take an hour",
            span(*feed),
            span(*rejects)
        )
    }
}

/// A key that is dead: where it may still be accepted, and for how long.
#[derive(Debug)]
pub(super) struct OfAKey(Horizons);

impl fmt::Display for OfAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Horizons { feed, key_set, cut_off, .. } = self.0;
        writeln!(f, "worst case from now:")?;
        writeln!(f, "  verifiers with the feed        {} (F and a moment)", span(feed))?;
        writeln!(f, "  verifiers with the key set     {} (C + 10 s)", span(key_set))?;
        writeln!(f, "  verifiers that are cut off     {} (M) after their last contact", span(cut_off))?;
        write!(f, "  ... or, with a deny file       {} after it has the kid", span(DENY_FILE))
    }
}

/// Tokens that are dead: where they may still be accepted, and for how long.
#[derive(Debug)]
pub(super) struct OfTokens(Horizons);

impl fmt::Display for OfTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Horizons { feed, tokens, .. } = self.0;
        writeln!(f, "worst case from now:")?;
        writeln!(f, "  verifiers with the feed        {} (F and a moment)", span(feed.min(tokens)))?;
        write!(f, "  verifiers without, or cut off  {} (T + S): the tokens expire", span(tokens))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::expect;

    use super::*;

    fn horizons(more: &str) -> Horizons {
        let text = format!(
            "issuer = \"https://id.test\"\nlisten = \"127.0.0.1:0\"\ndatabase = \"sqlite://x\"\nkey_encryption_key = \"kek\"\n{more}"
        );
        Horizons::of(&Config::parse("test", &text, Path::new(""), |_| None).unwrap())
    }

    // S-42
    #[test]
    fn the_worst_case_is_computed_from_the_configuration() {
        expect![[r"
            worst case from now:
              verifiers with the feed        17s (F and a moment)
              verifiers with the key set     5m 10s (C + 10 s)
              verifiers that are cut off     1day (M) after their last contact
              ... or, with a deny file       5s after it has the kid"]]
        .assert_eq(&horizons("").of_a_key().to_string());
        let other = horizons("[verifiers]\nfreshness = \"60s\"\nstaleness = \"0s\"\npoll = \"60s\"");
        expect![[r"
            worst case from now:
              verifiers with the feed        1m 2s (F and a moment)
              verifiers with the key set     1m 10s (C + 10 s)
              verifiers that are cut off     1m (M) after their last contact
              ... or, with a deny file       5s after it has the kid"]]
        .assert_eq(&other.of_a_key().to_string());
    }

    #[test]
    fn a_token_dies_by_itself_where_nobody_is_told() {
        expect![[r"
            worst case from now:
              verifiers with the feed        17s (F and a moment)
              verifiers without, or cut off  5m 30s (T + S): the tokens expire"]]
        .assert_eq(&horizons("").of_tokens().to_string());
    }

    // S-45
    #[test]
    fn the_rejects_to_expect_are_told_with_their_bound() {
        assert!(horizons("").of_an_unknown_key().contains("at most 5m 30s (U + C)"));
    }
}
