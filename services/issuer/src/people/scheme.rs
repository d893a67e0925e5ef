//! What is kept of a password: today's scheme, and those of other systems, which are read but never written.

mod foreign;
mod phc;

use std::{cell::RefCell, num::NonZeroU32};

use argon2::{Algorithm, Argon2, Block};
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest, pbkdf2};
use claviger_keyring::rand_core::RngCore;
use claviger_store::PasswordHash;

use super::password::Password;
use crate::rng::SystemRng;

/// Argon2id as [OWASP](https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html) asks for: KiB of
/// memory, passes over it, lanes.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT: usize = 16;
const TAG: usize = 32;
/// bcrypt computes of no more.
const BCRYPT_MOST: usize = 72;

/// How a hash was made, and what came out.
pub(crate) enum Scheme {
    /// RFC 9106, of any of its three kinds.
    Argon2 { kind: Algorithm, argon2: Box<Argon2<'static>>, salt: Vec<u8>, tag: Vec<u8> },
    /// RFC 7914.
    Scrypt { params: scrypt::Params, salt: Vec<u8>, tag: Vec<u8> },
    /// RFC 8018 section 5.2, with HMAC-SHA-256.
    Pbkdf2 { iterations: NonZeroU32, salt: Vec<u8>, tag: Vec<u8> },
    /// bcrypt of the password, or, as Django has it, of the hexadecimal digits of its SHA-256.
    Bcrypt { hash: String, of_sha256: bool },
}

/// Why a hash cannot be taken over. It does not repeat the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SchemeError {
    #[error(
        "not a hash of a known scheme: argon2, scrypt, bcrypt, pbkdf2_sha256 and bcrypt_sha256 as Django writes them, \
         scrypt and pbkdf2:sha256 as Werkzeug does"
    )]
    Unknown,
    #[error("a damaged hash")]
    Malformed,
    /// Who brings such a hash could keep every core busy with a few log-ins.
    #[error("a hash that takes too much time or memory to verify")]
    TooCostly,
}

impl Scheme {
    /// Reads a hash.
    pub(crate) fn parse(hash: &PasswordHash) -> Result<Self, SchemeError> {
        foreign::parse(hash.expose())
    }

    /// Whether this is what today's scheme would have made.
    pub(crate) fn is_current(&self) -> bool {
        let Self::Argon2 { kind: Algorithm::Argon2id, argon2, salt, tag } = self else {
            return false;
        };
        let params = argon2.params();
        params.m_cost() >= MEMORY && params.t_cost() >= PASSES && salt.len() >= SALT && tag.len() >= TAG
    }

    /// Whether it is the hash of this password. Ours are of the normal form; other systems hash what was typed.
    pub(crate) fn verify(&self, password: &Password) -> bool {
        if self.is_current() {
            return self.is_of(password.normal());
        }
        let (typed, normal) = (password.typed(), password.normal());
        self.is_of(typed) || (typed != normal && self.is_of(normal))
    }

    fn is_of(&self, text: &str) -> bool {
        match self {
            Self::Argon2 { argon2, salt, tag, .. } => {
                argon2_tag(argon2, text, salt, tag.len()).is_some_and(|found| is_equal(&found, tag))
            }
            Self::Scrypt { params, salt, tag } => {
                let mut found = vec![0; tag.len()];
                scrypt::scrypt(text.as_bytes(), salt, params, &mut found).is_ok() && is_equal(&found, tag)
            }
            Self::Pbkdf2 { iterations, salt, tag } => {
                pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, *iterations, salt, text.as_bytes(), tag).is_ok()
            }
            Self::Bcrypt { hash, of_sha256: true } => {
                let digest = digest::digest(&digest::SHA256, text.as_bytes());
                bcrypt::verify(hex(digest.as_ref()), hash).unwrap_or(false)
            }
            // Two that differ only behind what bcrypt computes of must not be one.
            Self::Bcrypt { hash, of_sha256: false } => {
                bcrypt::verify(text, hash).unwrap_or(false) && text.len() <= BCRYPT_MOST
            }
        }
    }

    /// Today's hash of a password, with a new salt.
    pub(crate) fn hash(password: &Password) -> Option<PasswordHash> {
        let mut salt = [0; SALT];
        SystemRng.fill_bytes(&mut salt);
        let argon2 = phc::argon2id(MEMORY, PASSES, LANES)?;
        let tag = argon2_tag(&argon2, password.normal(), &salt, TAG)?;
        phc::write_argon2id((MEMORY, PASSES, LANES), &salt, &tag).parse().ok()
    }

    /// A hash of today's scheme that no password has: for the work that is done where there is nothing to verify.
    pub(crate) fn of_nobody() -> Option<PasswordHash> {
        phc::write_argon2id((MEMORY, PASSES, LANES), &[0; SALT], &[0; TAG]).parse().ok()
    }
}

/// Of the memory that a thread computes in, it keeps as much as today's scheme takes: to have 19 MiB cleared by the system
/// for each password costs a good part of computing it.
fn argon2_tag(argon2: &Argon2<'_>, password: &str, salt: &[u8], length: usize) -> Option<Vec<u8>> {
    thread_local!(static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) });
    let (mut tag, count) = (vec![0; length], argon2.params().block_count());
    BLOCKS.with_borrow_mut(|blocks| {
        if blocks.len() < count {
            blocks.resize(count, Block::default());
        }
        let memory = &mut blocks[..count];
        let done = argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut tag, memory);
        if count > MEMORY as usize {
            *blocks = Vec::new();
        }
        done.ok().map(|()| tag)
    })
}

fn is_equal(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests;
