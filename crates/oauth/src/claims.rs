//! What an access token says (RFC 9068 section 2.2).
//!
//! Reading is written by hand, in one pass, because three habits of derived deserialization are
//! holes here: it takes an explicit `null` for an absent member, it takes a JSON array for an
//! object, and it drops a `cnf` it does not know.

use std::{borrow::Cow, fmt};

use claviger_jose::{NumericDate, Payload, Typ};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::{AudienceClaim, ScopeSet, is_reserved_claim};

/// The claims of an access token, of the right types and complete; whether they are acceptable is
/// the verifier's question.
///
/// Reading refuses every required claim that is absent, empty or of another type, and every
/// optional claim that is present and of another type, `null` included. Claims that are not named
/// here are ignored.
///
/// [RFC 9068 section 2.2](https://www.rfc-editor.org/rfc/rfc9068#section-2.2)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTokenClaims<'p> {
    /// The authorization server that claims to have issued the token. Borrowed from the payload: whoever
    /// accepts the token knows this name already.
    pub iss: Cow<'p, str>,
    /// Whom the token speaks for, unique within `iss`.
    pub sub: String,
    /// The resource servers the token is meant for.
    pub aud: AudienceClaim,
    /// The token is refused from this time on.
    pub exp: NumericDate,
    /// When the token was issued.
    pub iat: NumericDate,
    /// The token is refused before this time.
    pub nbf: Option<NumericDate>,
    /// The name of this very token, for revocation. Required where RFC 9068 is read.
    pub jti: Option<String>,
    /// The client that asked for the token.
    pub client_id: String,
    /// What the token allows; absent, it allows nothing that needs a scope.
    pub scope: Option<ScopeSet>,
    /// The token is bound to a key of its holder.
    pub cnf: Option<Confirmation>,
    /// When the subject last authenticated in person.
    pub auth_time: Option<NumericDate>,
    /// How strongly, in the words of the issuer.
    pub acr: Option<String>,
    /// The session of the subject in which the token was issued, for revocation
    /// ([OpenID Connect Front-Channel Logout section 3](https://openid.net/specs/openid-connect-frontchannel-1_0.html)).
    pub sid: Option<String>,
}

impl Payload for AccessTokenClaims<'_> {
    const TYP: Typ = Typ::AtJwt;
}

/// The `cnf` claim: the token is worth something only together with a proof that its holder has a
/// key.
///
/// A token that is bound in a way we cannot check must not be taken for a bearer token, so every
/// member counts, known or not.
///
/// [RFC 7800 section 3.1](https://www.rfc-editor.org/rfc/rfc7800#section-3.1)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// `jkt`: the thumbprint of the key of the DPoP proof
    /// ([RFC 9449 section 6.1](https://www.rfc-editor.org/rfc/rfc9449#section-6.1)).
    pub jkt: Option<String>,
    /// `x5t#S256`: the SHA-256 of the client's certificate in base64url
    /// ([RFC 8705 section 3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)).
    pub x5t_s256: Option<String>,
    /// There are methods that nobody here can check.
    pub unknown: bool,
}

/// The claims of a token that is about to be signed: borrowed, so that minting copies nothing.
#[derive(Clone, Copy, Debug)]
pub struct MintClaims<'a> {
    /// The issuer.
    pub iss: &'a str,
    /// The subject.
    pub sub: &'a str,
    /// The one resource server the token is for: a token for two could be replayed by one at the
    /// other.
    pub aud: &'a str,
    /// The end of the token's life.
    pub exp: NumericDate,
    /// The time of signing.
    pub iat: NumericDate,
    /// The name of this very token.
    pub jti: &'a str,
    /// The client that asked.
    pub client_id: &'a str,
    /// What the token allows; left out if there is nothing to say.
    pub scope: Option<&'a ScopeSet>,
    /// The person that the token speaks for; none for a service that acts for itself.
    pub person: Option<PersonClaims<'a>>,
}

/// What a token says about the person that it speaks for, beside the subject.
#[derive(Clone, Copy, Debug)]
pub struct PersonClaims<'a> {
    /// When the person authenticated.
    pub auth_time: NumericDate,
    /// How strongly; left out if there is nothing to say.
    pub acr: Option<&'a str>,
    /// In which ways (RFC 8176); left out if empty.
    pub amr: &'a [String],
    /// The session, for revocation.
    pub sid: &'a str,
    /// Claims about the person, and those that were declared. One of a name that the protocol gives a
    /// meaning to ([`is_reserved_claim`]) is left out.
    pub extra: Option<&'a Map<String, Value>>,
}

/// Written by hand: a flattened member of a derived serializer would make every token dearer, those of
/// services too, which have none.
impl Serialize for MintClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(None)?;
        claims.serialize_entry("iss", self.iss)?;
        claims.serialize_entry("sub", self.sub)?;
        claims.serialize_entry("aud", self.aud)?;
        claims.serialize_entry("exp", &self.exp)?;
        claims.serialize_entry("iat", &self.iat)?;
        claims.serialize_entry("jti", self.jti)?;
        claims.serialize_entry("client_id", self.client_id)?;
        if let Some(scope) = self.scope {
            claims.serialize_entry("scope", scope)?;
        }
        if let Some(person) = &self.person {
            person.write(&mut claims)?;
        }
        claims.end()
    }
}

impl PersonClaims<'_> {
    pub(crate) fn write<M: SerializeMap>(&self, claims: &mut M) -> Result<(), M::Error> {
        claims.serialize_entry("auth_time", &self.auth_time)?;
        if let Some(acr) = self.acr {
            claims.serialize_entry("acr", acr)?;
        }
        if !self.amr.is_empty() {
            claims.serialize_entry("amr", self.amr)?;
        }
        claims.serialize_entry("sid", self.sid)?;
        for (name, value) in self.extra.into_iter().flatten().filter(|(name, _)| !is_reserved_claim(name)) {
            claims.serialize_entry(name, value)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for AccessTokenClaims<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimsVisitor)
    }
}

impl<'de> Deserialize<'de> for Confirmation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConfirmationVisitor)
    }
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = AccessTokenClaims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<Self::Value, A::Error> {
        let (mut iss, mut sub, mut aud, mut jti, mut client_id) = (None, None, None, None, None);
        let (mut exp, mut iat, mut nbf, mut scope, mut cnf) = (None, None, None, None, None);
        let (mut auth_time, mut acr, mut sid) = (None, None, None);
        while let Some(name) = claims.next_key()? {
            match name {
                Name::Iss => once(&mut iss, "iss", claims.next_value::<Text<'de>>()?.0)?,
                Name::Sub => once(&mut sub, "sub", claims.next_value()?)?,
                Name::Aud => once(&mut aud, "aud", claims.next_value()?)?,
                Name::Exp => once(&mut exp, "exp", claims.next_value()?)?,
                Name::Iat => once(&mut iat, "iat", claims.next_value()?)?,
                Name::Nbf => once(&mut nbf, "nbf", claims.next_value()?)?,
                Name::Jti => once(&mut jti, "jti", claims.next_value()?)?,
                Name::ClientId => once(&mut client_id, "client_id", claims.next_value()?)?,
                Name::Scope => once(&mut scope, "scope", claims.next_value()?)?,
                Name::Cnf => once(&mut cnf, "cnf", claims.next_value()?)?,
                Name::AuthTime => once(&mut auth_time, "auth_time", claims.next_value()?)?,
                Name::Acr => once(&mut acr, "acr", claims.next_value()?)?,
                Name::Sid => once(&mut sid, "sid", claims.next_value()?)?,
                Name::Other => drop(claims.next_value::<IgnoredAny>()?),
            }
        }
        Ok(AccessTokenClaims {
            iss: filled(iss, "iss")?,
            sub: filled(sub, "sub")?,
            aud: aud.ok_or_else(|| de::Error::missing_field("aud"))?,
            exp: exp.ok_or_else(|| de::Error::missing_field("exp"))?,
            iat: iat.ok_or_else(|| de::Error::missing_field("iat"))?,
            nbf,
            jti: filled(jti, "jti").map(Some)?,
            client_id: filled(client_id, "client_id")?,
            scope,
            cnf,
            auth_time,
            acr,
            sid,
        })
    }
}

fn once<T, E: de::Error>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}

fn filled<T: AsRef<str>, E: de::Error>(claim: Option<T>, name: &'static str) -> Result<T, E> {
    match claim {
        Some(text) if text.as_ref().is_empty() => Err(E::custom(format_args!("`{name}` is empty"))),
        Some(text) => Ok(text),
        None => Err(E::missing_field(name)),
    }
}

/// A claim that is read here, or any other.
enum Name {
    Iss,
    Sub,
    Aud,
    Exp,
    Iat,
    Nbf,
    Jti,
    ClientId,
    Scope,
    Cnf,
    AuthTime,
    Acr,
    Sid,
    Other,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a claim")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
        Ok(match name {
            "iss" => Name::Iss,
            "sub" => Name::Sub,
            "aud" => Name::Aud,
            "exp" => Name::Exp,
            "iat" => Name::Iat,
            "nbf" => Name::Nbf,
            "jti" => Name::Jti,
            "client_id" => Name::ClientId,
            "scope" => Name::Scope,
            "cnf" => Name::Cnf,
            "auth_time" => Name::AuthTime,
            "acr" => Name::Acr,
            "sid" => Name::Sid,
            _ => Name::Other,
        })
    }
}

struct ConfirmationVisitor;

impl<'de> Visitor<'de> for ConfirmationVisitor {
    type Value = Confirmation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of confirmation methods")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut methods: A) -> Result<Confirmation, A::Error> {
        let mut confirmation = Confirmation::default();
        while let Some(name) = methods.next_key::<Text<'de>>()? {
            match &*name.0 {
                "jkt" => once(&mut confirmation.jkt, "jkt", methods.next_value()?)?,
                "x5t#S256" => once(&mut confirmation.x5t_s256, "x5t#S256", methods.next_value()?)?,
                _ => {
                    confirmation.unknown = true;
                    methods.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(confirmation)
    }
}

/// A string, borrowed where it stands without escapes. serde reads a plain `Cow` as owned.
struct Text<'p>(Cow<'p, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use claviger_jose::json;

    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("iss", r#""https://id.fleet.test""#),
        ("sub", r#""client:orders""#),
        ("aud", r#""https://ledger.fleet.test""#),
        ("exp", "1700000300"),
        ("iat", "1700000000"),
        ("jti", r#""0190a6c4""#),
        ("client_id", r#""orders""#),
    ];

    /// A good payload with one claim set to a JSON text; an empty text leaves the claim out.
    fn payload(name: &str, value: &str) -> String {
        let others = GOOD.iter().filter(|(held, _)| *held != name).copied();
        let members: Vec<String> = others
            .chain([(name, value)])
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    fn accepts(name: &str, value: &str) -> AccessTokenClaims<'static> {
        let payload: &'static str = payload(name, value).leak();
        let plain: AccessTokenClaims<'_> =
            serde_json::from_str(payload).unwrap_or_else(|e| panic!("{payload}: {e}"));
        let strict: AccessTokenClaims<'_> =
            json::from_str(payload).unwrap_or_else(|e| panic!("{payload}: {e}"));
        assert_eq!(plain, strict);
        strict
    }

    fn refuses(name: &str, value: &str) {
        let payload = payload(name, value);
        refuses_payload(&payload);
    }

    fn refuses_payload(payload: &str) {
        assert!(serde_json::from_str::<AccessTokenClaims<'_>>(payload).is_err(), "{payload}");
        assert!(json::from_str::<AccessTokenClaims<'_>>(payload).is_err(), "{payload}");
    }

    #[test]
    fn a_complete_payload_is_read() {
        let claims = accepts("scope", r#""ledger:read ledger:post""#);
        assert_eq!(claims.iss, "https://id.fleet.test");
        assert_eq!(claims.sub, "client:orders");
        assert!(claims.aud.contains("https://ledger.fleet.test"));
        assert_eq!(claims.exp, NumericDate::from_secs(1_700_000_300));
        assert_eq!(claims.iat, NumericDate::from_secs(1_700_000_000));
        assert_eq!((claims.jti.as_deref(), claims.client_id.as_str()), (Some("0190a6c4"), "orders"));
        assert!(claims.scope.unwrap().contains("ledger:post"));
        assert_eq!((claims.nbf, claims.cnf, claims.auth_time, claims.acr), (None, None, None, None));
        assert!(matches!(claims.iss, Cow::Borrowed(_)), "nothing is copied that is only compared");
        assert_eq!(accepts("iss", r#""https:\/\/id.fleet.test""#).iss, "https://id.fleet.test");
    }

    // S-6
    #[test]
    fn an_audience_is_required_and_of_its_own_type() {
        for value in ["", "null", "7", "true", "{}", "[]", r#""""#] {
            refuses("aud", value);
        }
    }

    #[test]
    fn unknown_claims_are_ignored() {
        accepts("roles", r#"["a",{"b":null}]"#);
        accepts("Iss", "7");
        accepts("", "1");
    }

    // S-5 S-7
    #[test]
    fn names_are_strings_that_say_something() {
        for name in ["iss", "sub", "jti", "client_id"] {
            for value in ["", "null", r#""""#, "1", "true", "{}", r#"["a"]"#, r#"{"a":"b"}"#] {
                refuses(name, value);
            }
        }
    }

    // S-7 S-8
    #[test]
    fn dates_are_numbers_in_range() {
        let malformed = [
            "null",
            "-1",
            "-0.5",
            "1e400",
            "-1e400",
            "1e300",
            "\"1700000000\"",
            "true",
            "[1700000000]",
            "{}",
            "NaN",
            "18446744073709551616",
        ];
        for name in ["exp", "iat", "nbf", "auth_time"] {
            for value in malformed {
                refuses(name, value);
            }
        }
        refuses("exp", "");
        refuses("iat", "");
        assert_eq!(accepts("nbf", "").nbf, None);
        assert_eq!(accepts("nbf", "1700000001").nbf, Some(NumericDate::from_secs(1_700_000_001)));
    }

    // S-7
    #[test]
    fn an_optional_claim_of_the_wrong_type_is_not_an_absent_one() {
        for value in ["null", "1", "true", "{}", r#"["ledger:read"]"#, r#""a  b""#, r#"" a""#, r#""a\"b""#] {
            refuses("scope", value);
        }
        assert_eq!(accepts("scope", "").scope, None);
        assert!(accepts("scope", r#""""#).scope.unwrap().is_empty());
    }

    // S-7
    #[test]
    fn a_session_is_a_string_or_not_there() {
        assert_eq!(accepts("sid", "").sid, None);
        assert_eq!(accepts("sid", r#""s-1""#).sid.as_deref(), Some("s-1"));
        for value in ["null", "1", "true", "{}", r#"["s-1"]"#] {
            refuses("sid", value);
        }
    }

    // S-12
    #[test]
    fn a_scope_claim_is_bounded() {
        refuses("scope", &format!("\"{}\"", vec!["s"; 1025].join(" ")));
    }

    // S-16
    #[test]
    fn a_bound_token_is_never_read_as_unbound() {
        let bound = |value| accepts("cnf", value).cnf.unwrap();
        let jkt = Confirmation { jkt: Some("a".to_owned()), ..Confirmation::default() };
        let x5t_s256 = Confirmation { x5t_s256: Some("a".to_owned()), ..Confirmation::default() };
        let unknown = Confirmation { unknown: true, ..Confirmation::default() };
        assert_eq!(bound(r#"{"jkt":"a"}"#), jkt);
        assert_eq!(bound(r#"{"x5t#S256":"a"}"#), x5t_s256);
        assert_eq!(bound(r#"{"new":[{}]}"#), unknown);
        assert_eq!(bound(r#"{"jkt":"a","new":1}"#), Confirmation { unknown: true, ..jkt });
        assert_eq!(bound("{}"), Confirmation::default());
        for value in [
            r#"{"jkt":null}"#,
            r#"{"x5t#S256":["a"]}"#,
            r#"{"jkt":"a","jkt":"a"}"#,
            "null",
            "false",
            "0",
            r#""""#,
            r#""jkt""#,
            "[]",
            r#"[{"jkt":"a"}]"#,
        ] {
            refuses("cnf", value);
        }
    }

    // S-7
    #[test]
    fn a_claim_is_given_once() {
        let good = payload("", "");
        let inner = good.trim_start_matches('{').trim_end_matches('}');
        for (name, value) in GOOD {
            refuses_payload(&format!("{{{inner},\"{name}\":{value}}}"));
        }
        refuses_payload(&format!(r#"{{{inner},"\u0073ub":"client:orders"}}"#));
        refuses_payload(&format!(r#"{{{inner},"cnf":{{"jkt":"a"}},"cnf":{{}}}}"#));
    }

    // S-7
    #[test]
    fn a_payload_is_an_object() {
        let values: Vec<&str> = GOOD.iter().map(|(_, value)| *value).collect();
        refuses_payload(&format!("[{}]", values.join(",")));
        for payload in ["", "null", "{}", "[]", r#""a""#, "1", r#"[{"iss":"a"}]"#] {
            refuses_payload(payload);
        }
    }

    #[test]
    fn what_is_minted_can_be_read() {
        let scope: ScopeSet = "ledger:read".parse().unwrap();
        let mut minted = MintClaims {
            iss: "https://id.fleet.test",
            sub: "client:orders",
            aud: "https://ledger.fleet.test",
            exp: NumericDate::from_secs(1_700_000_300),
            iat: NumericDate::from_secs(1_700_000_000),
            jti: "0190a6c4",
            client_id: "orders",
            scope: Some(&scope),
            person: None,
        };
        let read = |minted: &MintClaims<'_>| -> AccessTokenClaims<'static> {
            json::from_str(serde_json::to_string(minted).unwrap().leak()).unwrap()
        };
        assert_eq!(read(&minted), accepts("scope", r#""ledger:read""#));
        minted.scope = None;
        assert_eq!(read(&minted), accepts("scope", ""));
    }

    #[test]
    fn what_is_minted_for_a_service_has_these_bytes() {
        let scope: ScopeSet = "ledger:read".parse().unwrap();
        let mut minted = service();
        assert_eq!(
            serde_json::to_string(&minted).unwrap(),
            r#"{"iss":"https://id.fleet.test","sub":"client:orders","aud":"https://ledger.fleet.test","exp":1700000300,"iat":1700000000,"jti":"0190a6c4","client_id":"orders"}"#
        );
        minted.scope = Some(&scope);
        let json = serde_json::to_string(&minted).unwrap();
        assert!(json.ends_with(r#""client_id":"orders","scope":"ledger:read"}"#), "{json}");
    }

    // S-14
    #[test]
    fn no_declared_claim_takes_the_place_of_one_of_the_protocol() {
        let Value::Object(extra) = serde_json::json!({
            "sub": "user:root", "scope": "admin", "exp": 1, "client_id": "x", "amr": ["hwk"], "sid": "other",
            "aud": "https://other.test", "department": "sales", "roles": ["buyer"],
        }) else {
            panic!("no object");
        };
        let amr = ["pwd".to_owned()];
        let person = PersonClaims {
            auth_time: NumericDate::from_secs(1_699_999_990),
            acr: Some("1"),
            amr: &amr,
            sid: "s1",
            extra: Some(&extra),
        };
        let json =
            serde_json::to_string(&MintClaims { sub: "user:a", person: Some(person), ..service() }).unwrap();
        assert!(
            json.ends_with(
                r#""client_id":"orders","auth_time":1699999990,"acr":"1","amr":["pwd"],"sid":"s1","department":"sales","roles":["buyer"]}"#
            ),
            "{json}"
        );
        let read: AccessTokenClaims<'_> = json::from_str(&json).unwrap();
        assert_eq!(
            (read.sub.as_str(), read.sid.as_deref(), read.acr.as_deref()),
            ("user:a", Some("s1"), Some("1"))
        );
        assert_eq!(read.auth_time, Some(person.auth_time));
    }

    fn service() -> MintClaims<'static> {
        MintClaims {
            iss: "https://id.fleet.test",
            sub: "client:orders",
            aud: "https://ledger.fleet.test",
            exp: NumericDate::from_secs(1_700_000_300),
            iat: NumericDate::from_secs(1_700_000_000),
            jti: "0190a6c4",
            client_id: "orders",
            scope: None,
            person: None,
        }
    }
}
