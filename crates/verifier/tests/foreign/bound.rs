//! Tokens that are bound to a key, and members of `cnf` that only one issuer writes.

use aws_lc_rs::digest;
use claviger_testkit::TestKey;
use claviger_verifier::{Principal, Refusal};
use http::{Request, request::Parts};
use serde_json::{Value, json};

use crate::{
    ORDERS, Service,
    shapes::{auth0, keycloak},
};

fn reason(verdict: Result<Principal, Refusal>) -> &'static str {
    verdict.map_or_else(|refusal| refusal.reason(), |_| "accepted")
}

/// A request with this token and a good proof of its holder.
fn proven(service: &Service, token: &str, holder: &TestKey) -> Parts {
    let mut jwk = json!(holder.jwk());
    for name in ["use", "alg", "kid"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    let ath = digest::digest(&digest::SHA256, token.as_bytes());
    let claims = json!({
        "jti": fastrand::u64(..).to_string(), "htm": "GET", "htu": format!("{ORDERS}/orders"),
        "iat": service.issuer.token("unused").claims()["iat"], "ath": claviger_jose::base64url::encode(ath.as_ref()),
    });
    let proof =
        holder.jws(json!({ "typ": "dpop+jwt", "alg": holder.alg(), "jwk": jwk }), &claims.to_string());
    let request =
        Request::get("/orders").header("authorization", format!("DPoP {token}")).header("dpop", proof);
    request.body(()).unwrap().into_parts().0
}

// S-4 S-16
#[tokio::test]
async fn bound_tokens_of_keycloak_are_taken_with_a_proof_and_not_without() {
    let service = Service::trusting(keycloak()).await;
    let holder = TestKey::es256_other();
    let check = async |typ: &str, cnf: Value, expected: [&str; 2]| {
        let token = service.token(&json!({ "typ": typ, "cnf": cnf }));
        let as_bearer = reason(service.verifier.verify(&token).await);
        let with_proof = reason(service.verifier.authenticate(&proven(&service, &token, holder)).await);
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
    let verdict = service.verifier.authenticate(&proven(&service, &token, holder)).await;
    assert_eq!(reason(verdict), "sender_constrained");
}
