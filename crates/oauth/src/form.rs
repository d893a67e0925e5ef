//! `application/x-www-form-urlencoded`, strictly.
//!
//! `url::form_urlencoded` never fails: it keeps a broken percent escape as it stands and puts
//! U+FFFD for bytes that are not UTF-8. So two different bodies would read as the same parameter,
//! and a proxy or a log in front of us could have seen another value than we act on. Here such a
//! body is an error. What is accepted reads the same in both decoders.

use std::fmt;

use crate::{AuthorizeError, TokenError};

/// The longest name or value, in bytes as they were sent: checked before anything is decoded.
const MAX_COMPONENT: usize = 8 * 1024;
/// Enough for every grant there is; bounds the search for repeated names.
const MAX_PARAMETERS: usize = 64;

/// The parameters of one request, each taken out once. It does not print itself: there are secrets in it.
///
/// ```
/// use claviger_oauth::Form;
///
/// let mut form = Form::parse(b"username=ann&password=", "")?;
/// assert_eq!(form.take("username").as_deref(), Some("ann"));
/// assert_eq!(form.take("password"), None);
/// assert!(Form::parse(b"username=ann&username=bob", "").is_err());
/// # Ok::<(), claviger_oauth::FormError>(())
/// ```
pub struct Form {
    parameters: Vec<(String, String)>,
    fault: Option<FormError>,
}

/// What is wrong with a form as a whole. A constant, so it may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FormError(pub(crate) &'static str);

impl From<FormError> for TokenError {
    fn from(FormError(reason): FormError) -> Self {
        Self::InvalidRequest(reason.into())
    }
}

impl From<FormError> for AuthorizeError {
    fn from(FormError(reason): FormError) -> Self {
        Self::InvalidRequest(reason)
    }
}

impl Form {
    /// Decodes a body. A name may be given once, unless it is `repeatable`.
    ///
    /// A repeated name is an error even where one of the values is empty: whoever else reads the
    /// request may pick the other.
    ///
    /// # Errors
    /// [`FormError`] for a repeated name, a broken percent escape, text that is not UTF-8 or has a control character, a
    /// name or value of more than 8 KiB, and more than 64 parameters.
    pub fn parse(body: &[u8], repeatable: &str) -> Result<Self, FormError> {
        let form = Self::parse_faulty(body, repeatable);
        form.fault.map_or(Ok(form), Err)
    }

    /// The same for a request whose faults are answered elsewhere: it holds the first of them, and what
    /// could be read in spite of it.
    pub(crate) fn parse_faulty(body: &[u8], repeatable: &str) -> Self {
        let mut form = Self { parameters: Vec::new(), fault: None };
        for pair in body.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
            if form.parameters.len() == MAX_PARAMETERS {
                form.note(FormError("too many parameters"));
                break;
            }
            match decode_pair(pair) {
                Ok(parameter) => {
                    if parameter.0 != repeatable && form.holds(&parameter.0) {
                        form.note(FormError("a parameter is given more than once"));
                    }
                    form.parameters.push(parameter);
                }
                Err(reason) => form.note(FormError(reason)),
            }
        }
        form
    }

    /// The first fault of the whole.
    pub(crate) fn fault(&self) -> Option<FormError> {
        self.fault
    }

    fn note(&mut self, fault: FormError) {
        self.fault.get_or_insert(fault);
    }

    fn holds(&self, name: &str) -> bool {
        self.parameters.iter().any(|(held, _)| held == name)
    }

    /// Takes a parameter out. One without a value counts as left out
    /// ([RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)).
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.parameters.iter().position(|(held, value)| held == name && !value.is_empty())?;
        Some(self.parameters.remove(at).1)
    }

    /// A parameter as it stands, if it has a value.
    pub(crate) fn peek(&self, name: &str) -> Option<&str> {
        let mut held = self.parameters.iter().filter(|(held, value)| held == name && !value.is_empty());
        held.next().map(|(_, value)| value.as_str())
    }

    /// Takes out a parameter of a request that may have faults: one that is given twice is nobody's.
    pub(crate) fn take_only(&mut self, name: &str) -> Result<Option<String>, FormError> {
        if self.parameters.iter().filter(|(held, _)| held == name).count() > 1 {
            return Err(FormError("a parameter is given more than once"));
        }
        Ok(self.take(name))
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("fault", &self.fault).finish_non_exhaustive()
    }
}

fn decode_pair(pair: &[u8]) -> Result<(String, String), &'static str> {
    let equals = pair.iter().position(|&b| b == b'=');
    let (name, value) = match equals {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &[][..]),
    };
    Ok((decode(name)?, decode(value)?))
}

/// Decodes one name or value.
///
/// The buffer has the exact size of the result, so a secret leaves no half-decoded copies behind as
/// it grows.
pub(crate) fn decode(raw: &[u8]) -> Result<String, &'static str> {
    if raw.len() > MAX_COMPONENT {
        return Err("a parameter is longer than 8 KiB");
    }
    let escapes = raw.iter().map(|&b| usize::from(b == b'%')).sum::<usize>();
    let mut decoded = Vec::with_capacity(raw.len().saturating_sub(2 * escapes));
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        rest = tail;
        decoded.push(match first {
            b'+' => b' ',
            b'%' => {
                let [high, low, tail @ ..] = rest else {
                    return Err(BROKEN_ESCAPE);
                };
                rest = tail;
                (hex(*high)? << 4) | hex(*low)?
            }
            plain => *plain,
        });
    }
    let text = String::from_utf8(decoded).map_err(|_| "a parameter is not UTF-8")?;
    if text.chars().any(char::is_control) {
        return Err("a parameter has a control character");
    }
    Ok(text)
}

const BROKEN_ESCAPE: &str = "a parameter has a broken percent escape";

fn hex(digit: u8) -> Result<u8, &'static str> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(BROKEN_ESCAPE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes, and to the same text as the lossy decoder that the rest of the world uses.
    fn decodes(raw: &str, expected: &str) {
        assert_eq!(decode(raw.as_bytes()).as_deref(), Ok(expected));
        let mut pairs = url::form_urlencoded::parse(raw.as_bytes());
        assert_eq!(pairs.next().map(|(name, _)| name.into_owned()).as_deref(), Some(expected));
    }

    fn refuses(raw: &[u8], reason: &str) {
        let error = decode(raw).expect_err(reason);
        assert!(error.contains(reason), "{raw:?}: {error}");
    }

    #[test]
    fn values_are_decoded() {
        decodes("plain", "plain");
        decodes("a+b%20c", "a b c");
        decodes("%2B%25%3a%3D%26", "+%:=&");
        decodes("%C3%A9%c3%a9", "éé");
        decodes("é", "é");
        assert_eq!(decode(b"").as_deref(), Ok(""));
    }

    // S-68
    #[test]
    fn malformed_values_are_errors_and_never_repaired() {
        refuses(b"%", "escape");
        refuses(b"a%2", "escape");
        refuses(b"%%41", "escape");
        refuses(b"%zz", "escape");
        refuses(b"%+1", "escape");
        refuses(b"%-1", "escape");
        refuses(b"%ff", "UTF-8");
        refuses(b"\xff", "UTF-8");
        refuses(b"%C3", "UTF-8");
        refuses(b"%C0%80", "UTF-8");
        refuses(b"%ED%A0%80", "UTF-8");
        refuses(b"%00", "control");
        refuses(b"a\0b", "control");
        refuses(b"a%0D%0Ab", "control");
        refuses(b"%1b[2J", "control");
        refuses(b"%7F", "control");
        refuses(b"%C2%85", "control");
    }

    // S-68
    #[test]
    fn a_long_value_is_an_error_and_never_left_out() {
        assert_eq!(decode(&[b'a'; 8192]).map(|text| text.len()), Ok(8192));
        refuses(&[b'a'; 8193], "8 KiB");
    }

    #[test]
    fn a_decoded_value_fills_its_buffer() {
        for raw in ["secret", "s%20e%20c", "%C3%A9"] {
            let text = decode(raw.as_bytes()).unwrap();
            assert_eq!(text.capacity(), text.len(), "{raw}");
        }
    }
}
