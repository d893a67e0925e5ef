use http::{HeaderMap, header::ACCEPT_LANGUAGE};

/// How many languages of a request are looked at.
const MOST: usize = 32;

/// A language that the pages are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English; also for whoever reads neither of the two.
    #[default]
    English,
    /// Korean.
    Korean,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::Korean];

    /// The language of a page: the first of `ui_locales` that is spoken here (OpenID Connect Core 1.0 section 3.1.2.1),
    /// or else what the browser prefers (RFC 9110 section 12.5.4), or else English.
    ///
    /// What is not a language tag is passed over: a page in English is a better answer than none.
    #[must_use]
    pub fn of<T: AsRef<str>>(ui_locales: &[T], headers: &HeaderMap) -> Self {
        let asked = ui_locales.iter().take(MOST).find_map(|tag| Self::spoken(tag.as_ref()));
        asked.or_else(|| Self::preferred(headers)).unwrap_or_default()
    }

    /// Its tag (BCP 47).
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }

    /// The language of a tag such as `ko-KR`.
    fn spoken(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The language with the greatest weight; of equal ones the first.
    fn preferred(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
        let ranges = lines.flat_map(|line| line.split(',')).take(MOST);
        let weighed = ranges.filter_map(|range| {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            Some((Self::spoken(tag)?, thousandths(weight)?))
        });
        let best = weighed
            .filter(|(_, weight)| *weight > 0)
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(language, _)| language)
    }
}

/// The value of `q=0.8` in thousandths (RFC 9110 section 12.4.2).
fn thousandths(weight: &str) -> Option<u16> {
    let value = weight.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim();
    let (whole, rest) = value.split_once('.').unwrap_or((value, ""));
    let digits = rest.len() <= 3 && rest.bytes().all(|digit| digit.is_ascii_digit());
    let fraction: u16 = format!("{rest:0<3}").parse().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(ui_locales: &[&str], accept: &[&'static str], expected: Language) {
        let mut headers = HeaderMap::new();
        for line in accept {
            headers.append(ACCEPT_LANGUAGE, HeaderValue::from_static(line));
        }
        assert_eq!(Language::of(ui_locales, &headers), expected, "{ui_locales:?} {accept:?}");
    }

    #[test]
    fn what_the_client_asks_for_goes_before_what_the_browser_prefers() {
        check(&["ko"], &["en-US,en;q=0.9"], Language::Korean);
        check(&["en"], &["ko"], Language::English);
        check(&["fr", "ko-KR", "en"], &[], Language::Korean);
        check(&["fr"], &["ko"], Language::Korean);
        check(&["KO-kr"], &[], Language::Korean);
    }

    #[test]
    fn what_the_browser_prefers_is_weighed() {
        check(&[], &["ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7"], Language::Korean);
        check(&[], &["en;q=0.8, ko"], Language::Korean);
        check(&[], &["de, en;q=0.5, ko;q=0.6"], Language::Korean);
        check(&[], &["en;q=0.5, ko;q=0.5"], Language::English);
        check(&[], &["ko;q=0, fr"], Language::English);
        check(&[], &["fr", "ko;q=0.1"], Language::Korean);
    }

    #[test]
    fn nothing_that_is_said_of_languages_is_an_error() {
        for odd in
            ["", "*", ";;;,,,", "ko;q=2", "ko;q=-1", "ko;q=0.0001", "ko;x=1", "korean", "q=1", "ko;q=1.5"]
        {
            check(&[], &[odd], Language::English);
        }
        check(&["", "-", "\u{1f511}", "../ko"], &[], Language::English);
        check(&[], &["ko ; q = 0.4"], Language::Korean);
    }
}
