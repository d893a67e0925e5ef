use std::{fmt, str::FromStr};

/// What text on a ground needs (WCAG 2.2, 1.4.3), and what its edge needs (1.4.11).
pub(super) const TEXT: f64 = 4.5;
pub(super) const EDGE: f64 = 3.0;

/// A colour of sRGB, written as `#247a72`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// What was given is not a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a colour is written as # and six hexadecimal digits, such as #247a72")]
pub struct ColourError;

impl Colour {
    pub(super) const WHITE: Self = Self([255; 3]);
    pub(super) const BLACK: Self = Self([0; 3]);

    pub(super) const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self([red, green, blue])
    }

    /// Black or white, whichever is read more easily on this colour. One of the two always reaches [`TEXT`], for the
    /// product of their contrasts is 21.
    pub(super) fn ink(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) { Self::WHITE } else { Self::BLACK }
    }

    /// This colour, moved away from the ground no further than until it contrasts with it enough.
    pub(super) fn legible_on(self, ground: Self, contrast: f64) -> Self {
        let away = ground.ink();
        let steps = (0..=100).map(|percent| self.mixed(away, percent));
        steps.into_iter().find(|colour| colour.contrast(ground) >= contrast).unwrap_or(away)
    }

    /// The contrast ratio of WCAG 2.2: from 1, the same, to 21, black on white.
    pub(super) fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance() + 0.05, other.luminance() + 0.05);
        one.max(other) / one.min(other)
    }

    /// The relative luminance of WCAG 2.2, from 0 to 1.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn mixed(self, other: Self, percent: u16) -> Self {
        let mix = |one: u8, other: u8| {
            let sum = u16::from(one) * (100 - percent) + u16::from(other) * percent;
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        let ([r, g, b], [other_r, other_g, other_b]) = (self.0, other.0);
        Self([mix(r, other_r), mix(g, other_g), mix(b, other_b)])
    }
}

impl FromStr for Colour {
    type Err = ColourError;

    fn from_str(text: &str) -> Result<Self, ColourError> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(ColourError)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ColourError);
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).map_err(|_| ColourError)?.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl fmt::Debug for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grid of 4096 colours, black and white among them.
    fn colours() -> impl Iterator<Item = Colour> {
        (0..16u8)
            .flat_map(|r| (0..16u8).flat_map(move |g| (0..16u8).map(move |b| [r, g, b].map(|c| c * 17))))
            .map(Colour)
    }

    #[test]
    fn a_colour_is_read_as_it_is_written() {
        assert_eq!("#247A72".parse::<Colour>().unwrap().to_string(), "#247a72");
        for wrong in
            ["", "#", "247a72", "#247a7", "#247a721", "#24 a72", "#+47a72", "teal", "#é4a72", "#24;}a{"]
        {
            assert_eq!(wrong.parse::<Colour>(), Err(ColourError), "{wrong}");
        }
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        let contrast = |one: &str, other: &str| {
            let (one, other): (Colour, Colour) = (one.parse().unwrap(), other.parse().unwrap());
            format!("{:.2}", one.contrast(other))
        };
        assert_eq!(contrast("#000000", "#ffffff"), "21.00");
        assert_eq!(contrast("#777777", "#ffffff"), "4.48");
        assert_eq!(contrast("#767676", "#ffffff"), "4.54");
    }

    #[test]
    fn text_on_any_colour_is_readable() {
        for colour in colours() {
            assert!(colour.ink().contrast(colour) >= TEXT, "{colour}");
        }
    }

    #[test]
    fn any_colour_can_be_read_on_any_ground_and_moves_no_further_than_it_must() {
        for ground in ["#fffefb", "#1a2225", "#777777"].map(|ground| ground.parse::<Colour>().unwrap()) {
            for colour in colours() {
                let moved = colour.legible_on(ground, TEXT);
                assert!(moved.contrast(ground) >= TEXT, "{colour} on {ground}");
                assert!(moved == colour || colour.contrast(ground) < TEXT, "{colour} on {ground}");
            }
        }
    }
}
