use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use claviger_jose::Algorithm;
use claviger_keyring::{SignError, Signer};
use cryptoki::{
    error::Result,
    mechanism::Mechanism,
    object::{Attribute, ObjectClass, ObjectHandle},
    session::Session,
};

use super::sessions::Sessions;

/// Signs with one key of a token.
#[derive(Debug)]
pub(super) struct Pkcs11Signer {
    sessions: Arc<Sessions>,
    alg: Algorithm,
    id: Vec<u8>,
    /// Where the module has it; forgotten when anything fails.
    handle: Mutex<Option<ObjectHandle>>,
}

impl Pkcs11Signer {
    pub(super) fn new(sessions: Arc<Sessions>, alg: Algorithm, id: Vec<u8>) -> Self {
        Self { sessions, alg, id, handle: Mutex::default() }
    }

    fn known(&self) -> Option<ObjectHandle> {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, handle: Option<ObjectHandle>) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = handle;
    }

    fn find(&self, session: &Session) -> Result<Option<ObjectHandle>> {
        if let Some(handle) = self.known() {
            return Ok(Some(handle));
        }
        let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(self.id.clone())];
        let found = session.find_objects(&template)?.first().copied();
        self.note(found);
        Ok(found)
    }

    fn sign_in(&self, session: &Session, message: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(key) = self.find(session)? else { return Ok(None) };
        let signature = match self.alg {
            Algorithm::Rs256 => session.sign(&Mechanism::Sha256RsaPkcs, key, message),
            // The module hashes for RSA; for ECDSA hardly any does. It answers r and s in 32 bytes each.
            Algorithm::Es256 => {
                let hash = digest::digest(&digest::SHA256, message);
                session.sign(&Mechanism::Ecdsa, key, hash.as_ref())
            }
        };
        signature.map(Some)
    }
}

impl Signer for Pkcs11Signer {
    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, SignError> {
        match self.sessions.with(|session| self.sign_in(session, message)) {
            Ok(Some(signature)) => Ok(signature),
            Ok(None) => Err(SignError::Unavailable("the token has no such key".to_owned())),
            Err(error) => {
                self.note(None);
                Err(SignError::Unavailable(error.to_string()))
            }
        }
    }
}
