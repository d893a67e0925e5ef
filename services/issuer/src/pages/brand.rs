use std::{fmt, path::Path, str::FromStr};

use axum::body::Bytes;
use http::HeaderValue;

use super::colour::Colour;

/// The largest logo that is taken, in bytes: it goes over the wire before anybody can sign in.
const LARGEST_LOGO: usize = 256 * 1024;
const LONGEST_NAME: usize = 64;

/// Whose pages these are: name, colour and logo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// The name, in titles and beside the logo.
    pub name: BrandName,
    /// The colour of buttons and links. What is written on it, and it on the ground, is made readable.
    pub colour: Colour,
    /// A picture instead of the key.
    pub logo: Option<Logo>,
}

impl Default for Brand {
    fn default() -> Self {
        Self { name: BrandName("Claviger".to_owned()), colour: Colour::new(0x24, 0x7a, 0x72), logo: None }
    }
}

/// The name of a brand: 1 to 64 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrandName(String);

impl BrandName {
    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BrandName {
    type Err = BrandError;

    fn from_str(text: &str) -> Result<Self, BrandError> {
        let right = (1..=LONGEST_NAME).contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            && text.trim() == text;
        if right { Ok(Self(text.to_owned())) } else { Err(BrandError::Name) }
    }
}

/// A picture: SVG or PNG, at most 256 KiB.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    pub(super) kind: LogoKind,
    pub(super) picture: Bytes,
}

/// What a logo is drawn in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogoKind {
    Svg,
    Png,
}

impl LogoKind {
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }

    pub(super) fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
        })
    }
}

/// Why a brand is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrandError {
    /// The name is empty, too long, padded, or has characters that are not shown.
    #[error("a brand's name has 1 to 64 characters, no control characters, and no space at its ends")]
    Name,
    /// The file of the logo cannot be read.
    #[error("the logo {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is larger than a log-in page should be.
    #[error("a logo has at most 256 KiB")]
    TooLarge,
    /// The file is neither of the two kinds.
    #[error("a logo is an SVG or a PNG file")]
    NotAPicture,
}

impl Logo {
    /// Reads a logo from its file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a picture of a kind and size that is taken.
    pub fn read(path: &Path) -> Result<Self, BrandError> {
        let unreadable = |source| BrandError::Unreadable { path: path.display().to_string(), source };
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > LARGEST_LOGO as u64 {
            return Err(BrandError::TooLarge);
        }
        Self::new(std::fs::read(path).map_err(unreadable)?)
    }

    /// Takes a logo for what its first bytes say, whatever its file is called: the media type that browsers are told
    /// is never that of a page.
    ///
    /// # Errors
    /// If it is not a picture of a kind and size that is taken.
    pub fn new(picture: Vec<u8>) -> Result<Self, BrandError> {
        if picture.len() > LARGEST_LOGO {
            return Err(BrandError::TooLarge);
        }
        let kind = if picture.starts_with(b"\x89PNG\r\n\x1a\n") {
            LogoKind::Png
        } else if is_svg(&picture) {
            LogoKind::Svg
        } else {
            return Err(BrandError::NotAPicture);
        };
        Ok(Self { kind, picture: picture.into() })
    }
}

fn is_svg(picture: &[u8]) -> bool {
    let text = str::from_utf8(picture).unwrap_or_default();
    text.trim_start_matches('\u{feff}').trim_start().starts_with('<') && text.contains("<svg")
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logo({:?}, {} bytes)", self.kind, self.picture.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_that_can_be_seen() {
        for right in ["A", "Acme", "에이콤 주식회사", &"x".repeat(64)] {
            assert_eq!(right.parse::<BrandName>().unwrap().as_str(), right);
        }
        for wrong in ["", " ", " Acme", "Ac\nme", "Ac\0me", &"x".repeat(65)] {
            assert!(matches!(wrong.parse::<BrandName>(), Err(BrandError::Name)), "{wrong:?}");
        }
    }

    #[test]
    fn a_logo_is_what_its_bytes_say() {
        let kind = |picture: &[u8]| Logo::new(picture.to_vec()).map(|logo| logo.kind).ok();
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n...."), Some(LogoKind::Png));
        assert_eq!(kind(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), Some(LogoKind::Svg));
        assert_eq!(kind("\u{feff}<?xml version='1.0'?>\n<svg/>".as_bytes()), Some(LogoKind::Svg));
        for wrong in [&b""[..], b"GIF89a", b"<html></html>", b"svg <svg", b"\xff\xd8\xff"] {
            assert_eq!(kind(wrong), None, "{wrong:?}");
        }
        assert!(matches!(Logo::new(vec![b' '; LARGEST_LOGO + 1]), Err(BrandError::TooLarge)));
    }

    #[test]
    fn a_logo_is_read_from_a_file_of_bounded_size() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logo");
        assert!(matches!(Logo::read(&path), Err(BrandError::Unreadable { .. })));
        std::fs::write(&path, "<svg/>").unwrap();
        assert_eq!(format!("{:?}", Logo::read(&path).unwrap()), "Logo(Svg, 6 bytes)");
        std::fs::write(&path, vec![b' '; LARGEST_LOGO + 1]).unwrap();
        assert!(matches!(Logo::read(&path), Err(BrandError::TooLarge)));
    }
}
