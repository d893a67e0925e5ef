use claviger_jose::{Algorithm, Jwk, PublicKey};
use claviger_keyring::rand_core::RngCore;
use cryptoki::{
    error::{Error, Result},
    mechanism::Mechanism,
    object::{Attribute, AttributeType, ObjectHandle},
    session::Session,
};

use super::{failed, sessions::Sessions};
use crate::{keys::ModuleError, rng::SystemRng};

/// NIST SP 800-57 part 1 table 2: as the keys that are made here.
const RSA_BITS: u64 = 2048;
/// The object identifier of P-256 (RFC 5480 section 2.1.1.1), in DER.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const MAKING: &str = "making a key";

/// Makes a key pair in the token, and answers its id and its public half.
pub(super) fn generate(
    sessions: &Sessions,
    alg: Algorithm,
) -> std::result::Result<(Vec<u8>, Jwk), ModuleError> {
    // Chosen here and at random: two replicas may make keys in one token at the same time.
    let mut id = vec![0; 16];
    SystemRng.fill_bytes(&mut id);
    let made = sessions.with(|session| {
        let (public, private) = generate_pair(session, alg, &id)?;
        let accepted = accept(session, alg, public, private);
        if !matches!(accepted, Ok(Some(_))) {
            session.destroy_object(private)?;
            session.destroy_object(public)?;
        }
        accepted
    });
    let refused = |reason: &str| ModuleError { what: MAKING.to_owned(), reason: reason.to_owned() };
    let public = made.map_err(|error| failed(MAKING, &error))?;
    let public = public.ok_or_else(|| refused("the module made one that can be taken out of it"))?;
    let jwk = Jwk::new(public).map_err(|_| refused("the module made one that is too weak"))?;
    Ok((id, jwk))
}

fn generate_pair(session: &Session, alg: Algorithm, id: &[u8]) -> Result<(ObjectHandle, ObjectHandle)> {
    let label = format!("claviger {alg}").into_bytes();
    let mut public = vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Id(id.to_owned()),
        Attribute::Label(label.clone()),
    ];
    let mechanism = match alg {
        Algorithm::Rs256 => {
            public.push(Attribute::ModulusBits(RSA_BITS.into()));
            public.push(Attribute::PublicExponent(vec![1, 0, 1]));
            Mechanism::RsaPkcsKeyPairGen
        }
        Algorithm::Es256 => {
            public.push(Attribute::EcParams(P256.to_vec()));
            Mechanism::EccKeyPairGen
        }
    };
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Id(id.to_owned()),
        Attribute::Label(label),
    ];
    session.generate_key_pair(&mechanism, &public, &private)
}

/// The public half, if the private one cannot be taken out.
fn accept(
    session: &Session,
    alg: Algorithm,
    public: ObjectHandle,
    private: ObjectHandle,
) -> Result<Option<PublicKey>> {
    let asked = [AttributeType::Sensitive, AttributeType::Extractable];
    let kept = session.get_attributes(private, &asked)?;
    let stays = kept.contains(&Attribute::Sensitive(true)) && kept.contains(&Attribute::Extractable(false));
    Ok(if stays { Some(public_half(session, alg, public)?) } else { None })
}

fn public_half(session: &Session, alg: Algorithm, public: ObjectHandle) -> Result<PublicKey> {
    match alg {
        Algorithm::Rs256 => {
            let asked = [AttributeType::Modulus, AttributeType::PublicExponent];
            let (mut n, mut e) = (Vec::new(), Vec::new());
            for attribute in session.get_attributes(public, &asked)? {
                match attribute {
                    Attribute::Modulus(bytes) => n = without_zeros(&bytes),
                    Attribute::PublicExponent(bytes) => e = without_zeros(&bytes),
                    _ => {}
                }
            }
            Ok(PublicKey::Rsa { n, e })
        }
        Algorithm::Es256 => {
            let attributes = session.get_attributes(public, &[AttributeType::EcPoint])?;
            let Some(Attribute::EcPoint(point)) = attributes.first() else {
                return Err(Error::InvalidValue);
            };
            // X9.62 uncompressed, 4, x, y: in an OCTET STRING by the standard, without it by some modules.
            let (x, y) = match point[..] {
                [0x04, 0x41, 4, ref coordinates @ ..] | [4, ref coordinates @ ..]
                    if coordinates.len() == 64 =>
                {
                    coordinates.split_at(32)
                }
                _ => return Err(Error::InvalidValue),
            };
            Ok(PublicKey::P256 { x: x.try_into()?, y: y.try_into()? })
        }
    }
}

fn without_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}
