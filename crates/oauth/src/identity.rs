//! What a client may learn about a person, by scope (OpenID Connect Core section 5.4).

/// The scope that makes a request one of OpenID Connect.
pub const OPENID: &str = "openid";
/// The scope that asks for a refresh token that outlives the visit
/// ([OpenID Connect Core section 11](https://openid.net/specs/openid-connect-core-1_0.html#OfflineAccess)).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// The scopes that are about the person who signs in, not about a resource server: any client that
/// declares them may be granted them beside those of an audience.
pub const IDENTITY_SCOPES: [&str; 6] = [OPENID, "profile", "email", OFFLINE_ACCESS, "roles", "groups"];

/// The claims of `profile`.
const PROFILE: [&str; 14] = [
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
];

/// The claims of `email`.
const EMAIL: [&str; 2] = ["email", "email_verified"];

/// The claims that a scope stands for; none for a scope that is not about claims.
///
/// [OpenID Connect Core section 5.4](https://openid.net/specs/openid-connect-core-1_0.html#ScopeClaims);
/// `roles` and `groups` are those of
/// [RFC 9068 section 2.2.3.1](https://www.rfc-editor.org/rfc/rfc9068#section-2.2.3.1).
#[must_use]
pub fn claims_of_scope(scope: &str) -> &'static [&'static str] {
    match scope {
        "profile" => &PROFILE,
        "email" => &EMAIL,
        "roles" => &["roles"],
        "groups" => &["groups"],
        _ => &[],
    }
}

/// Whether a scope is about the person who signs in.
#[must_use]
pub fn is_identity_scope(scope: &str) -> bool {
    IDENTITY_SCOPES.contains(&scope)
}

/// Every claim that some scope stands for.
pub fn standard_claims() -> impl Iterator<Item = &'static str> {
    IDENTITY_SCOPES.iter().flat_map(|scope| claims_of_scope(scope)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_belongs_to_one_scope() {
        let claims: Vec<&str> = standard_claims().collect();
        assert_eq!(claims.len(), 18);
        for claim in &claims {
            assert_eq!(claims.iter().filter(|other| *other == claim).count(), 1, "{claim}");
        }
        assert!(claims_of_scope("openid").is_empty() && claims_of_scope("orders:read").is_empty());
        assert!(is_identity_scope("offline_access") && !is_identity_scope("orders:read"));
    }
}
