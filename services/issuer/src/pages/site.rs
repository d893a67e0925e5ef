use std::fmt::Write;

use axum::body::Bytes;
use claviger_oauth::Issuer;
use http::{HeaderValue, Uri};

use super::{
    asset::Asset,
    brand::Brand,
    colour::{Colour, EDGE, TEXT},
};

const STYLE: &str = include_str!("style.css");
/// What text stands on, as `style.css` has it.
const CARD: Colour = Colour::new(0xff, 0xff, 0xff);
const DARK_CARD: Colour = Colour::new(0x1b, 0x22, 0x25);

/// What the pages of an issuer have in common, made once: its brand as files, and where it is.
#[derive(Debug, Clone)]
pub struct Site {
    pub(super) name: String,
    /// Host and port, as the address bar shows them.
    pub(super) host: String,
    pub(super) style: Asset,
    pub(super) icon: Asset,
    pub(super) logo: Option<Asset>,
    /// The path of the issuer, without a slash at its end.
    base: String,
}

impl Site {
    /// The pages of an issuer under its brand.
    #[must_use]
    pub fn new(issuer: &Issuer, brand: &Brand) -> Self {
        let uri: Uri = issuer.as_str().parse().unwrap_or_default();
        let svg = HeaderValue::from_static("image/svg+xml");
        let css = HeaderValue::from_static("text/css; charset=utf-8");
        let style = format!("{STYLE}{}", colours(brand.colour));
        Self {
            name: brand.name.as_str().to_owned(),
            host: uri.authority().map(ToString::to_string).unwrap_or_default(),
            style: Asset::new("page", "css", css, style.into()),
            icon: Asset::new("icon", "svg", svg, icon(brand.colour)),
            logo: brand.logo.as_ref().map(|logo| {
                Asset::new("logo", logo.kind.extension(), logo.kind.media_type(), logo.picture.clone())
            }),
            base: uri.path().trim_end_matches('/').to_owned(),
        }
    }

    /// A path under the issuer, as browsers ask for it.
    pub(super) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(super) fn assets(&self) -> impl Iterator<Item = &Asset> {
        [&self.style, &self.icon].into_iter().chain(&self.logo)
    }
}

/// The brand's colour on both grounds. It is the operator's, so what stands on it and what it stands on decide
/// together: a button in pale yellow has black words and a darker edge.
fn colours(brand: Colour) -> String {
    let mut style = format!(":root{{--brand:{brand};--on-brand:{};", brand.ink());
    for (place, ground) in [("", CARD), ("@media (prefers-color-scheme:dark){:root{", DARK_CARD)] {
        let (edge, text) = (brand.legible_on(ground, EDGE), brand.legible_on(ground, TEXT));
        let _ = write!(style, "{place}--brand-edge:{edge};--brand-text:{text}}}");
    }
    style + "}\n"
}

/// A key in the colour of the brand, for the tab.
fn icon(colour: Colour) -> Bytes {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"{colour}\" \
         stroke-width=\"2.4\" stroke-linecap=\"round\"><circle cx=\"7.5\" cy=\"12\" r=\"4.5\"/>\
         <path d=\"M12 12h10M18 12v4\"/></svg>"
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(issuer: &str) -> Site {
        Site::new(&issuer.parse().unwrap(), &Brand::default())
    }

    #[test]
    fn pages_are_where_the_issuer_is() {
        assert_eq!(site("https://id.example.com").path("/sign-in"), "/sign-in");
        assert_eq!(site("https://example.com/tenant/a").path("/sign-in"), "/tenant/a/sign-in");
        assert_eq!(site("http://127.0.0.1:8080").host, "127.0.0.1:8080");
    }

    #[test]
    fn the_style_and_the_colours_know_the_same_grounds() {
        let light = STYLE.find(&format!("--card: {CARD};"));
        let dark = STYLE.find(&format!("--card: {DARK_CARD};"));
        assert!(light.is_some() && dark > light, "{light:?} {dark:?}");
    }

    /// The colours of `style.css` by name, light or dark.
    fn palette(theme: &str) -> impl Fn(&str) -> Colour {
        move |name| {
            let (_, after) = theme.split_once(&format!("--{name}: ")).unwrap();
            after.split(';').next().unwrap().parse().unwrap()
        }
    }

    #[test]
    fn everything_can_be_read_in_the_light_and_in_the_dark() {
        let (light, dark) = STYLE.split_once("@media (prefers-color-scheme: dark)").unwrap();
        for theme in [light, dark] {
            let colour = palette(theme);
            for (what, ground, least) in [
                ("ink", "card", TEXT),
                ("ink", "quiet", TEXT),
                ("soft", "card", TEXT),
                ("soft", "quiet", TEXT),
                ("soft", "ground", TEXT),
                ("bad", "bad-ground", TEXT),
                ("bad", "card", EDGE),
                ("good", "good-ground", TEXT),
                ("field", "card", EDGE),
            ] {
                let contrast = colour(what).contrast(colour(ground));
                assert!(contrast >= least, "{what} on {ground}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn a_colour_is_used_as_it_is_where_it_can_be_read() {
        let teal = colours("#247a72".parse().unwrap());
        assert!(
            teal.starts_with(
                ":root{--brand:#247a72;--on-brand:#ffffff;--brand-edge:#247a72;--brand-text:#247a72}"
            ),
            "{teal}"
        );
        let yellow = colours("#ffe066".parse().unwrap());
        assert!(yellow.contains("--on-brand:#000000"), "{yellow}");
        assert!(!yellow.contains("--brand-text:#ffe066}@media"), "not on white: {yellow}");
        assert!(
            yellow.ends_with("--brand-edge:#ffe066;--brand-text:#ffe066}}\n"),
            "but on a dark card: {yellow}"
        );
    }

    #[test]
    fn a_brand_changes_the_names_of_its_files_and_nothing_else_does() {
        let (one, same) = (site("https://a.example"), site("https://b.example"));
        assert!(one.assets().eq(same.assets()));
        let red = Brand { colour: "#aa0000".parse().unwrap(), ..Brand::default() };
        let red = Site::new(&"https://a.example".parse().unwrap(), &red);
        for (one, other) in one.assets().zip(red.assets()) {
            assert_ne!(one.path(), other.path());
        }
    }
}
