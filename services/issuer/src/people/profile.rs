//! What is known of people besides their names.

use claviger_oauth::is_reserved_claim;
use claviger_store::Profile;
use serde_json::{Map, Value};

/// The most of each, and their longest names in characters.
const MOST: usize = 64;
const LONGEST: usize = 100;
/// All claims of one person as JSON: more would not fit into a token.
const BUDGET: usize = 4 * 1024;
/// What is kept of a person elsewhere; a token says more by itself.
const KEPT_ELSEWHERE: [&str; 2] = ["roles", "groups"];

/// A profile that keeps within the bounds.
///
/// # Errors
/// What does not, in one line each.
pub(crate) fn checked(
    claims: Map<String, Value>,
    roles: Vec<String>,
    groups: Vec<String>,
) -> Result<Profile, Vec<String>> {
    let mut mistakes = Vec::new();
    for name in claims.keys() {
        if is_reserved_claim(name) || KEPT_ELSEWHERE.contains(&name.as_str()) {
            mistakes.push(format!("the claim `{name}` is not one of a person's profile"));
        } else if !is_name(name) {
            mistakes
                .push("the name of a claim has 1 to 100 characters, and no control characters".to_owned());
        }
    }
    if Value::Object(claims.clone()).to_string().len() > BUDGET {
        mistakes.push("the claims are longer than 4 KiB".to_owned());
    }
    let roles = names("role", roles, &mut mistakes);
    let groups = names("group", groups, &mut mistakes);
    if mistakes.is_empty() { Ok(Profile { claims, roles, groups }) } else { Err(mistakes) }
}

/// What everybody knows of somebody: no password to choose.
pub(crate) fn well_known(profile: &Profile) -> impl Iterator<Item = &str> {
    profile.claims.values().filter_map(Value::as_str)
}

fn names(what: &str, mut names: Vec<String>, mistakes: &mut Vec<String>) -> Vec<String> {
    if names.iter().any(|name| !is_name(name)) {
        mistakes.push(format!(
            "a {what} has 1 to 100 characters, no control characters, and no space at its ends"
        ));
    }
    if names.len() > MOST {
        mistakes.push(format!("there are more than {MOST} {what}s"));
    }
    names.sort();
    names.dedup();
    names
}

fn is_name(name: &str) -> bool {
    let length = name.chars().take(LONGEST + 1).count();
    (1..=LONGEST).contains(&length) && !name.chars().any(char::is_control) && name.trim() == name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(claims: Value, roles: &[&str]) -> Result<Profile, Vec<String>> {
        let Value::Object(claims) = claims else { panic!("an object") };
        checked(claims, roles.iter().map(ToString::to_string).collect(), Vec::new())
    }

    #[test]
    fn a_profile_is_what_clients_may_be_told() {
        let profile =
            check(json!({ "name": "Ada", "address": { "locality": "Tartu" } }), &["b", "a", "b"]).unwrap();
        assert_eq!(profile.roles, ["a", "b"]);
        assert_eq!(well_known(&profile).collect::<Vec<_>>(), ["Ada"]);
    }

    // S-15
    #[test]
    fn nobody_s_profile_says_what_only_a_token_can() {
        let names = [
            "iss",
            "sub",
            "aud",
            "exp",
            "nbf",
            "iat",
            "jti",
            "client_id",
            "scope",
            "azp",
            "nonce",
            "auth_time",
            "amr",
            "acr",
            "sid",
            "cnf",
            "act",
            "events",
            "at_hash",
            "c_hash",
            "roles",
            "groups",
        ];
        for name in names {
            assert!(check(json!({ name: "x" }), &[]).is_err(), "{name}");
        }
    }

    #[test]
    fn a_profile_has_its_bounds_and_all_mistakes_are_told() {
        let mistakes =
            check(json!({ "sub": 1, "a\n": 2, "long": "x".repeat(5_000) }), &["", "a\nb"]).unwrap_err();
        assert_eq!(mistakes.len(), 4, "{mistakes:?}");
        let many: Vec<String> = (0..65).map(|number| number.to_string()).collect();
        assert!(checked(Map::new(), many, Vec::new()).is_err());
        assert!(check(json!({}), &["김 민준"]).is_ok());
    }
}
