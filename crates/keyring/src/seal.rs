use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rsa::rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::{KeyContext, KeyEncryptionKey};

const FORMAT: u8 = 1;
const TAG: usize = 16;
const DATA_KEY: usize = 32;
/// format, nonce and wrapped data key with its tag
const HEAD: usize = 1 + NONCE_LEN + DATA_KEY + TAG;

/// A private key in PKCS#8 DER; wiped from memory when dropped.
pub struct Pkcs8(pub(crate) Zeroizing<Vec<u8>>);

/// Where a private key is kept that never leaves there, in the words of its keeper. No secret, but sealed like one:
/// whoever can write the database must not be able to point a row at another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(pub String);

/// What is sealed of a signing key.
#[derive(Debug)]
pub enum Secret {
    /// The private key itself.
    Pkcs8(Pkcs8),
    /// Where the private key is kept.
    Reference(Reference),
}

/// What a sealed reference begins with. A key in PKCS#8 begins with 0x30, a SEQUENCE.
const REFERENCE: u8 = 1;

impl Secret {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Pkcs8(Pkcs8(der)) => der.clone(),
            Self::Reference(Reference(text)) => Zeroizing::new([&[REFERENCE], text.as_bytes()].concat()),
        }
    }

    fn decode(bytes: Zeroizing<Vec<u8>>) -> Result<Self, Unsealable> {
        match bytes.split_first() {
            Some((&REFERENCE, text)) => {
                let text = str::from_utf8(text).map_err(|_| Unsealable)?;
                Ok(Self::Reference(Reference(text.to_owned())))
            }
            _ => Ok(Self::Pkcs8(Pkcs8(bytes))),
        }
    }
}

impl From<Pkcs8> for Secret {
    fn from(key: Pkcs8) -> Self {
        Self::Pkcs8(key)
    }
}

impl fmt::Debug for Pkcs8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs8(..)")
    }
}

/// A private key at rest, or where it is kept, or another secret of the issuer's: encrypted with AES-256-GCM under a
/// data key of its own, which is wrapped by the key-encryption key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Which key-encryption key wraps it: [`KeyEncryptionKey::id`].
    pub kek_id: String,
    /// One format byte; nonce and wrapped data key (12 + 48 bytes); nonce and ciphertext.
    pub bytes: Vec<u8>,
}

/// A sealed key does not open: another key-encryption key, another row, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed key does not open under this key-encryption key and context")]
pub struct Unsealable;

impl SealedKey {
    /// Seals a private key, or where it is kept, with a fresh data key.
    ///
    /// # Panics
    /// Never: encryption of a few kilobytes cannot fail.
    #[must_use]
    pub fn seal(
        secret: &Secret,
        context: KeyContext<'_>,
        kek: &KeyEncryptionKey,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        seal_at(&context, &secret.encode(), kek, rng)
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`Unsealable`], for one and all causes.
    pub fn open(&self, context: KeyContext<'_>, kek: &KeyEncryptionKey) -> Result<Secret, Unsealable> {
        open_at(&context, self, kek).and_then(Secret::decode)
    }

    /// Wraps the data key with another key-encryption key; the key itself is not touched.
    ///
    /// # Errors
    /// [`Unsealable`] if `old` does not open it.
    pub fn rewrap(
        &self,
        context: KeyContext<'_>,
        old: &KeyEncryptionKey,
        new: &KeyEncryptionKey,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, Unsealable> {
        rewrap_at(&context, self, old, new, rng)
    }
}

/// What a sealed row says of itself in its associated data.
pub(crate) trait Place {
    /// The associated data of the row's own ciphertext.
    fn of_payload(&self) -> Vec<u8>;
    /// The associated data of the wrapped data key.
    fn of_wrap(&self, kek_id: &str) -> Vec<u8>;
}

pub(crate) fn seal_at(
    place: &impl Place,
    plain: &[u8],
    kek: &KeyEncryptionKey,
    rng: &mut impl CryptoRngCore,
) -> SealedKey {
    let mut data_key = Zeroizing::new([0; DATA_KEY]);
    rng.fill_bytes(&mut *data_key);
    let mut bytes = vec![FORMAT];
    bytes.extend(encrypt(kek.wrap(), &place.of_wrap(kek.id()), &*data_key, rng));
    bytes.extend(encrypt(&aes(&data_key), &place.of_payload(), plain, rng));
    SealedKey { kek_id: kek.id().to_owned(), bytes }
}

pub(crate) fn open_at(
    place: &impl Place,
    sealed: &SealedKey,
    kek: &KeyEncryptionKey,
) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
    let data_key = open_data_key(place, sealed, kek)?;
    let payload = sealed.bytes.get(HEAD..).ok_or(Unsealable)?;
    decrypt(&aes(&data_key), &place.of_payload(), payload)
}

pub(crate) fn rewrap_at(
    place: &impl Place,
    sealed: &SealedKey,
    old: &KeyEncryptionKey,
    new: &KeyEncryptionKey,
    rng: &mut impl CryptoRngCore,
) -> Result<SealedKey, Unsealable> {
    let data_key = open_data_key(place, sealed, old)?;
    let mut bytes = vec![FORMAT];
    bytes.extend(encrypt(new.wrap(), &place.of_wrap(new.id()), &*data_key, rng));
    bytes.extend_from_slice(sealed.bytes.get(HEAD..).ok_or(Unsealable)?);
    Ok(SealedKey { kek_id: new.id().to_owned(), bytes })
}

fn open_data_key(
    place: &impl Place,
    sealed: &SealedKey,
    kek: &KeyEncryptionKey,
) -> Result<Zeroizing<[u8; DATA_KEY]>, Unsealable> {
    let head = sealed.bytes.get(..HEAD).ok_or(Unsealable)?;
    let (format, wrapped) = head.split_first().ok_or(Unsealable)?;
    if *format != FORMAT {
        return Err(Unsealable);
    }
    let opened = decrypt(kek.wrap(), &place.of_wrap(&sealed.kek_id), wrapped)?;
    let mut data_key = Zeroizing::new([0; DATA_KEY]);
    data_key.copy_from_slice(opened.get(..DATA_KEY).ok_or(Unsealable)?);
    Ok(data_key)
}

fn aes(key: &[u8; DATA_KEY]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are an AES-256 key"))
}

fn encrypt(key: &LessSafeKey, context: &[u8], plain: &[u8], rng: &mut impl CryptoRngCore) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    // The text is encrypted in place: a buffer that grew would leave a copy of it behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(plain.len() + TAG));
    buffer.extend_from_slice(plain);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut *buffer)
        .expect("a few kilobytes are within the bound of AES-GCM");
    [&nonce[..], &buffer[..]].concat()
}

fn decrypt(key: &LessSafeKey, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Unsealable)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unsealable)?;
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let length = key.open_in_place(nonce, Aad::from(context), &mut buffer).map_err(|_| Unsealable)?.len();
    buffer.truncate(length);
    Ok(buffer)
}
