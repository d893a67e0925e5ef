//! Hashes as other systems write them.

use std::num::NonZeroU32;

use base64_simd::STANDARD;

use super::{
    Scheme, SchemeError,
    phc::{Phc, checked, scrypt},
};

/// The most iterations of PBKDF2 that are computed for anybody: some seconds of work.
const MOST_ITERATIONS: u32 = 5_000_000;
/// The highest cost of bcrypt, as a power of two: the same.
const MOST_BCRYPT: u32 = 15;

/// Reads a hash by what it begins with.
pub(super) fn parse(text: &str) -> Result<Scheme, SchemeError> {
    if let Some(hash) = text.strip_prefix("bcrypt_sha256$") {
        return bcrypt(hash, true);
    }
    if let Some(hash) = text.strip_prefix("bcrypt$") {
        return bcrypt(hash, false);
    }
    if ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
        return bcrypt(text, false);
    }
    if let Some(rest) = text.strip_prefix("pbkdf2_sha256$") {
        return django_pbkdf2(rest).ok_or(SchemeError::Malformed)?;
    }
    if let Some(rest) = text.strip_prefix("scrypt$") {
        return django_scrypt(rest).ok_or(SchemeError::Malformed)?;
    }
    if let Some(rest) = text.strip_prefix("scrypt:") {
        return werkzeug_scrypt(rest).ok_or(SchemeError::Malformed)?;
    }
    if let Some(rest) = text.strip_prefix("pbkdf2:sha256:") {
        return werkzeug_pbkdf2(rest).ok_or(SchemeError::Malformed)?;
    }
    // Django puts the name before a text of the password hashing competition.
    let text = text.strip_prefix("argon2").filter(|rest| rest.starts_with("$argon2")).unwrap_or(text);
    if !text.starts_with('$') {
        return Err(SchemeError::Unknown);
    }
    Phc::parse(text).ok_or(SchemeError::Malformed)?.into_scheme()
}

/// `$2b$COST$`, 22 characters of salt and 31 of hash.
fn bcrypt(text: &str, of_sha256: bool) -> Result<Scheme, SchemeError> {
    let parts: Vec<&str> = text.split('$').collect();
    let ["", _, cost, rest] = parts[..] else {
        return Err(SchemeError::Malformed);
    };
    let in_alphabet = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte));
    let cost = cost.parse::<u32>().ok().filter(|_| cost.len() == 2 && rest.len() == 53 && in_alphabet);
    match cost.ok_or(SchemeError::Malformed)? {
        4..=MOST_BCRYPT => Ok(Scheme::Bcrypt { hash: text.to_owned(), of_sha256 }),
        cost if cost > MOST_BCRYPT => Err(SchemeError::TooCostly),
        _ => Err(SchemeError::Malformed),
    }
}

/// `iterations$salt$hash`; the salt is a text, the hash base64.
fn django_pbkdf2(text: &str) -> Option<Result<Scheme, SchemeError>> {
    let (iterations, rest) = text.split_once('$')?;
    let (salt, tag) = rest.split_once('$')?;
    Some(pbkdf2(iterations.parse().ok()?, salt, STANDARD.decode_to_vec(tag).ok()?))
}

/// `iterations$salt$hash`; the salt is a text, the hash hexadecimal.
fn werkzeug_pbkdf2(text: &str) -> Option<Result<Scheme, SchemeError>> {
    let (iterations, rest) = text.split_once('$')?;
    let (salt, tag) = rest.split_once('$')?;
    Some(pbkdf2(iterations.parse().ok()?, salt, unhex(tag)?))
}

fn pbkdf2(iterations: NonZeroU32, salt: &str, tag: Vec<u8>) -> Result<Scheme, SchemeError> {
    if iterations.get() > MOST_ITERATIONS {
        return Err(SchemeError::TooCostly);
    }
    let (salt, tag) = checked(salt.into(), tag, 1)?;
    Ok(Scheme::Pbkdf2 { iterations, salt, tag })
}

/// `N$salt$r$p$hash`; the salt is a text, the hash base64.
fn django_scrypt(text: &str) -> Option<Result<Scheme, SchemeError>> {
    let parts: Vec<&str> = text.split('$').collect();
    let [n, salt, r, p, tag] = parts[..] else {
        return None;
    };
    let tag = STANDARD.decode_to_vec(tag).ok()?;
    Some(scrypt(log2(n)?, r.parse().ok()?, p.parse().ok()?, salt.into(), tag))
}

/// `N:r:p$salt$hash`; the salt is a text, the hash hexadecimal.
fn werkzeug_scrypt(text: &str) -> Option<Result<Scheme, SchemeError>> {
    let (numbers, rest) = text.split_once('$')?;
    let (salt, tag) = rest.split_once('$')?;
    let numbers: Vec<&str> = numbers.split(':').collect();
    let [n, r, p] = numbers[..] else {
        return None;
    };
    Some(scrypt(log2(n)?, r.parse().ok()?, p.parse().ok()?, salt.into(), unhex(tag)?))
}

fn log2(n: &str) -> Option<u32> {
    n.parse::<u64>().ok().filter(|n| n.is_power_of_two()).map(u64::trailing_zeros)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|char| char.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| (pair[0] << 4) | pair[1]).collect())
}
