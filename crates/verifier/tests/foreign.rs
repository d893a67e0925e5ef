//! Tokens as the issuers of others write them: headers and claims of the shapes that their documentation
//! shows, truly signed by a key under a name of their kind.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use aws_lc_rs::digest;
use claviger_testkit::{TestIssuer, TestKey};
use claviger_verifier::{Dpop, Principal, Refusal, Requirement, ScopeSet, TrustedIssuer, Verifier};
use http::{Request, request::Parts};
use serde_json::{Value, json};

const ORDERS: &str = "https://orders.fleet.test";

/// An issuer of others, and how a verifier speaks with it.
struct Shape {
    preset: fn(&str) -> TrustedIssuer,
    audience: &'static str,
    kid: &'static str,
    header: Value,
    claims: Value,
}

/// What the shape's principal is expected to be.
struct Expected {
    sub: &'static str,
    client_id: &'static str,
    jti: Option<&'static str>,
    scope: Option<&'static str>,
    role: Option<&'static str>,
    /// What becomes of a token that names no client, `None` if it is good.
    clientless: Option<&'static str>,
    /// The same for a token without a name.
    nameless: Option<&'static str>,
}

struct Service {
    issuer: TestIssuer,
    verifier: Verifier,
    shape: Shape,
}

impl Service {
    async fn trusting(shape: Shape) -> Self {
        let issuer = TestIssuer::start().await;
        let mut key = json!(TestKey::rs256().jwk());
        key["kid"] = shape.kid.into();
        // As these issuers publish: without `alg` here, with a certificate there.
        key.as_object_mut().unwrap().remove("alg");
        key["x5c"] = json!(["MIIC"]);
        issuer.set_raw_jwks(json!({ "keys": [key] }).to_string());
        let builder = Verifier::builder((shape.preset)(issuer.url()), shape.audience).dpop(Dpop::at(ORDERS));
        let verifier = builder.build().unwrap();
        assert!(verifier.ready_within(Duration::from_secs(10)).await);
        Self { issuer, verifier, shape }
    }

    /// The token with these changes: `null` leaves a claim out.
    fn token(&self, changes: &Value) -> String {
        let model = self.issuer.token("unused").claims();
        let mut claims = self.shape.claims.clone();
        claims["iss"] = self.issuer.url().into();
        (claims["iat"], claims["nbf"]) = (model["iat"].clone(), model["iat"].clone());
        claims["exp"] = (model["iat"].as_u64().unwrap() + 3600).into();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        TestKey::rs256().jws(&self.shape.header, &claims.to_string())
    }

    /// A request with this token and a good proof of its holder.
    fn proven(&self, token: &str, holder: &TestKey) -> Parts {
        let mut jwk = json!(holder.jwk());
        for name in ["use", "alg", "kid"] {
            jwk.as_object_mut().unwrap().remove(name);
        }
        let ath = digest::digest(&digest::SHA256, token.as_bytes());
        let claims = json!({
            "jti": fastrand::u64(..).to_string(), "htm": "GET", "htu": format!("{ORDERS}/orders"),
            "iat": self.issuer.token("unused").claims()["iat"], "ath": claviger_jose::base64url::encode(ath.as_ref()),
        });
        let proof =
            holder.jws(json!({ "typ": "dpop+jwt", "alg": holder.alg(), "jwk": jwk }), &claims.to_string());
        let request =
            Request::get("/orders").header("authorization", format!("DPoP {token}")).header("dpop", proof);
        request.body(()).unwrap().into_parts().0
    }

    async fn verify(&self, changes: Value) -> Result<Principal, &'static str> {
        self.verifier.verify(&self.token(&changes)).await.map_err(|refusal| refusal.reason())
    }

    async fn check(&self, changes: Value, reason: &str) {
        let shown = changes.to_string();
        assert_eq!(self.verify(changes).await.map(drop), Err(reason), "{shown}");
    }

    /// What holds for every preset.
    async fn check_all(&self, expected: Expected, id_token: Value) {
        let principal = self.verify(json!({})).await.unwrap();
        assert_eq!((principal.iss(), principal.sub()), (self.issuer.url(), expected.sub));
        assert_eq!((principal.client_id(), principal.jti()), (expected.client_id, expected.jti));
        assert_eq!(principal.scope().map(ScopeSet::as_str), expected.scope);
        if let Some(role) = expected.role {
            assert!(principal.require(&Requirement::Role(role)).is_ok());
        }
        assert!(principal.require(&Requirement::Role("nobody has this")).is_err());

        // A user who is called like a client is not that client.
        let clientless =
            json!({ "sub": "billing", "azp": null, "appid": null, "cid": null, "client_id": null });
        let verdict = self.verify(clientless).await.map(|principal| principal.client_id().to_owned());
        assert_eq!(verdict, expected.clientless.map_or(Ok("billing".to_owned()), Err));
        let nameless = self.verify(json!({ "jti": null, "uti": null })).await.map(drop);
        assert_eq!(nameless, expected.nameless.map_or(Ok(()), Err));

        // S-4: its audience forced to be this service, an ID token is still none of ours.
        if !id_token.is_null() {
            self.check(id_token, "no_access_token").await;
        }
        let audience = if self.shape.claims.get("aud").is_some() { "aud" } else { "client_id" };
        self.check(json!({ audience: "https://another.test" }), "wrong_audience").await;
        self.check(json!({ audience: null }), "malformed_claims").await;
        self.check(json!({ audience: 7 }), "malformed_claims").await;
        self.check(json!({ "iss": "https://another.test" }), "wrong_issuer").await;
        self.check(json!({ "exp": 1 }), "lifetime").await;
        self.check(json!({ "exp": null }), "malformed_claims").await;
        self.check(json!({ "sub": "" }), "malformed_claims").await;
        self.check(json!({ "cnf": { "jkt": "a" } }), "sender_constrained").await;

        // S-1 S-2 S-3: the header is as strict as everywhere.
        for (name, value) in
            [("alg", json!("RS512")), ("crit", json!(["a"])), ("jku", json!("https://a.test"))]
        {
            let mut header = self.shape.header.clone();
            header[name] = value;
            let forged = TestKey::rs256().jws(&header, "{}");
            assert!(self.verifier.verify(&forged).await.is_err(), "{name}");
        }
        let mut header = self.shape.header.clone();
        header["typ"] = "logout+jwt".into();
        let typed = TestKey::rs256().jws(&header, "{}");
        assert_eq!(self.verifier.verify(&typed).await.unwrap_err().reason(), "wrong_type");
    }
}

fn reason(verdict: Result<Principal, Refusal>) -> &'static str {
    verdict.map_or_else(|refusal| refusal.reason(), |_| "accepted")
}

fn keycloak() -> Shape {
    Shape {
        preset: TrustedIssuer::keycloak,
        audience: "orders",
        kid: "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE",
        header: json!({ "alg": "RS256", "typ": "JWT", "kid": "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE" }),
        claims: json!({
            "jti": "onrtac:9b0bd2d6", "aud": ["orders", "account"], "sub": "f4aa5d2e-9a3b-4a4f-8e0c-1a8e7b0c6c1b",
            "typ": "Bearer", "azp": "shop-web", "sid": "c2b9f4f2", "acr": "1", "allowed-origins": ["https://shop.test"],
            "realm_access": { "roles": ["offline_access", "admin"] },
            "resource_access": { "orders": { "roles": ["clerk"] }, "account": { "roles": ["manage-account"] } },
            "scope": "openid profile email", "email_verified": true, "preferred_username": "alice",
        }),
    }
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_keycloak_are_taken_and_its_other_tokens_are_not() {
    let service = Service::trusting(keycloak()).await;
    let expected = Expected {
        sub: "f4aa5d2e-9a3b-4a4f-8e0c-1a8e7b0c6c1b",
        client_id: "shop-web",
        jti: Some("onrtac:9b0bd2d6"),
        scope: Some("openid profile email"),
        role: Some("admin"),
        clientless: Some("malformed_claims"),
        nameless: Some("malformed_claims"),
    };
    service.check_all(expected, json!({ "typ": "ID" })).await;
    service.check(json!({ "typ": "Refresh" }), "no_access_token").await;
    let principal = service.verify(json!({})).await.unwrap();
    assert_eq!(principal.claim("preferred_username"), Some("alice".to_owned()));
    assert_eq!(principal.acr(), Some("1"));
}

// S-4 S-16
#[tokio::test]
async fn bound_tokens_of_keycloak_are_taken_with_a_proof_and_not_without() {
    let service = Service::trusting(keycloak()).await;
    let holder = TestKey::es256_other();
    let check = async |typ: &str, cnf: Value, expected: [&str; 2]| {
        let token = service.token(&json!({ "typ": typ, "cnf": cnf }));
        let as_bearer = reason(service.verifier.verify(&token).await);
        let with_proof = reason(service.verifier.authenticate(&service.proven(&token, holder)).await);
        assert_eq!([as_bearer, with_proof], expected, "{typ} {cnf}");
    };
    let jkt = holder.kid();
    let bound = ["sender_constrained", "accepted"];
    check("DPoP", json!({ "jkt": jkt, "kc-jkt-type": "DPoP" }), bound).await;
    check("DPoP", json!({ "jkt": jkt }), bound).await;
    check("Bearer", json!({ "jkt": jkt, "kc-jkt-type": "DPoP" }), bound).await;

    let to_another = ["sender_constrained", "proof_other_token"];
    check("DPoP", json!({ "jkt": TestKey::es256().kid(), "kc-jkt-type": "DPoP" }), to_another).await;
    // What nobody here knows may bind it to something else.
    for remark in [json!("another"), json!(true), json!(["DPoP"]), json!({})] {
        check("DPoP", json!({ "jkt": jkt, "kc-jkt-type": remark }), ["sender_constrained"; 2]).await;
    }
    check("DPoP", json!({ "jkt": jkt, "kc-jkt-type": "DPoP", "kid": "a" }), ["sender_constrained"; 2]).await;
    check("Bearer", json!({ "kc-jkt-type": "DPoP" }), ["sender_constrained"; 2]).await;
    for unbound in [Value::Null, json!({}), json!({ "kc-jkt-type": "DPoP" }), json!({ "jkt": 7 }), json!("a")]
    {
        check("DPoP", unbound, ["no_access_token"; 2]).await;
    }
    for typ in ["ID", "Refresh", "dpop", "bearer"] {
        check(typ, json!({ "jkt": jkt, "kc-jkt-type": "DPoP" }), ["no_access_token"; 2]).await;
    }

    // Of others the member is as unknown as any.
    let service = Service::trusting(auth0()).await;
    let cnf = json!({ "jkt": jkt, "kc-jkt-type": "DPoP" });
    let token = service.token(&json!({ "cnf": cnf }));
    let verdict = service.verifier.authenticate(&service.proven(&token, holder)).await;
    assert_eq!(reason(verdict), "sender_constrained");
}

fn auth0() -> Shape {
    Shape {
        preset: TrustedIssuer::auth0,
        audience: "https://orders.fleet.test",
        kid: "NEM4OUQ5OTI0NzI3QkI4MDA4RTU0MEZCNEZDQTYzMTAzRUVGQTNFNA",
        header: json!({
            "alg": "RS256", "typ": "JWT", "kid": "NEM4OUQ5OTI0NzI3QkI4MDA4RTU0MEZCNEZDQTYzMTAzRUVGQTNFNA",
        }),
        claims: json!({
            "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
            "aud": ["https://orders.fleet.test", "https://tenant.eu.auth0.test/userinfo"],
            "azp": "my_client_id", "scope": "openid profile read:orders", "permissions": ["delete:orders"],
        }),
    }
}

// S-6
#[tokio::test]
async fn access_tokens_of_auth0_are_taken_and_its_other_tokens_are_not() {
    let service = Service::trusting(auth0()).await;
    let expected = Expected {
        sub: "auth0|5f7c8ec7c33c6c004bbafe82",
        client_id: "my_client_id",
        jti: None,
        scope: Some("openid profile read:orders"),
        role: Some("delete:orders"),
        clientless: Some("no_access_token"),
        nameless: None,
    };
    // An ID token's audience is the client: nothing else tells it apart, and nothing else is needed.
    service.check_all(expected, Value::Null).await;
    service.check(json!({ "aud": "my_client_id", "nonce": "n" }), "wrong_audience").await;
    let of_profile_9068 =
        json!({ "azp": null, "client_id": "my_client_id", "jti": "73WakrfVbNJBaAmhQtEeDv" });
    let principal = service.verify(of_profile_9068).await.unwrap();
    assert_eq!((principal.client_id(), principal.jti()), ("my_client_id", Some("73WakrfVbNJBaAmhQtEeDv")));
}

// S-4 S-6
#[tokio::test]
async fn an_id_token_of_auth0_is_refused_by_a_service_that_is_configured_with_the_client_s_name() {
    let mut shape = auth0();
    shape.audience = "my_client_id";
    shape.claims["aud"] = shape.audience.into();
    let service = Service::trusting(shape).await;
    service
        .check(json!({ "azp": null, "scope": null, "permissions": null, "nonce": "n" }), "no_access_token")
        .await;
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_rfc_9068_are_taken_under_keys_of_any_name() {
    let shape = Shape {
        preset: TrustedIssuer::rfc9068,
        audience: "https://orders.fleet.test",
        kid: "RjEwOwOA",
        header: json!({ "alg": "RS256", "typ": "at+jwt", "kid": "RjEwOwOA" }),
        claims: json!({
            "sub": "5ba552d67", "aud": "https://orders.fleet.test", "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
            "client_id": "s6BhdRkqt3", "scope": "openid profile reademail", "roles": ["clerk"],
        }),
    };
    let service = Service::trusting(shape).await;
    let expected = Expected {
        sub: "5ba552d67",
        client_id: "s6BhdRkqt3",
        jti: Some("dbe39bf3a3ba4238a513f51d6e1691c4"),
        scope: Some("openid profile reademail"),
        role: Some("clerk"),
        clientless: Some("malformed_claims"),
        nameless: Some("malformed_claims"),
    };
    service.check_all(expected, Value::Null).await;
    for name in ["client_id", "jti"] {
        for value in [json!(""), json!(7), json!([])] {
            service.check(json!({ name: value }), "malformed_claims").await;
        }
    }
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_entra_id_are_taken_and_its_other_tokens_are_not() {
    let application = "6e74172b-be56-4843-9ff4-e66a39bb12e3";
    let shape = Shape {
        preset: TrustedIssuer::entra_id,
        audience: application,
        kid: "nOo3ZDrODXEK1jKWhXslHR_KXEg",
        header: json!({
            "typ": "JWT", "alg": "RS256", "kid": "nOo3ZDrODXEK1jKWhXslHR_KXEg",
            "x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg",
        }),
        claims: json!({
            "aud": application, "azp": "1a2b3c4d-be56-4843-9ff4-e66a39bb12e3", "azpacr": "1", "name": "Abe Lincoln",
            "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474", "preferred_username": "abeli@microsoft.test",
            "rh": "I", "roles": ["Orders.Admin"], "scp": "access_as_user", "tid": "fa15d692",
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0",
        }),
    };
    let service = Service::trusting(shape).await;
    let expected = Expected {
        sub: "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        client_id: "1a2b3c4d-be56-4843-9ff4-e66a39bb12e3",
        jti: Some("fqiBqXLPj0eQa82S-IYFAA"),
        scope: Some("access_as_user"),
        role: Some("Orders.Admin"),
        clientless: Some("no_access_token"),
        nameless: None,
    };
    service.check_all(expected, json!({ "azp": null, "azpacr": null, "scp": null, "nonce": "n" })).await;
    let of_version_1 = service.verify(json!({ "azp": null, "appid": "old", "ver": "1.0" })).await.unwrap();
    assert_eq!(of_version_1.client_id(), "old");
}

fn cognito() -> Shape {
    Shape {
        preset: TrustedIssuer::cognito,
        audience: "xxxxxxxxxxxxexample",
        kid: "1234example=",
        header: json!({ "kid": "1234example=", "alg": "RS256" }),
        claims: json!({
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "cognito:groups": ["testgroup"],
            "version": 2, "client_id": "xxxxxxxxxxxxexample", "origin_jti": "aaaaaaaa-1", "token_use": "access",
            "scope": "phone openid profile", "jti": "aaaaaaaa-2", "username": "my-test-user",
        }),
    }
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_cognito_are_taken_and_its_other_tokens_are_not() {
    let service = Service::trusting(cognito()).await;
    let expected = Expected {
        sub: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        client_id: "xxxxxxxxxxxxexample",
        jti: Some("aaaaaaaa-2"),
        scope: Some("phone openid profile"),
        role: Some("testgroup"),
        clientless: Some("malformed_claims"),
        nameless: Some("malformed_claims"),
    };
    service.check_all(expected, json!({ "token_use": "id" })).await;
}

// S-6
#[tokio::test]
async fn a_token_of_cognito_that_names_a_resource_is_for_that_resource_alone() {
    let mut shape = cognito();
    shape.audience = "https://orders.fleet.test";
    shape.claims["aud"] = shape.audience.into();
    let service = Service::trusting(shape).await;
    let principal = service.verify(json!({})).await.unwrap();
    assert_eq!(principal.client_id(), "xxxxxxxxxxxxexample");
    assert!(service.verify(json!({ "aud": ["https://orders.fleet.test"] })).await.is_ok());
    service.check(json!({ "aud": null }), "wrong_audience").await;

    // The service's name is the client's id: that counts only where nothing else is named.
    let service = Service::trusting(cognito()).await;
    for aud in [json!("https://billing.fleet.test"), json!(["https://billing.fleet.test"])] {
        service.check(json!({ "aud": aud }), "wrong_audience").await;
    }
    for aud in [json!(7), json!(""), json!([]), json!({}), json!([null])] {
        service.check(json!({ "aud": aud }), "malformed_claims").await;
    }
}

fn okta() -> Shape {
    Shape {
        preset: TrustedIssuer::okta,
        audience: "api://default",
        kid: "45js03w0djwedsw",
        header: json!({ "alg": "RS256", "kid": "45js03w0djwedsw" }),
        claims: json!({
            "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "aud": "api://default",
            "sub": "alice@fleet.test", "cid": "nmdP1fcyvdVO11AL7ECm", "uid": "00ujmkLgagxeRrAg20g3",
            "scp": ["openid", "email"], "groups": ["ABC123", "Everyone"],
        }),
    }
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_okta_are_taken_and_its_other_tokens_are_not() {
    let service = Service::trusting(okta()).await;
    let expected = Expected {
        sub: "alice@fleet.test",
        client_id: "nmdP1fcyvdVO11AL7ECm",
        jti: Some("AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE"),
        scope: Some("openid email"),
        role: Some("Everyone"),
        clientless: Some("no_access_token"),
        nameless: Some("malformed_claims"),
    };
    service.check_all(expected, json!({ "cid": null, "uid": null, "scp": null })).await;
}

#[tokio::test]
async fn a_scope_of_an_array_is_one_scope() {
    let service = Service::trusting(okta()).await;
    for scp in [
        json!(["x orders:write"]),
        json!(["openid", "x orders:write"]),
        json!([" openid"]),
        json!(["openid "]),
        json!(["openid", ""]),
        json!([""]),
        json!(["a\tb"]),
        json!(["a\""]),
        json!(["a\\"]),
        json!(["\u{e9}"]),
        json!([["openid"]]),
        json!([1]),
        json!(["openid", null]),
        json!({}),
        json!(7),
        json!(vec!["a".repeat(128); 16]),
    ] {
        service.check(json!({ "scp": scp }), "malformed_claims").await;
    }
    let scope_of = async |changes: Value| {
        let principal = service.verify(changes).await.unwrap();
        principal.scope().map(ToString::to_string)
    };
    assert_eq!(scope_of(json!({ "scp": [] })).await.as_deref(), Some(""));
    assert_eq!(scope_of(json!({ "scp": ["orders:write"] })).await.as_deref(), Some("orders:write"));
    assert_eq!(
        scope_of(json!({ "scp": "openid orders:write" })).await.as_deref(),
        Some("openid orders:write")
    );
    // What this issuer does not write is not read.
    assert_eq!(scope_of(json!({ "scp": null, "scope": "orders:write" })).await, None);
    assert_eq!(scope_of(json!({ "scope": "orders:write" })).await.as_deref(), Some("openid email"));
}

// S-4 S-6
#[tokio::test]
async fn access_tokens_of_kubernetes_are_taken_and_its_other_tokens_are_not() {
    let shape = Shape {
        preset: TrustedIssuer::kubernetes,
        audience: "https://orders.fleet.test",
        kid: "7gVwPYOTPTuQk8-wNNb0LnxK5xAfbQqUBYGR5cKzpSE",
        header: json!({ "alg": "RS256", "kid": "7gVwPYOTPTuQk8-wNNb0LnxK5xAfbQqUBYGR5cKzpSE" }),
        claims: json!({
            "aud": ["https://orders.fleet.test"], "jti": "ea28ed49-2e11-4280-9ec5-bc3d1d84661a",
            "kubernetes.io": {
                "namespace": "shop", "node": { "name": "127.0.0.1", "uid": "58456cb0" },
                "pod": { "name": "web-0", "uid": "5e0bd49b" }, "serviceaccount": { "name": "web", "uid": "14ee3fa4" },
            },
            "sub": "system:serviceaccount:shop:web",
        }),
    };
    let service = Service::trusting(shape).await;
    let expected = Expected {
        sub: "system:serviceaccount:shop:web",
        client_id: "system:serviceaccount:shop:web",
        jti: Some("ea28ed49-2e11-4280-9ec5-bc3d1d84661a"),
        scope: None,
        role: None,
        clientless: None,
        nameless: None,
    };
    service.check_all(expected, json!({ "kubernetes.io": null })).await;
    assert_eq!(service.verify(json!({ "jti": null })).await.unwrap().jti(), None);
}
