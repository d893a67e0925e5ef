//! For whom a token is meant (RFC 7519 section 4.1.3).

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// The `aud` claim: one to eight names, none of them empty.
///
/// [RFC 7519 section 4.1.3](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudienceClaim(Names);

/// The usual token names one audience, which costs one allocation this way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    One(Box<str>),
    Many(Box<[Box<str>]>),
}

const MAX_AUDIENCES: usize = 8;

impl AudienceClaim {
    /// Whether the audience is among the names, byte for byte.
    #[must_use]
    pub fn contains(&self, audience: &str) -> bool {
        self.iter().any(|name| name == audience)
    }

    /// The names, in the order of the token.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let names = match &self.0 {
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names,
        };
        names.iter().map(Box::as_ref)
    }
}

impl Serialize for AudienceClaim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Names::One(name) => serializer.serialize_str(name),
            Names::Many(names) => serializer.collect_seq(names),
        }
    }
}

impl<'de> Deserialize<'de> for AudienceClaim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AudienceVisitor)
    }
}

struct AudienceVisitor;

impl<'de> Visitor<'de> for AudienceVisitor {
    type Value = AudienceClaim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of 1 to 8 strings, none of them empty")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<AudienceClaim, E> {
        if name.is_empty() {
            return Err(E::invalid_value(de::Unexpected::Str(name), &self));
        }
        Ok(AudienceClaim(Names::One(name.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<AudienceClaim, A::Error> {
        let mut names: Vec<Box<str>> = Vec::new();
        while let Some(name) = array.next_element::<Box<str>>()? {
            if names.len() == MAX_AUDIENCES || name.is_empty() {
                return Err(de::Error::invalid_value(de::Unexpected::Seq, &self));
            }
            names.push(name);
        }
        match names.len() {
            0 => Err(de::Error::invalid_length(0, &self)),
            1 => Ok(AudienceClaim(Names::One(names.remove(0)))),
            _ => Ok(AudienceClaim(Names::Many(names.into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_jose::json;

    use super::*;

    fn accepts(value: &str) -> AudienceClaim {
        let plain: AudienceClaim = serde_json::from_str(value).unwrap_or_else(|e| panic!("{value}: {e}"));
        assert_eq!(json::from_slice::<AudienceClaim>(value.as_bytes()).ok().as_ref(), Some(&plain));
        plain
    }

    fn refuses(value: &str) {
        assert!(serde_json::from_str::<AudienceClaim>(value).is_err(), "{value}");
        assert!(json::from_slice::<AudienceClaim>(value.as_bytes()).is_err(), "{value}");
    }

    // S-6
    #[test]
    fn an_audience_is_one_to_eight_strings() {
        accepts(r#""a""#);
        accepts(r#"["a"]"#);
        accepts(&format!("[{}]", [r#""a""#; 8].join(",")));
        refuses(&format!("[{}]", [r#""a""#; 9].join(",")));
        for value in ["null", "7", "1.5", "true", "false", "{}", r#"{"0":"a"}"#, "[]", r#""""#] {
            refuses(value);
        }
        for value in ["[null]", "[7]", r#"["a",7]"#, r#"["a",null]"#, r#"[["a"]]"#, r#"["a",""]"#] {
            refuses(value);
        }
    }

    // S-6
    #[test]
    fn an_audience_is_contained_byte_for_byte() {
        let aud = accepts(r#"["https://a.test","https://b.test"]"#);
        assert!(aud.contains("https://a.test") && aud.contains("https://b.test"));
        for other in
            ["", "https://a.tes", "https://a.test/", "HTTPS://a.test", "https://a.test https://b.test"]
        {
            assert!(!aud.contains(other), "{other}");
        }
    }

    #[test]
    fn a_single_audience_is_written_as_a_string() {
        let written = |value| serde_json::to_string(&accepts(value)).unwrap();
        assert_eq!(written(r#"["a"]"#), r#""a""#);
        assert_eq!(written(r#""a""#), r#""a""#);
        assert_eq!(written(r#"["a","b"]"#), r#"["a","b"]"#);
    }
}
