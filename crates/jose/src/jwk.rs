use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{Algorithm, Kid, NumericDate, VerifyingKey, base64url};

/// The public parameters of a key. There is no member that could hold a private one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// An RSA key; big-endian without leading zeros (RFC 7518 section 6.3.1).
    Rsa {
        /// The modulus, 2048 to 8192 bits.
        n: Vec<u8>,
        /// The public exponent, odd and at least 65537, of 33 bits at most.
        e: Vec<u8>,
    },
    /// A point on P-256 (RFC 7518 section 6.2.1).
    P256 {
        /// The x coordinate, big-endian.
        x: [u8; 32],
        /// The y coordinate, big-endian.
        y: [u8; 32],
    },
}

impl PublicKey {
    /// The algorithm that keys of this kind work with here.
    #[must_use]
    pub const fn alg(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256 { .. } => Algorithm::Es256,
        }
    }

    /// The members that RFC 7638 section 3.2 requires for the thumbprint, in their order.
    fn canonical_json(&self) -> String {
        match self {
            Self::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, base64url::encode(e), base64url::encode(n))
            }
            Self::P256 { x, y } => format!(
                r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
                base64url::encode(x),
                base64url::encode(y)
            ),
        }
    }

    fn check(&self) -> Result<(), JwkError> {
        let Self::Rsa { n, e } = self else {
            return Ok(()); // that the point is on the curve is checked when the key is prepared
        };
        let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
        let minimal = n.first() != Some(&0) && e.first() != Some(&0);
        let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        // Exponents 1 and 3 sign nothing or admit forgeries. A long one is an attack on our time, and the
        // library refuses it at the first signature: a key that is held must be one that verifies.
        let exponent =
            e.iter().try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)));
        if (2048..=8192).contains(&bits)
            && minimal
            && odd(n)
            && odd(e)
            && exponent.is_some_and(|e| (65537..1 << 33).contains(&e))
        {
            Ok(())
        } else {
            Err(JwkError::InvalidKey)
        }
    }
}

/// Why a single key of a set is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// A key type or curve that we do not use. Not a fault.
    #[error("a kty or crv that is not used here")]
    UnknownType,
    /// `use` is not `sig`, or `key_ops` lacks `verify`.
    #[error("not for verifying signatures")]
    OtherUse,
    /// `alg` does not go with the key.
    #[error("alg does not go with the key")]
    OtherAlgorithm,
    /// A member is missing or malformed.
    #[error("a member is missing or malformed")]
    Malformed,
    /// Parameters out of range, or a point that is not on the curve.
    #[error("not an acceptable public key")]
    InvalidKey,
    /// `kid` is not the key's thumbprint.
    #[error("kid is not the thumbprint")]
    OtherKid,
}

/// A public signing key as it is published (RFC 7517 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    kid: Kid,
    public: PublicKey,
    sign_until: Option<NumericDate>,
}

impl Jwk {
    /// A JWK of acceptable parameters; its `kid` is computed.
    ///
    /// # Errors
    /// [`JwkError::InvalidKey`] for an RSA modulus or exponent out of range.
    pub fn new(public: PublicKey) -> Result<Self, JwkError> {
        public.check()?;
        Ok(Self { kid: Kid::of_canonical_json(&public.canonical_json()), public, sign_until: None })
    }

    /// The same key under the name that another issuer gave it.
    pub(crate) fn named(self, kid: Kid) -> Self {
        Self { kid, ..self }
    }

    /// The same key with the end of its time to sign: the private member `sign_until`, published once its retirement is
    /// decided. A token of it that claims to be issued later (by more than the skew allowed) was not made by the issuer.
    #[must_use]
    pub fn signing_until(self, until: NumericDate) -> Self {
        Self { sign_until: Some(until), ..self }
    }

    /// Until when the key signs, if that is decided.
    #[must_use]
    pub fn sign_until(&self) -> Option<NumericDate> {
        self.sign_until
    }

    /// The key's identifier: its thumbprint, but in a set of [`JwkSet::parse_foreign`](crate::JwkSet::parse_foreign).
    #[must_use]
    pub fn kid(&self) -> &Kid {
        &self.kid
    }

    /// The algorithm that the key works with.
    #[must_use]
    pub fn alg(&self) -> Algorithm {
        self.public.alg()
    }

    /// The public parameters.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Prepares the key for verifying.
    ///
    /// # Errors
    /// [`JwkError::InvalidKey`] if the parameters are no key, such as a point off the curve.
    pub fn verifying_key(&self) -> Result<VerifyingKey, JwkError> {
        VerifyingKey::prepare(self.kid, &self.public, self.sign_until)
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.public {
            PublicKey::Rsa { n, e } => {
                map.serialize_entry("kty", "RSA")?;
                map.serialize_entry("n", &base64url::encode(n))?;
                map.serialize_entry("e", &base64url::encode(e))?;
            }
            PublicKey::P256 { x, y } => {
                map.serialize_entry("kty", "EC")?;
                map.serialize_entry("crv", "P-256")?;
                map.serialize_entry("x", &base64url::encode(x))?;
                map.serialize_entry("y", &base64url::encode(y))?;
            }
        }
        map.serialize_entry("use", "sig")?;
        map.serialize_entry("alg", &self.alg())?;
        map.serialize_entry("kid", &self.kid)?;
        if let Some(until) = &self.sign_until {
            map.serialize_entry("sign_until", until)?;
        }
        map.end()
    }
}
