//! Base64url without padding, strictly (RFC 7515 section 2, RFC 4648 section 5).
//!
//! Padding, white space, the standard alphabet and non-zero trailing bits are all refused, or
//! one signature would have several spellings.

use base64_simd::{AsOut, URL_SAFE_NO_PAD};

/// The text is not canonical base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding")]
pub struct InvalidBase64Url;

/// Encodes bytes as base64url without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Appends the encoding of `bytes` to `text`, without an allocation of its own.
pub fn encode_into(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_append(bytes, text);
}

/// Decodes base64url text.
///
/// # Errors
/// [`InvalidBase64Url`] for anything but the one canonical spelling.
pub fn decode(text: &str) -> Result<Vec<u8>, InvalidBase64Url> {
    URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| InvalidBase64Url)
}

/// Decodes into a buffer of the caller's and answers the part that was filled.
///
/// # Errors
/// [`InvalidBase64Url`] as for [`decode`], and if the buffer is too small.
pub fn decode_into<'b>(text: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], InvalidBase64Url> {
    let needed = URL_SAFE_NO_PAD.decoded_length(text.as_bytes()).map_err(|_| InvalidBase64Url)?;
    let buffer = buffer.get_mut(..needed).ok_or(InvalidBase64Url)?;
    match URL_SAFE_NO_PAD.decode(text.as_bytes(), buffer.as_out()) {
        Ok(decoded) => Ok(decoded),
        Err(_) => Err(InvalidBase64Url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-9
    #[test]
    fn only_the_canonical_spelling_is_decoded() {
        assert_eq!(decode("YQ").unwrap(), b"a");
        for text in ["YQ==", "YQ=", "YR", "Y", "Y Q", "YQ\n", " YQ", "+/8", "YQ.", "YWJj\u{e9}", "YWF=", "AB"]
        {
            assert_eq!(decode(text), Err(InvalidBase64Url), "{text:?}");
            assert_eq!(decode_into(text, &mut [0; 16]), Err(InvalidBase64Url), "{text:?}");
        }
    }

    #[test]
    fn a_buffer_that_is_too_small_is_an_error() {
        assert_eq!(decode_into("YWJj", &mut [0; 2]), Err(InvalidBase64Url));
        assert_eq!(decode_into("YWJj", &mut [0; 3]), Ok(&b"abc"[..]));
    }

    #[test]
    fn every_length_survives_the_round_trip() {
        for length in 0..100_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(151)).collect();
            assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }
    }
}
