use claviger_oauth::{RedirectAnswer, TargetError};
use claviger_store::StoreError;

use crate::{browser::FormRefusal, pages::ErrorCase, provider::Locked};

/// Why a browser does not get what it asks for, typed by where the answer may go.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A page: nobody is proven to whom the browser could be sent back (RFC 6749 section 4.1.2.1).
    Page(ErrorCase),
    /// Back to the client.
    Client {
        /// What it is called.
        client: String,
        /// How it is told.
        answer: Box<RedirectAnswer>,
    },
    /// A page that says when to try again, and how without losing anything.
    Unavailable {
        /// Where to go on.
        retry: Option<String>,
    },
}

impl Refusal {
    /// The same, with where to go on if it was only that something does not answer.
    pub(super) fn with_retry(self, retry: impl FnOnce() -> Option<String>) -> Self {
        match self {
            Self::Unavailable { retry: None } => Self::Unavailable { retry: retry() },
            other => other,
        }
    }
}

/// That the database does not answer is nobody's fault, and never taken for an answer.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            tracing::warn!(%error, "nobody can sign in");
        } else {
            tracing::error!(%error, "nobody can sign in");
        }
        Self::Unavailable { retry: None }
    }
}

/// Without the issuer's own secret no page can be sealed.
impl From<Locked> for Refusal {
    fn from(Locked: Locked) -> Self {
        Self::Unavailable { retry: None }
    }
}

impl From<TargetError> for Refusal {
    fn from(error: TargetError) -> Self {
        tracing::info!(%error, "an authorization request has no place to be answered at");
        Self::Page(match error {
            TargetError::NoClient | TargetError::UnknownClient => ErrorCase::UnknownClient,
            TargetError::NoRedirectUri | TargetError::UnknownRedirectUri => ErrorCase::RedirectUri,
            _ => ErrorCase::Malformed,
        })
    }
}

impl From<FormRefusal> for Refusal {
    fn from(refusal: FormRefusal) -> Self {
        tracing::info!(%refusal, "a posted form is refused");
        Self::Page(match refusal {
            FormRefusal::Foreign(_) => ErrorCase::Forged,
            FormRefusal::Malformed(_) => ErrorCase::Malformed,
        })
    }
}
