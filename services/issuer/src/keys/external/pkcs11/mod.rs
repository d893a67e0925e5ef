//! Keys in a PKCS#11 module: a hardware module, or a program that behaves like one.

mod generate;
mod sessions;
mod signer;

use std::{fmt::Write, sync::Arc};

use claviger_jose::{Algorithm, Jwk};
use claviger_keyring::{Reference, Signer};
use cryptoki::object::{Attribute, ObjectClass};

use self::{sessions::Sessions, signer::Pkcs11Signer};
use super::{KeyModule, ModuleError};
use crate::keys::Pkcs11Settings;

/// What a reference begins with: a URI of RFC 7512 that names the object by its id alone, so that the token can move
/// to another module.
const URI: &str = "pkcs11:type=private;id=";

/// A token of a PKCS#11 module, in which the signing keys are made and stay.
#[derive(Debug)]
pub struct Pkcs11Module {
    sessions: Arc<Sessions>,
}

impl Pkcs11Module {
    /// Loads the module and logs in to the token. It may take as long as the module likes.
    ///
    /// # Errors
    /// [`ModuleError`]: no such module or token, or it does not let us in. A wrong PIN is tried once only: a few more
    /// tries would lock the token.
    pub fn open(settings: &Pkcs11Settings) -> Result<Self, ModuleError> {
        Ok(Self { sessions: Arc::new(Sessions::open(settings)?) })
    }
}

impl KeyModule for Pkcs11Module {
    fn generate(&self, alg: Algorithm) -> Result<(Reference, Jwk), ModuleError> {
        let (id, jwk) = generate::generate(&self.sessions, alg)?;
        Ok((reference(&id), jwk))
    }

    fn signer(&self, alg: Algorithm, reference: &Reference) -> Result<Arc<dyn Signer>, ModuleError> {
        Ok(Arc::new(Pkcs11Signer::new(Arc::clone(&self.sessions), alg, id(reference)?)))
    }

    fn destroy(&self, reference: &Reference) -> Result<(), ModuleError> {
        let id = id(reference)?;
        let destroyed = self.sessions.with(|session| {
            for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
                for object in session.find_objects(&[Attribute::Class(class), Attribute::Id(id.clone())])? {
                    session.destroy_object(object)?;
                }
            }
            Ok(())
        });
        destroyed.map_err(|error| failed("destroying a key", &error))
    }
}

fn reference(id: &[u8]) -> Reference {
    let mut uri = URI.to_owned();
    for byte in id {
        write!(uri, "%{byte:02x}").expect("a string takes everything");
    }
    Reference(uri)
}

fn id(reference: &Reference) -> Result<Vec<u8>, ModuleError> {
    let bytes = reference.0.strip_prefix(URI).and_then(|escaped| {
        let pairs = escaped.strip_prefix('%')?.split('%');
        pairs.map(|pair| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok())?).collect()
    });
    bytes.ok_or_else(|| ModuleError {
        what: "opening a key".to_owned(),
        reason: "its reference is not one of a PKCS#11 module".to_owned(),
    })
}

fn failed(what: &str, error: &cryptoki::error::Error) -> ModuleError {
    ModuleError { what: what.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_the_object_and_nothing_else_is_one() {
        let made = reference(&[0, 0x1f, 0xff]);
        assert_eq!(made.0, "pkcs11:type=private;id=%00%1f%ff");
        assert_eq!(id(&made).unwrap(), [0, 0x1f, 0xff]);
        for other in [
            "",
            "pkcs11:type=private;id=",
            "pkcs11:type=private;id=%0",
            "pkcs11:type=private;id=%0g",
            "kms:a",
        ] {
            assert!(id(&Reference(other.to_owned())).is_err(), "{other}");
        }
    }
}
