use serde_json::{Map, Value};

use crate::{Algorithm, Jwk, JwkError, NumericDate, PublicKey, base64url, json};

/// The most keys that a set may have.
pub const MAX_KEYS: usize = 32;

/// Why a whole set is refused: it is not what it should be, and no part of it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JwkSetError {
    /// Not an unambiguous JSON object with an array `keys` of objects.
    #[error("not a JWK set")]
    Malformed,
    /// More than [`MAX_KEYS`] keys.
    #[error("more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// Two keys with one kid: which one is meant would depend on the reader.
    #[error("two keys with one kid")]
    DuplicateKid,
    /// A private or symmetric key was published: the issuer has lost it.
    #[error("a private or symmetric key was published")]
    PrivateKey,
}

type Naming = fn(&Map<String, Value>, &str, Jwk) -> Result<Jwk, JwkError>;

/// A set of public keys, checked one by one (RFC 7517 section 5).
#[derive(Debug, Clone)]
pub struct JwkSet {
    keys: Vec<Jwk>,
    skipped: Vec<JwkError>,
}

impl JwkSet {
    /// Reads a set of this house, where a kid is the thumbprint. Keys that are not for us, or not acceptable, are passed over and counted.
    ///
    /// # Errors
    /// [`JwkSetError`] where the set as a whole cannot be trusted.
    pub fn parse(document: &[u8]) -> Result<Self, JwkSetError> {
        Self::parse_with(document, |members, kid, key| {
            let key = if kid == key.kid().as_str() { key } else { return Err(JwkError::OtherKid) };
            let Some(until) = members.get("sign_until") else {
                return Ok(key);
            };
            // A key whose end cannot be read is not one that never ends.
            let until = until.as_u64().ok_or(JwkError::Malformed)?;
            Ok(key.signing_until(NumericDate::from_secs(until)))
        })
    }

    /// Reads the set of an issuer that names its keys as it likes. A name is then a promise of the issuer's
    /// and no longer the key itself. `sign_until` is a member of this house: what others mean by it nobody knows.
    ///
    /// # Errors
    /// [`JwkSetError`] as for [`parse`](Self::parse).
    pub fn parse_foreign(document: &[u8]) -> Result<Self, JwkSetError> {
        Self::parse_with(document, |_, kid, key| {
            kid.parse().map(|kid| key.named(kid)).map_err(|_| JwkError::OtherKid)
        })
    }

    /// `named` answers the key as it is in the set, of these members and by this name, if that will do.
    fn parse_with(document: &[u8], named: Naming) -> Result<Self, JwkSetError> {
        let document: Value = json::from_slice(document).map_err(|_| JwkSetError::Malformed)?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or(JwkSetError::Malformed)?;
        if keys.len() > MAX_KEYS {
            return Err(JwkSetError::TooManyKeys);
        }
        let mut set = Self { keys: Vec::new(), skipped: Vec::new() };
        let mut kids = Vec::new();
        for key in keys {
            let members = key.as_object().ok_or(JwkSetError::Malformed)?;
            refuse_private(members)?;
            if let Some(kid) = members.get("kid").and_then(Value::as_str) {
                if kids.contains(&kid) {
                    return Err(JwkSetError::DuplicateKid);
                }
                kids.push(kid);
            }
            match parse_key(members, named) {
                Ok(key) => set.keys.push(key),
                Err(error) => set.skipped.push(error),
            }
        }
        Ok(set)
    }

    /// The keys that can be used, in the order of the set.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// Why each key that was passed over was passed over.
    #[must_use]
    pub fn skipped(&self) -> &[JwkError] {
        &self.skipped
    }
}

pub(crate) fn refuse_private(members: &Map<String, Value>) -> Result<(), JwkSetError> {
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let symmetric = members.get("kty").and_then(Value::as_str) == Some("oct");
    if symmetric || private.iter().any(|name| members.contains_key(*name)) {
        return Err(JwkSetError::PrivateKey);
    }
    Ok(())
}

fn parse_key(members: &Map<String, Value>, named: Naming) -> Result<Jwk, JwkError> {
    let key = parse_unnamed(members)?;
    let kid = text(members, "kid")?.ok_or(JwkError::Malformed)?;
    let key = named(members, kid, key)?;
    key.verifying_key()?; // a point off the curve is passed over here, not met at the first token
    Ok(key)
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, JwkError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(JwkError::Malformed),
    }
}

/// A public signing key, whatever it is called. Whether its point is on the curve nobody has checked yet.
pub(crate) fn parse_unnamed(members: &Map<String, Value>) -> Result<Jwk, JwkError> {
    let text = |name: &str| text(members, name);
    let bytes = |name: &str| {
        let text = text(name)?.ok_or(JwkError::Malformed)?;
        base64url::decode(text).map_err(|_| JwkError::Malformed)
    };
    let coordinate = |name: &str| -> Result<[u8; 32], JwkError> {
        bytes(name)?.try_into().map_err(|_| JwkError::Malformed)
    };
    let public = match (text("kty")?, text("crv")?) {
        (Some("RSA"), _) => PublicKey::Rsa { n: bytes("n")?, e: bytes("e")? },
        (Some("EC"), Some("P-256")) => PublicKey::P256 { x: coordinate("x")?, y: coordinate("y")? },
        (Some(_), _) => return Err(JwkError::UnknownType),
        (None, _) => return Err(JwkError::Malformed),
    };
    if text("use")?.is_some_and(|usage| usage != "sig") || !may_verify(members.get("key_ops"))? {
        return Err(JwkError::OtherUse);
    }
    if text("alg")?.is_some_and(|alg| alg.parse::<Algorithm>() != Ok(public.alg())) {
        return Err(JwkError::OtherAlgorithm);
    }
    Jwk::new(public)
}

/// Whether `key_ops`, if there, is a list of different strings with `verify` (RFC 7517 section 4.3).
fn may_verify(key_ops: Option<&Value>) -> Result<bool, JwkError> {
    let Some(operations) = key_ops else {
        return Ok(true);
    };
    let operations = operations.as_array().ok_or(JwkError::Malformed)?;
    for (position, operation) in operations.iter().enumerate() {
        if !operation.is_string() || operations[..position].contains(operation) {
            return Err(JwkError::Malformed);
        }
    }
    Ok(operations.iter().any(|operation| operation == "verify"))
}
