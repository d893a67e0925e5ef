//! Scopes: what a token allows (RFC 6749 section 3.3).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::grammar::{GrammarError, deserialize_text, text_newtype};

text_newtype!(
    /// One scope: 1 to 128 printable ASCII characters without space, `"` and `\`.
    ///
    /// [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)
    Scope,
    check_scope
);

/// A set of scopes, in one allocation.
///
/// A verifier reads one of these from every token and asks it one question. So the text is checked
/// once and kept as it was presented, order and duplicates included; [`contains`](Self::contains)
/// scans it. Equality and hash are those of the set: `"b a a"` equals `"a b"`. A set that is
/// collected from scopes is sorted and has no duplicates.
///
/// As text and in JSON it is the space-delimited list, at most 2 KiB. The empty text is the empty
/// set: a token with `"scope": ""` allows nothing. Collecting does not enforce the 2 KiB, because
/// it cannot fail: who composes a set from configuration parses its text once to know that it fits.
///
/// [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)
#[derive(Clone, Debug, Default)]
pub struct ScopeSet {
    text: Box<str>,
}

impl ScopeSet {
    /// Whether the scope is in the set. A text that is no single scope is in no set.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.iter().any(|held| held == scope)
    }

    /// Whether every scope of this set is in the other.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.contains(scope))
    }

    /// Whether the set allows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The scopes in the order of the text, a duplicate as often as it was presented.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split(' ').filter(|scope| !scope.is_empty())
    }

    /// The space-delimited list as it was presented or, for a collected set, sorted.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What a request gets of what is granted: all of it when it asks for nothing in particular,
    /// else exactly what it asks for.
    ///
    /// A request is never cut down to what is allowed: a client that believes it holds a scope it
    /// does not hold fails later and far from the cause.
    ///
    /// # Errors
    /// The first requested scope that is not granted.
    pub fn narrow(&self, requested: Option<&Self>) -> Result<Self, Scope> {
        let Some(requested) = requested else {
            return Ok(self.clone());
        };
        match requested.iter().find(|scope| !self.contains(scope)) {
            Some(refused) => Err(Scope(refused.into())),
            None => Ok(Self::join(&requested.sorted())),
        }
    }

    fn sorted(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> = self.iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    fn join(scopes: &[&str]) -> Self {
        let text = scopes.join(" ").into();
        Self { text }
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let scopes: std::collections::BTreeSet<Scope> = scopes.into_iter().collect();
        let scopes: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
        Self::join(&scopes)
    }
}

impl FromStr for ScopeSet {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        if text.len() > MAX_SET {
            return Err(GrammarError("a scope list has at most 2048 characters"));
        }
        if !text.is_empty() && !text.as_bytes().split(|b| *b == b' ').all(is_scope_token) {
            return Err(GrammarError(
                "a scope list is scopes with one space between them; a scope has 1 to 128 printable ASCII characters without \" and \\",
            ));
        }
        Ok(Self { text: text.into() })
    }
}

impl PartialEq for ScopeSet {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text || self.sorted() == other.sorted()
    }
}

impl Eq for ScopeSet {}

impl Hash for ScopeSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sorted().hash(state);
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer)
    }
}

const MAX_SCOPE: usize = 128;
const MAX_SET: usize = 2048;

fn check_scope(text: &str) -> Result<(), GrammarError> {
    if is_scope_token(text.as_bytes()) {
        Ok(())
    } else {
        Err(GrammarError("a scope has 1 to 128 printable ASCII characters without space, \" and \\"))
    }
}

fn is_scope_token(text: &[u8]) -> bool {
    (1..=MAX_SCOPE).contains(&text.len())
        && text.iter().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn set(text: &str) -> ScopeSet {
        text.parse().unwrap()
    }

    fn check_narrow(granted: &str, requested: Option<&str>, expected: Result<&str, &str>) {
        let narrowed = set(granted).narrow(requested.map(set).as_ref());
        let narrowed = narrowed.as_ref().map(ScopeSet::as_str).map_err(Scope::as_str);
        assert_eq!(narrowed, expected);
    }

    #[test]
    fn a_request_only_narrows() {
        check_narrow("a b c", None, Ok("a b c"));
        check_narrow("a b c", Some("b"), Ok("b"));
        check_narrow("a b c", Some("c a"), Ok("a c"));
        check_narrow("a b c", Some("a a"), Ok("a"));
        check_narrow("a b c", Some("a b c"), Ok("a b c"));
        check_narrow("a b c", Some("d"), Err("d"));
        check_narrow("a b c", Some("a z d"), Err("z"));
        check_narrow("a b c", Some("A"), Err("A"));
        check_narrow("orders:read", Some("orders"), Err("orders"));
        check_narrow("orders", Some("orders:read"), Err("orders:read"));
        check_narrow("", None, Ok(""));
        check_narrow("", Some("a"), Err("a"));
    }

    #[test]
    fn a_scope_follows_its_grammar() {
        let is_scope = |text: &str| text.parse::<Scope>().is_ok();
        assert!(is_scope("orders:read"));
        assert!(is_scope("!#[]^~"));
        assert!(is_scope("https://fleet.test/read"));
        assert!(is_scope(&"s".repeat(128)));
        assert!(!is_scope(&"s".repeat(129)));
        assert!(!is_scope(""));
        assert!(!is_scope("a b"));
        assert!(!is_scope("a\"b"));
        assert!(!is_scope("a\\b"));
        assert!(!is_scope("a\tb"));
        assert!(!is_scope("a\u{7f}"));
        assert!(!is_scope("lés"));
    }

    // S-12
    #[test]
    fn a_scope_list_follows_its_grammar_and_its_bound() {
        let is_list = |text: &str| text.parse::<ScopeSet>().is_ok();
        assert!(is_list(""));
        assert!(is_list("a"));
        assert!(is_list("b a b"));
        assert!(!is_list(" "));
        assert!(!is_list(" a"));
        assert!(!is_list("a "));
        assert!(!is_list("a  b"));
        assert!(!is_list("a\tb"));
        assert!(!is_list("a,\"b\""));
        assert!(!is_list(&"s".repeat(129)));
        assert!(is_list(&vec!["s"; 1024].join(" ")));
        assert!(!is_list(&vec!["s"; 1025].join(" ")));
    }

    #[test]
    fn only_a_whole_scope_is_contained() {
        let held = set("orders:read orders:write");
        assert!(held.contains("orders:read"));
        assert!(held.contains("orders:write"));
        assert!(!held.contains("orders"));
        assert!(!held.contains("read"));
        assert!(!held.contains("orders:read orders:write"));
        assert!(!held.contains(" "));
        assert!(!held.contains(""));
        assert!(!set("").contains(""));
    }

    #[test]
    fn equality_is_that_of_sets() {
        assert_eq!(set("a b"), set("b a a"));
        assert_ne!(set("a b"), set("a"));
        assert_ne!(set("a"), set(""));
        assert_eq!(HashSet::from([set("a b"), set("b a"), set("b b a")]).len(), 1);
        assert!(set("b").is_subset(&set("a b")));
        assert!(set("").is_subset(&set("a")));
        assert!(!set("a c").is_subset(&set("a b")));
        assert!(set("").is_empty() && !set("a").is_empty());
    }

    #[test]
    fn a_collected_set_is_sorted_and_unique() {
        let scopes = ["c", "a", "c", "b"].map(|text| text.parse::<Scope>().unwrap());
        assert_eq!(scopes.into_iter().collect::<ScopeSet>().to_string(), "a b c");
    }

    #[test]
    fn a_presented_list_is_kept_as_presented() {
        let presented: ScopeSet = serde_json::from_str("\"b a b\"").unwrap();
        assert_eq!(presented.to_string(), "b a b");
        assert_eq!(serde_json::to_string(&presented).unwrap(), "\"b a b\"");
        assert_eq!(presented.iter().collect::<Vec<_>>(), ["b", "a", "b"]);
        for json in ["null", "[\"a\"]", "1", "{}", "true", "\"a  b\""] {
            assert!(serde_json::from_str::<ScopeSet>(json).is_err(), "{json}");
        }
    }
}
