//! Handlers, called as the functions that they are.

use claviger_verifier::{
    Authorized, Principal, Refusal, Requirement, required_authentication, required_claim, required_role,
};
use serde::Deserialize;
use serde_json::json;

use crate::{OrdersRead, OrdersWrite};

required_role!(Clerk = "clerk");
required_claim!(InEurope = "region": "eu");
required_authentication!(Recent = within 300 seconds);
required_authentication!(TwoFactors = acr "mfa");

fn cancel(caller: &Authorized<(OrdersRead, OrdersWrite)>) -> String {
    format!("cancelled by {} of {}", caller.sub(), caller.client_id())
}

#[test]
fn a_handler_is_called_without_a_token() {
    let alice = Principal::for_test("alice").scope("orders:read").scope("orders:write").client_id("app");
    assert_eq!(cancel(&alice.authorized()), "cancelled by alice of app");
}

#[test]
fn a_requirement_is_really_asked() {
    let alice = || Principal::for_test("alice").scope("orders:read orders:list");
    let principal = alice().build();
    assert!(principal.has_scope("orders:list") && !principal.has_scope("orders:write"));
    let refusal = Authorized::<OrdersWrite>::new(principal).unwrap_err();
    assert_eq!(refusal, Refusal::InsufficientScope("orders:write".parse().unwrap()));
    let panicked = std::panic::catch_unwind(|| alice().authorized::<OrdersWrite>()).unwrap_err();
    let told = panicked.downcast_ref::<String>().unwrap();
    assert!(told.contains("lacks the scope orders:write"), "{told}");

    let clerk = alice().role("clerk").claim("region", json!(["eu"])).authenticated_ago(300).acr("mfa");
    drop(clerk.authorized::<(Clerk, (InEurope, (Recent, TwoFactors)))>());
    assert!(Authorized::<Recent>::new(alice().authenticated_ago(301).build()).is_err());
    for requirement in [Requirement::Role("clerk"), Requirement::Acr(&["mfa"])] {
        assert!(alice().build().require(&requirement).is_err());
    }
}

#[test]
fn it_has_the_claims_of_a_real_one() {
    #[derive(Deserialize)]
    struct Tenant {
        tenant: String,
    }
    let alice =
        Principal::for_test("alice").claim("tenant", "acme").issuer("https://other.fleet.test").build();
    assert_eq!((alice.iss(), alice.sub(), alice.jti()), ("https://other.fleet.test", "alice", Some("test")));
    assert_eq!(alice.exp().since(alice.iat()).as_secs(), 300);
    assert_eq!(alice.with_claims::<Tenant>().unwrap().claims().tenant, "acme");
    let refusal = Principal::for_test("bob").build().with_claims::<Tenant>().unwrap_err();
    assert_eq!(refusal.reason(), "unexpected_claims");
}
