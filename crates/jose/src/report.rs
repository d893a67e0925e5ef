use std::{fmt, str::FromStr};

/// The longest of each field, in characters.
const MAX_AUDIENCE: usize = 256;
const MAX_FIELD: usize = 64;

/// What a verifier says of itself when it polls its issuer: the header `Claviger-Verifier`.
///
/// It is advice, not authority: nobody proves it. It has five fields between semicolons, of which the third and the
/// fourth may be empty: audience, instance, the entity tag of the held key set (without quotes), the number of the last
/// accepted statement of the revocation feed, and the client's version. In the audience `%` and `;` are
/// percent-encoded. A process that verifies for several audiences sends the header once for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierReport {
    /// The service.
    pub audience: String,
    /// This process of it: 1 to 64 of `A-Z a-z 0-9 . _ -`, random enough that nobody else can name it.
    pub instance: String,
    /// The entity tag of the key set that it holds; empty if it holds none.
    pub keys: String,
    /// The `seq` of the last statement that it took from the feed.
    pub sequence: Option<u64>,
    /// The version of its client, of the same characters as the instance.
    pub version: String,
}

impl VerifierReport {
    /// The name of the header.
    pub const HEADER: &'static str = "claviger-verifier";
}

/// The text is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a verifier's report")]
pub struct InvalidReport;

impl fmt::Display for VerifierReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { audience, instance, keys, sequence, version } = self;
        let audience = audience.replace('%', "%25").replace(';', "%3B");
        write!(f, "{audience}; {instance}; {keys}; ")?;
        if let Some(sequence) = sequence {
            write!(f, "{sequence}")?;
        }
        write!(f, "; {version}")
    }
}

impl FromStr for VerifierReport {
    type Err = InvalidReport;

    fn from_str(text: &str) -> Result<Self, InvalidReport> {
        let mut fields = text.split(';').map(str::trim);
        let mut next = || fields.next().ok_or(InvalidReport);
        let (audience, instance, keys, sequence, version) = (next()?, next()?, next()?, next()?, next()?);
        let audience = audience.replace("%3B", ";").replace("%25", "%");
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let name = |text: &str| {
            (1..=MAX_FIELD).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let good = fields.next().is_none()
            && (1..=MAX_AUDIENCE).contains(&audience.len())
            && visible(&audience)
            && name(instance)
            && name(version)
            && keys.len() <= MAX_FIELD
            && visible(keys);
        let sequence = match sequence {
            "" => None,
            digits => Some(digits.parse().map_err(|_| InvalidReport)?),
        };
        if !good {
            return Err(InvalidReport);
        }
        let (instance, keys, version) = (instance.to_owned(), keys.to_owned(), version.to_owned());
        Ok(Self { audience, instance, keys, sequence, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        for (audience, keys, sequence) in
            [("https://orders.fleet.test", "a-b_c", Some(17)), ("urn:a;b%3B%25", "", None)]
        {
            let report = VerifierReport {
                audience: audience.to_owned(),
                instance: "orders-7.kd82".to_owned(),
                keys: keys.to_owned(),
                sequence,
                version: "0.1.0".to_owned(),
            };
            assert_eq!(report.to_string().parse(), Ok(report));
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            ";;;;",
            "a; b; c; 1",
            "a; b; c; 1; 0; more",
            "a; b c; d; 1; 0",
            "a; b; c; -1; 0",
            "a; b; c; x; 0",
            "a b; c; d; 1; 0",
            "a; ; c; 1; 0",
        ] {
            assert_eq!(text.parse::<VerifierReport>(), Err(InvalidReport), "{text}");
        }
        let long = "a".repeat(65);
        assert_eq!(format!("a; {long}; c; 1; 0").parse::<VerifierReport>(), Err(InvalidReport));
    }
}
