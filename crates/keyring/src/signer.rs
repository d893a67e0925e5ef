use std::fmt;

/// What makes the signatures of a key: the library, in this process, or the keeper of a key that never leaves it,
/// such as a hardware module.
pub trait Signer: fmt::Debug + Send + Sync {
    /// Signs a message with SHA-256, in the form that a JWS has (RFC 7518 sections 3.3 and 3.4): RSASSA-PKCS1-v1_5,
    /// or `r` and `s` of ECDSA, 32 bytes each. It may block for as long as it likes; whoever calls it sets the limit.
    ///
    /// # Errors
    /// [`SignError::Signature`] if this key will not sign; [`SignError::Unavailable`] if another try may succeed.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// A signature could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The claims do not become JSON.
    #[error("the claims cannot be written as JSON")]
    Claims(#[from] serde_json::Error),
    /// A damaged key.
    #[error("signing failed")]
    Signature,
    /// The keeper of the key gave no signature this time.
    #[error("the keeper of the key gave no signature: {0}")]
    Unavailable(String),
    /// What came back from the keeper of the key is no signature by it. It has not left this process.
    #[error("what came back is no signature by this key")]
    Wrong,
}
