use std::time::Duration;

use claviger_jose::{Kid, NumericDate, Revocations};

/// How far the clocks of issuer and verifier may be apart.
pub(super) const SKEW: Duration = Duration::from_mins(1);

/// The key that a statement's signature was verified with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer {
    /// Its name.
    pub kid: Kid,
    /// Until when it signs, if that is decided.
    pub sign_until: Option<NumericDate>,
}

/// Who reads a statement, and when.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'r> {
    /// The issuer that is trusted, byte for byte.
    pub issuer: &'r str,
    /// The keys of it that are held and not dead.
    pub keys: &'r [Kid],
    /// The wall-clock time.
    pub now: NumericDate,
}

/// Why a statement of the feed is refused. It changes nothing then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StatementFault {
    /// It is no JWS, or its payload is no statement.
    #[error("it is malformed")]
    Malformed,
    /// It is another kind of token.
    #[error("it is another kind of token")]
    OtherKind,
    /// The issuer has no such key.
    #[error("it is signed by a key that the issuer does not publish")]
    UnknownSigner,
    /// Its key is dead.
    #[error("it is signed by a key that is revoked or denied")]
    DeadSigner,
    /// The signature does not verify.
    #[error("its signature is bad")]
    Signature,
    /// Its key had ceased to sign before.
    #[error("it is signed by a key that signs no more")]
    SignedTooLate,
    /// It is from another issuer.
    #[error("it is of another issuer")]
    OtherIssuer,
    /// It ends before it begins, or would be news for more than 10 minutes.
    #[error("its lifetime is not allowed")]
    Lifetime,
    /// It is older than one that was taken before.
    #[error("it is older than one that was taken before")]
    Rollback {
        /// The highest number that was taken.
        held: u64,
        /// The number of this one.
        offered: u64,
    },
}

impl StatementFault {
    /// A name from a closed set, for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::OtherKind => "other_kind",
            Self::UnknownSigner => "unknown_signer",
            Self::DeadSigner => "dead_signer",
            Self::Signature => "signature",
            Self::SignedTooLate => "signed_too_late",
            Self::OtherIssuer => "other_issuer",
            Self::Lifetime => "lifetime",
            Self::Rollback { .. } => "rollback",
        }
    }
}

/// What can be said of a statement without those before it.
pub(super) fn check(
    statement: &Revocations,
    signer: &Signer,
    reader: &Reader<'_>,
) -> Result<(), StatementFault> {
    let Revocations { iss, iat, exp, .. } = statement;
    if !reader.keys.contains(&signer.kid) {
        return Err(StatementFault::UnknownSigner);
    }
    if iss != reader.issuer {
        return Err(StatementFault::OtherIssuer);
    }
    if exp <= iat || exp.since(*iat) > Revocations::MAX_LIFETIME {
        return Err(StatementFault::Lifetime);
    }
    if signer.sign_until.is_some_and(|until| *iat > until + SKEW) {
        return Err(StatementFault::SignedTooLate);
    }
    Ok(())
}

/// Whether a statement that was signed then is not news yet: a clock is wrong, and nobody knows which.
pub(super) fn is_from_future(iat: NumericDate, now: NumericDate) -> bool {
    iat > now + SKEW
}
