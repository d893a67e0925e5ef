use claviger_oauth::{Allowed, Audience, AuthorizeError, Issuer, ScopeSet, USERINFO_PATH};
use claviger_store::{Client, ClientGrant};

/// What a client gets if the person allows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// The services that its tokens are for.
    pub(crate) audiences: Vec<Audience>,
    /// What they allow: scopes of those services, and of the person's identity.
    pub(crate) scope: ScopeSet,
    /// Which of them at which service: what the person is shown, and says yes to.
    pub(crate) allowed: Allowed,
}

impl Access {
    /// What a request for a scope (empty: left out) at some resources can get: it is refused rather than cut down.
    ///
    /// The audiences are those that it names, or the only one that the client may call. A client that may call none, or
    /// asks for nothing of any of several, gets a token for userinfo.
    ///
    /// # Errors
    /// `invalid_target` or `invalid_scope`.
    pub(crate) fn of(
        client: &Client,
        issuer: &Issuer,
        scope: &ScopeSet,
        resource: &[Audience],
    ) -> Result<Self, AuthorizeError> {
        let identity = client.application.as_ref().map(|application| &application.identity_scopes);
        let is_identity = |scope: &str| identity.is_some_and(|identity| identity.contains(scope));
        let asks_for_services = scope.iter().any(|scope| !is_identity(scope));
        let audiences: Vec<&Audience> = match (resource, &client.grants[..]) {
            ([], [only]) => vec![&only.audience],
            ([], [_, ..]) if asks_for_services => return Err(AuthorizeError::InvalidTarget),
            ([], _) => Vec::new(),
            (named, _) => named.iter().collect(),
        };
        let grant = |audience: &&Audience| client.grants.iter().find(|grant| grant.audience == **audience);
        let grants = audiences.iter().map(|audience| grant(audience).ok_or(AuthorizeError::InvalidTarget));
        let grants = grants.collect::<Result<Vec<_>, _>>()?;
        let at_services = grants.iter().flat_map(|grant| grant.scopes.iter());
        let scope = if scope.is_empty() {
            at_services.filter_map(|scope| scope.parse().ok()).collect()
        } else {
            let most = at_services.chain(identity.into_iter().flat_map(ScopeSet::iter));
            let most: ScopeSet = most.filter_map(|scope| scope.parse().ok()).collect();
            most.narrow(Some(scope)).map_err(|_| AuthorizeError::InvalidScope)?
        };
        let allowed = allowed(&scope, identity, &grants);
        let audiences = if audiences.is_empty() {
            let userinfo = issuer.join(USERINFO_PATH).parse().map_err(|_| AuthorizeError::InvalidTarget)?;
            vec![userinfo]
        } else {
            audiences.into_iter().cloned().collect()
        };
        Ok(Self { audiences, scope, allowed })
    }
}

/// What the scopes are: of the person's identity, and of each service. Of a name that is both it is both.
fn allowed(scope: &ScopeSet, identity: Option<&ScopeSet>, grants: &[&ClientGrant]) -> Allowed {
    let among = |held: &ScopeSet| {
        scope.iter().filter(|scope| held.contains(scope)).filter_map(|scope| scope.parse().ok()).collect()
    };
    Allowed {
        identity: identity.map(among).unwrap_or_default(),
        services: grants.iter().map(|grant| (grant.audience.clone(), among(&grant.scopes))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use claviger_oauth::{Application, AuthenticationMethod, GrantType};
    use claviger_store::ClientGrant;

    use super::*;

    const A: &str = "https://a.test";
    const B: &str = "https://b.test";

    fn client(grants: &[(&str, &str)]) -> Client {
        let grants = grants.iter().map(|(audience, scopes)| ClientGrant {
            audience: audience.parse().unwrap(),
            scopes: scopes.parse().unwrap(),
        });
        let identity_scopes = "openid profile".parse().unwrap();
        Client {
            client_id: "shop".parse().unwrap(),
            team: "shop".parse().unwrap(),
            method: AuthenticationMethod::None,
            disabled: false,
            grants: grants.collect(),
            secrets: Vec::new(),
            grant_types: vec![GrantType::AuthorizationCode],
            keys: claviger_oauth::ClientKeys::None,
            application: Some(Application { identity_scopes, ..Application::default() }),
        }
    }

    /// Scope and resources asked for; audiences and scope that follow.
    #[track_caller]
    fn check(grants: &[(&str, &str)], asked: (&str, &[&str]), expected: Result<(&[&str], &str), &str>) {
        let resource: Vec<Audience> = asked.1.iter().map(|name| name.parse().unwrap()).collect();
        let issuer = "https://id.test".parse().unwrap();
        let access = Access::of(&client(grants), &issuer, &asked.0.parse().unwrap(), &resource);
        let access = access.map(|Access { audiences, scope, .. }| (audiences, scope));
        let expected = expected.map(|(audiences, scope)| {
            (
                audiences.iter().map(|name| name.parse().unwrap()).collect::<Vec<Audience>>(),
                scope.parse().unwrap(),
            )
        });
        assert_eq!(access.map_err(|error| error.code()), expected, "{asked:?}");
    }

    // S-60
    #[test]
    fn nobody_gets_more_than_is_registered_or_for_anybody_else() {
        let one = &[(A, "a:read a:write")][..];
        check(one, ("openid a:read", &[]), Ok((&[A], "a:read openid")));
        check(one, ("openid a:read", &[A]), Ok((&[A], "a:read openid")));
        check(one, ("", &[]), Ok((&[A], "a:read a:write")));
        check(one, ("email", &[]), Err("invalid_scope"));
        check(one, ("b:read", &[]), Err("invalid_scope"));
        check(one, ("a:read", &[B]), Err("invalid_target"));
        check(one, ("a:read", &[A, B]), Err("invalid_target"));
    }

    #[test]
    fn a_client_of_several_services_names_the_one_it_means() {
        let two = &[(A, "read"), (B, "read write")][..];
        check(two, ("openid", &[]), Ok((&["https://id.test/oauth2/userinfo"], "openid")));
        check(two, ("openid read", &[]), Err("invalid_target"));
        check(two, ("openid write", &[B]), Ok((&[B], "openid write")));
        check(two, ("write", &[A]), Err("invalid_scope"));
        check(two, ("read write", &[A, B]), Ok((&[A, B], "read write")));
    }

    #[test]
    fn a_client_of_no_service_may_ask_who_somebody_is() {
        check(&[], ("openid profile", &[]), Ok((&["https://id.test/oauth2/userinfo"], "openid profile")));
        check(&[], ("", &[]), Ok((&["https://id.test/oauth2/userinfo"], "")));
        check(&[], ("openid", &[A]), Err("invalid_target"));
    }

    // S-70
    #[test]
    fn a_person_says_yes_to_what_each_service_gets() {
        let client = client(&[(A, "read"), (B, "read write")]);
        let check = |scope: &str, named: &[&str], expected: &str| {
            let named: Vec<_> = named.iter().map(|name| name.parse().unwrap()).collect();
            let issuer = "https://id.test".parse().unwrap();
            let access = Access::of(&client, &issuer, &scope.parse().unwrap(), &named).unwrap();
            assert_eq!(serde_json::to_string(&access.allowed).unwrap(), expected, "{scope} {named:?}");
        };
        check(
            "openid read write",
            &[A, B],
            r#"{"identity":["openid"],"services":{"https://a.test":["read"],"https://b.test":["read","write"]}}"#,
        );
        check("openid", &[B], r#"{"identity":["openid"],"services":{"https://b.test":[]}}"#);
        check("openid", &[], r#"{"identity":["openid"],"services":{}}"#);
    }
}
