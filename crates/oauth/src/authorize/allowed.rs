use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Audience, Scope};

/// What a person allows a client: what it learns of them, and what it does for them, service by service. A scope that was
/// allowed at one service says nothing of another that has one of the same name.
///
/// As JSON, scopes are lists and services a map of them, so that a database can say whether one contains another as
/// [`covers`](Self::covers) does: whatever is in the one is at the same place in the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// Scopes of the person's identity.
    pub identity: BTreeSet<Scope>,
    /// The scopes at each service. A service without any is one that the client calls in the person's name all the same.
    pub services: BTreeMap<Audience, BTreeSet<Scope>>,
}

impl Allowed {
    /// Whether all of the other is in this: each service, and each scope where it is asked for.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let at = |(service, scopes): (&Audience, &BTreeSet<Scope>)| {
            self.services.get(service).is_some_and(|held| scopes.is_subset(held))
        };
        other.identity.is_subset(&self.identity) && other.services.iter().all(at)
    }

    /// Whether a token for this audience may have the scope.
    #[must_use]
    pub fn allows_at(&self, audience: &Audience, scope: &str) -> bool {
        let is_meant = |held: &BTreeSet<Scope>| held.iter().any(|held| held.as_str() == scope);
        is_meant(&self.identity) || self.services.get(audience).is_some_and(is_meant)
    }

    /// Adds what is allowed besides.
    pub fn add(&mut self, more: &Self) {
        self.identity.extend(more.identity.iter().cloned());
        for (service, scopes) in &more.services {
            self.services.entry(service.clone()).or_default().extend(scopes.iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "https://a.test";
    const B: &str = "https://b.test";

    fn allowed(identity: &str, services: &[(&str, &str)]) -> Allowed {
        let scopes = |text: &str| text.split_whitespace().map(|scope| scope.parse().unwrap()).collect();
        let services = services.iter().map(|(service, text)| (service.parse().unwrap(), scopes(text)));
        Allowed { identity: scopes(identity), services: services.collect() }
    }

    // S-70
    #[test]
    fn what_is_allowed_at_one_service_is_not_allowed_at_another() {
        let held = allowed("openid", &[(A, "read write")]);
        let check = |identity: &str, services: &[(&str, &str)], expected: bool| {
            assert_eq!(held.covers(&allowed(identity, services)), expected, "{identity} {services:?}");
        };
        check("openid", &[(A, "read write")], true);
        check("openid", &[(A, "")], true);
        check("", &[], true);
        check("", &[(A, "delete")], false);
        check("", &[(B, "read")], false);
        check("openid", &[(B, "")], false);
        check("read", &[], false);
        check("", &[(A, "openid")], false);
        check("openid email", &[], false);
        assert!(held.allows_at(&A.parse().unwrap(), "openid") && held.allows_at(&A.parse().unwrap(), "read"));
        assert!(
            held.allows_at(&B.parse().unwrap(), "openid") && !held.allows_at(&B.parse().unwrap(), "read")
        );
    }

    #[test]
    fn what_is_added_covers_both() {
        let (one, other) = (allowed("openid", &[(A, "read")]), allowed("email", &[(A, "write"), (B, "")]));
        let mut both = one.clone();
        both.add(&other);
        assert_eq!(both, allowed("openid email", &[(A, "read write"), (B, "")]));
        assert!(both.covers(&one) && both.covers(&other) && !one.covers(&both));
    }

    #[test]
    fn it_is_kept_as_lists() {
        let kept = r#"{"identity":["openid"],"services":{"https://a.test":["read"],"https://b.test":[]}}"#;
        let held = allowed("openid", &[(A, "read"), (B, "")]);
        assert_eq!(serde_json::to_string(&held).unwrap(), kept);
        assert_eq!(serde_json::from_str::<Allowed>(kept).unwrap(), held);
    }
}
