//! The texts of the [password hashing competition](https://github.com/P-H-C/phc-string-format):
//! `$id$v=version$name=value,name=value$salt$hash`.

use argon2::{Algorithm, Argon2, Params, Version};
use base64_simd::STANDARD_NO_PAD;

use super::{Scheme, SchemeError};

/// The parts of such a text.
pub(super) struct Phc<'t> {
    id: &'t str,
    version: Option<u32>,
    params: Vec<(&'t str, u32)>,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

impl<'t> Phc<'t> {
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let mut parts = text.strip_prefix('$')?.split('$').peekable();
        let id = parts.next()?;
        let version = match parts.next_if(|part| part.starts_with("v=")) {
            Some(version) => Some(number(version.strip_prefix("v=")?)?),
            None => None,
        };
        let param = |param: &'t str| {
            let (name, value) = param.split_once('=')?;
            Some((name, number(value)?))
        };
        let params = parts.next()?.split(',').map(param).collect::<Option<_>>()?;
        let salt = STANDARD_NO_PAD.decode_to_vec(parts.next()?).ok()?;
        let tag = STANDARD_NO_PAD.decode_to_vec(parts.next()?).ok()?;
        parts.next().is_none().then_some(Self { id, version, params, salt, tag })
    }

    /// The values of exactly these parameters, in whatever order.
    fn values<const N: usize>(&self, names: [&str; N]) -> Option<[u32; N]> {
        let mut values = [0; N];
        for (value, name) in values.iter_mut().zip(names) {
            *value = self.params.iter().find(|(has, _)| *has == name)?.1;
        }
        (self.params.len() == N).then_some(values)
    }

    pub(super) fn into_scheme(self) -> Result<Scheme, SchemeError> {
        match self.id {
            "argon2d" => self.into_argon2(Algorithm::Argon2d),
            "argon2i" => self.into_argon2(Algorithm::Argon2i),
            "argon2id" => self.into_argon2(Algorithm::Argon2id),
            "scrypt" => {
                let [log_n, r, p] = self.values(["ln", "r", "p"]).ok_or(SchemeError::Malformed)?;
                scrypt(log_n, r, p, self.salt, self.tag)
            }
            _ => Err(SchemeError::Unknown),
        }
    }

    fn into_argon2(self, algorithm: Algorithm) -> Result<Scheme, SchemeError> {
        // The most memory in KiB, passes and lanes that are computed for anybody.
        const MOST: [u32; 3] = [256 * 1024, 10, 16];
        let values = self.values(["m", "t", "p"]).ok_or(SchemeError::Malformed)?;
        if values.iter().zip(MOST).any(|(value, most)| *value > most) {
            return Err(SchemeError::TooCostly);
        }
        let [memory, passes, lanes] = values;
        let version = match self.version {
            None | Some(0x10) => Version::V0x10,
            Some(0x13) => Version::V0x13,
            Some(_) => return Err(SchemeError::Malformed),
        };
        let params = Params::new(memory, passes, lanes, None).map_err(|_| SchemeError::Malformed)?;
        let (salt, tag) = checked(self.salt, self.tag, argon2::MIN_SALT_LEN)?;
        let argon2 = Box::new(Argon2::new(algorithm, version, params));
        Ok(Scheme::Argon2 { kind: algorithm, argon2, salt, tag })
    }
}

/// Salt and hash of lengths that mean something: a short hash is that of many passwords.
pub(super) fn checked(
    salt: Vec<u8>,
    tag: Vec<u8>,
    least_salt: usize,
) -> Result<(Vec<u8>, Vec<u8>), SchemeError> {
    if (least_salt..=64).contains(&salt.len()) && (16..=64).contains(&tag.len()) {
        Ok((salt, tag))
    } else {
        Err(SchemeError::Malformed)
    }
}

pub(super) fn scrypt(log_n: u32, r: u32, p: u32, salt: Vec<u8>, tag: Vec<u8>) -> Result<Scheme, SchemeError> {
    /// Memory is 128 r N bytes.
    const MOST_MEMORY: u64 = 256 * 1024 * 1024;
    const MOST_LANES: u32 = 16;
    let memory = 1_u64.checked_shl(log_n).and_then(|n| n.checked_mul(128)?.checked_mul(u64::from(r)));
    if memory.is_none_or(|memory| memory > MOST_MEMORY) || p > MOST_LANES {
        return Err(SchemeError::TooCostly);
    }
    let log_n = u8::try_from(log_n).map_err(|_| SchemeError::TooCostly)?;
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| SchemeError::Malformed)?;
    let (salt, tag) = checked(salt, tag, 1)?;
    Ok(Scheme::Scrypt { params, salt, tag })
}

pub(super) fn argon2id(memory: u32, passes: u32, lanes: u32) -> Option<Argon2<'static>> {
    let params = Params::new(memory, passes, lanes, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

pub(super) fn write_argon2id((memory, passes, lanes): (u32, u32, u32), salt: &[u8], tag: &[u8]) -> String {
    let (salt, tag) = (STANDARD_NO_PAD.encode_to_string(salt), STANDARD_NO_PAD.encode_to_string(tag));
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${tag}")
}

/// A decimal number as the format writes it: without sign and leading zeros.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}
