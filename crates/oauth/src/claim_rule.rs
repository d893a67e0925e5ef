//! Claims of an organisation's own, by declaration: which, of what, and where they go.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Scope;
use crate::grammar::{GrammarError, text_newtype};
use crate::identity::{IDENTITY_SCOPES, claims_of_scope};

text_newtype!(
    /// The name of a claim that may be declared: 1 to 64 printable ASCII characters, and none of the
    /// names that the protocol gives a meaning to, so that no declaration can say who somebody is or
    /// what a token allows.
    ClaimName,
    check_claim_name
);

/// One claim of an organisation's own.
///
/// In `fleet.toml`:
///
/// ```toml
/// claims = [
///     { claim = "department", from = { user = "department" }, in = ["id_token", "userinfo"] },
///     { claim = "region", from = { constant = "eu" }, in = ["access_token"] },
/// ]
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRule {
    /// What it is called.
    pub claim: ClaimName,
    /// What it says.
    pub from: ClaimSource,
    /// Where it goes.
    #[serde(rename = "in")]
    pub places: Vec<ClaimPlace>,
    /// Only where this scope was granted; left out: always. A client that is not of the house must name the
    /// [`scope_of_person`](ClaimSource::scope_of_person) for what tells something of people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

/// What a declared claim says. One whose source is not there is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimSource {
    /// A claim of the person's account, by its name.
    User(String),
    /// An attribute of the client: `client_id`, `name` or `team`.
    Client(ClientAttribute),
    /// The person's roles, as a list.
    Roles,
    /// The person's groups, as a list.
    Groups,
    /// Always the same.
    Constant(Value),
}

/// What a claim may say of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAttribute {
    /// Its id.
    ClientId,
    /// The name that people see.
    Name,
    /// The team whose it is.
    Team,
}

/// Where a declared claim goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimPlace {
    /// Into ID tokens.
    IdToken,
    /// Into access tokens. For a resource server to declare, not for a client: it decides by them.
    AccessToken,
    /// Into the answer of the userinfo endpoint.
    Userinfo,
}

/// The most bytes of JSON that declared claims may add to one token or answer: the rest of a token and
/// its signature must fit into the 8 KiB that a verifier reads, and a token into a header.
pub const CLAIMS_BUDGET: usize = 2 * 1024;

impl ClaimRule {
    /// Whether it puts something there.
    #[must_use]
    pub fn is_for(&self, place: ClaimPlace) -> bool {
        self.places.contains(&place)
    }

    /// How many bytes of JSON the claim surely adds where it goes: its name, and its value as far as
    /// that is declared.
    #[must_use]
    pub fn least_bytes(&self) -> usize {
        let value = match &self.from {
            ClaimSource::Constant(value) => value.to_string().len(),
            // Two quotes or two brackets.
            _ => 2,
        };
        self.claim.as_str().len() + r#""":,"#.len() + value
    }

    /// What is wrong with a set of rules that are declared together: two of one name in one place, a
    /// rule that goes nowhere, and more than [`CLAIMS_BUDGET`] in one place.
    #[must_use]
    pub fn mistakes(rules: &[Self]) -> Vec<String> {
        let mut mistakes = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            if rule.places.is_empty() {
                mistakes.push(format!("claim {}: `in` names no place", rule.claim));
            }
            let again = rules[..at].iter().any(|other| {
                other.claim == rule.claim && other.places.iter().any(|place| rule.is_for(*place))
            });
            if again {
                mistakes.push(format!("claim {} is declared twice for one place", rule.claim));
            }
        }
        for place in [ClaimPlace::IdToken, ClaimPlace::AccessToken, ClaimPlace::Userinfo] {
            let bytes: usize =
                rules.iter().filter(|rule| rule.is_for(place)).map(Self::least_bytes).sum::<usize>() + 2;
            if bytes > CLAIMS_BUDGET {
                let place = place.as_str();
                mistakes
                    .push(format!("the claims for {place} have at least {bytes} bytes; {CLAIMS_BUDGET} fit"));
            }
        }
        mistakes
    }
}

impl ClaimSource {
    /// The scope by which people are asked whether a client may learn what this says of them; none where it says nothing
    /// of them. What no scope stands for goes with the rest of the profile.
    #[must_use]
    pub fn scope_of_person(&self) -> Option<&'static str> {
        let named = match self {
            Self::User(claim) => claim.as_str(),
            Self::Roles => "roles",
            Self::Groups => "groups",
            Self::Client(_) | Self::Constant(_) => return None,
        };
        let of_claim = IDENTITY_SCOPES.into_iter().find(|scope| claims_of_scope(scope).contains(&named));
        Some(of_claim.unwrap_or("profile"))
    }
}

impl ClaimPlace {
    /// The name in a declaration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdToken => "id_token",
            Self::AccessToken => "access_token",
            Self::Userinfo => "userinfo",
        }
    }
}

/// The claims that the protocols give a meaning to: RFC 7519 section 4.1, RFC 7800, RFC 8693, RFC 9068,
/// OpenID Connect Core section 2 and its log-out specifications.
const RESERVED: [&str; 27] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "scp",
    "cnf",
    "act",
    "may_act",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "events",
    "authorization_details",
    "sub_jwk",
    "_claim_names",
    "_claim_sources",
];

/// Whether the protocol gives the name of a claim a meaning, so that nothing else may.
#[must_use]
pub fn is_reserved_claim(name: &str) -> bool {
    RESERVED.contains(&name)
}

fn check_claim_name(text: &str) -> Result<(), GrammarError> {
    if !(1..=64).contains(&text.len()) || !text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
    {
        return Err(GrammarError("a claim has 1 to 64 printable ASCII characters without space, \" and \\"));
    }
    if is_reserved_claim(text) {
        return Err(GrammarError("the protocol gives this claim a meaning: it cannot be declared"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(claim: &str, from: ClaimSource, places: &[ClaimPlace]) -> ClaimRule {
        ClaimRule { claim: claim.parse().unwrap(), from, places: places.to_vec(), scope: None }
    }

    #[test]
    fn a_declaration_is_read_as_it_is_written() {
        let json =
            r#"{"claim":"department","from":{"user":"dept"},"in":["id_token","userinfo"],"scope":"profile"}"#;
        let read: ClaimRule = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
        assert!(read.is_for(ClaimPlace::Userinfo) && !read.is_for(ClaimPlace::AccessToken));
        for from in [r#""roles""#, r#"{"client":"team"}"#, r#"{"constant":[1,{"a":null}]}"#] {
            let json = format!(r#"{{"claim":"c","from":{from},"in":["access_token"]}}"#);
            assert_eq!(
                serde_json::to_string(&serde_json::from_str::<ClaimRule>(&json).unwrap()).unwrap(),
                json
            );
        }
        for json in [
            r#"{"claim":"c","from":"roles","in":["id_token"],"into":"x"}"#,
            r#"{"claim":"c","from":"password","in":["id_token"]}"#,
            r#"{"claim":"c","from":{"client":"secret"},"in":["id_token"]}"#,
            r#"{"claim":"c","from":"roles","in":["header"]}"#,
            r#"{"claim":"c","from":"roles"}"#,
        ] {
            assert!(serde_json::from_str::<ClaimRule>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn no_declaration_says_who_somebody_is_or_what_a_token_allows() {
        for name in RESERVED {
            assert!(name.parse::<ClaimName>().is_err(), "{name}");
        }
        for name in ["", "a b", "a\"", "é", "a\n", &"c".repeat(65)] {
            assert!(name.parse::<ClaimName>().is_err(), "{name:?}");
        }
        for name in ["department", "roles", "https://fleet.test/claims/tenant", "Sub"] {
            assert!(name.parse::<ClaimName>().is_ok(), "{name}");
        }
    }

    // S-70
    #[test]
    fn what_is_told_of_a_person_goes_with_a_scope_that_people_are_asked_for() {
        let check =
            |source: ClaimSource, expected| assert_eq!(source.scope_of_person(), expected, "{source:?}");
        let user = |claim: &str| ClaimSource::User(claim.to_owned());
        check(user("email"), Some("email"));
        check(user("email_verified"), Some("email"));
        check(user("birthdate"), Some("profile"));
        check(user("department"), Some("profile"));
        check(user("roles"), Some("roles"));
        check(ClaimSource::Roles, Some("roles"));
        check(ClaimSource::Groups, Some("groups"));
        check(ClaimSource::Client(ClientAttribute::Team), None);
        check(ClaimSource::Constant(Value::Null), None);
    }

    #[test]
    fn declarations_that_cannot_all_hold_are_named() {
        use ClaimPlace::{AccessToken, IdToken};
        let twice = [
            rule("a", ClaimSource::Roles, &[IdToken, AccessToken]),
            rule("a", ClaimSource::Groups, &[AccessToken]),
        ];
        assert_eq!(ClaimRule::mistakes(&twice), ["claim a is declared twice for one place"]);
        let apart =
            [rule("a", ClaimSource::Roles, &[IdToken]), rule("a", ClaimSource::Groups, &[AccessToken])];
        assert!(ClaimRule::mistakes(&apart).is_empty());
        let nowhere = [rule("a", ClaimSource::Roles, &[])];
        assert_eq!(ClaimRule::mistakes(&nowhere), ["claim a: `in` names no place"]);
    }

    #[test]
    fn constants_beyond_the_budget_are_a_mistake() {
        let constant = |bytes: usize| ClaimSource::Constant(Value::String("x".repeat(bytes)));
        // The braces, the name, its quotes, colon and comma, and the value's quotes.
        let most = CLAIMS_BUDGET - 2 - 5 - 2;
        let fits = [rule("a", constant(most), &[ClaimPlace::AccessToken])];
        assert_eq!(ClaimRule::mistakes(&fits), Vec::<String>::new());
        let over = [rule("a", constant(most + 1), &[ClaimPlace::AccessToken])];
        assert_eq!(
            ClaimRule::mistakes(&over),
            ["the claims for access_token have at least 2049 bytes; 2048 fit"]
        );
    }
}
