use std::{fmt, ops::Deref, sync::Arc};

use http::Response;

use crate::{
    Refusal, Verifier,
    answer::{AnswerBody, Answers},
};

/// A refusal on its way to the caller, in the words of the verifier that refused. Made by the extractors, and
/// by [`Verifier::refuse`].
#[derive(Debug, Clone)]
pub struct Rejection {
    refusal: Refusal,
    answers: Arc<Answers>,
}

impl Verifier {
    /// Answers a refusal as this verifier does: with its challenges and, if it has them, its own answers. A
    /// [`Refusal`] that a handler passes on by `?` is answered in the default way.
    #[must_use]
    pub fn refuse(&self, refusal: Refusal) -> Rejection {
        Rejection { refusal, answers: Arc::clone(self.answers()) }
    }
}

impl Rejection {
    /// What the caller is answered, in HTTP.
    #[must_use]
    pub fn response(&self) -> Response<AnswerBody> {
        self.answers.answer(&self.refusal)
    }

    /// The refusal, by value.
    #[must_use]
    pub fn into_refusal(self) -> Refusal {
        self.refusal
    }
}

/// In the default words: for a refusal that no verifier is at hand for.
impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, answers: Arc::default() }
    }
}

impl Deref for Rejection {
    type Target = Refusal;

    fn deref(&self) -> &Refusal {
        &self.refusal
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl std::error::Error for Rejection {}
