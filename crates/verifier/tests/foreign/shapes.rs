//! One access token of each issuer, as its documentation shows it.

use claviger_verifier::TrustedIssuer;
use serde_json::json;

use crate::Shape;

pub(crate) fn all() -> [Shape; 7] {
    [rfc9068(), keycloak(), auth0(), entra_id(), cognito(), okta(), kubernetes()]
}

pub(crate) fn rfc9068() -> Shape {
    Shape {
        preset: TrustedIssuer::rfc9068,
        audience: "https://orders.fleet.test",
        kid: "RjEwOwOA",
        header: json!({ "alg": "RS256", "typ": "at+jwt", "kid": "RjEwOwOA" }),
        claims: json!({
            "sub": "5ba552d67", "aud": "https://orders.fleet.test", "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
            "client_id": "s6BhdRkqt3", "scope": "openid profile reademail", "roles": ["clerk"],
        }),
    }
}

pub(crate) fn keycloak() -> Shape {
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

pub(crate) fn auth0() -> Shape {
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

pub(crate) fn entra_id() -> Shape {
    let application = "6e74172b-be56-4843-9ff4-e66a39bb12e3";
    Shape {
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
    }
}

pub(crate) fn cognito() -> Shape {
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

pub(crate) fn okta() -> Shape {
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

pub(crate) fn kubernetes() -> Shape {
    Shape {
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
    }
}
