use axum::{Router, routing::get};
use claviger_testkit::TestIssuer;
use claviger_verifier::{Principal, ResourceMetadata, Verifier, resource_metadata};
use serde_json::{Value, json};

use crate::{Bench, ORDERS};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

fn verifier_of(audience: &str) -> Verifier {
    Verifier::builder("https://id.fleet.test", audience).build().unwrap()
}

async fn document(app: &Router, path: &str) -> Value {
    let answer = crate::get(app, path, &[]).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.header("cache-control"), "public, max-age=3600");
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn the_metadata_names_the_service_its_issuers_and_its_scopes() {
    let (ours, theirs) = (TestIssuer::start().await, TestIssuer::start().await);
    let verifier = Verifier::builder(ours.url(), ORDERS).also_trust(theirs.url()).build().unwrap();
    let app = resource_metadata(&verifier).scopes(["orders:read", "orders:write"]).router().unwrap();
    let expected = json!({
        "resource": ORDERS,
        "authorization_servers": [ours.url(), theirs.url()],
        "scopes_supported": ["orders:read", "orders:write"],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(document(&app, WELL_KNOWN).await, expected);
}

#[tokio::test]
async fn the_path_of_the_service_follows_the_well_known_one() {
    let verifier = verifier_of("https://fleet.test/orders/v1/");
    let app = resource_metadata(&verifier).router().unwrap();
    let document = document(&app, &format!("{WELL_KNOWN}/orders/v1")).await;
    assert_eq!(document["resource"], "https://fleet.test/orders/v1/");
    assert_eq!(document.get("scopes_supported"), None);
    assert_eq!(crate::get(&app, WELL_KNOWN, &[]).await.status, 404);

    let app = resource_metadata(&verifier).resource("https://fleet.test/{orders}").router().unwrap();
    assert_eq!(crate::get(&app, &format!("{WELL_KNOWN}/anything"), &[]).await.status, 404);
}

#[cfg(feature = "dpop")]
#[tokio::test]
async fn the_metadata_says_that_tokens_may_be_bound() {
    let verifier = Verifier::builder("https://id.fleet.test", ORDERS);
    let verifier = verifier.dpop(claviger_verifier::Dpop::at(ORDERS)).build().unwrap();
    let app = resource_metadata(&verifier).router().unwrap();
    assert_eq!(
        document(&app, WELL_KNOWN).await["dpop_signing_alg_values_supported"],
        json!(["ES256", "RS256"])
    );
}

#[tokio::test]
async fn metadata_that_nobody_could_use_is_told_at_start() {
    let check = |audience: &str, resource: Option<&str>, scope, expected: &str| {
        let verifier = verifier_of(audience);
        let metadata = resource_metadata(&verifier).scopes([scope]);
        let metadata = resource.into_iter().fold(metadata, ResourceMetadata::resource);
        let error = metadata.router().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("urn:fleet:orders", None, "orders:read", "no https URL");
    check(ORDERS, Some("http://orders.fleet.test"), "orders:read", "no https URL");
    check(ORDERS, Some("https://orders.fleet.test/#top"), "orders:read", "no https URL");
    check(ORDERS, None, "orders read", "scope");
    for path in [":", ":orders", "*", "*orders", "v1/:orders", "v1/*/orders", "v1/:orders/"] {
        check(ORDERS, Some(&format!("{ORDERS}/{path}")), "orders:read", "a segment begins with");
    }
    // What else may stand in a path stands for itself.
    for path in ["a:b", "a*", "{", "}", "{}", "{*a}", "{{a}}", "%3Aorders", "//", "~", "?:a", "a/?*"] {
        let url = format!("{ORDERS}/{path}");
        let metadata = resource_metadata(&verifier_of(ORDERS)).resource(&url).router();
        drop(Router::<()>::new().merge(metadata.unwrap()));
    }
    let urn = verifier_of("urn:fleet:orders");
    assert!(resource_metadata(&urn).resource(ORDERS).router().is_ok());
}

#[tokio::test]
async fn a_challenge_leads_to_the_metadata() {
    let url = format!("{ORDERS}{WELL_KNOWN}");
    let bench = Bench::with(|builder| builder.resource_metadata(&url)).await;
    let app = Router::new().route("/", get(async |_: Principal| "in")).with_state(bench.verifier.clone());
    let answer = crate::get(&app, "/", &[]).await;
    assert_eq!(answer.challenge(), format!(r#"Bearer realm="service", resource_metadata="{url}""#));
}

#[tokio::test]
async fn a_metadata_url_cannot_leave_its_quotes() {
    let build = |url: &str| {
        Verifier::builder("https://id.fleet.test", ORDERS).resource_metadata(url).build().map(drop)
    };
    for url in
        ["https://orders.fleet.test/meta", "http://127.0.0.1:8080/meta", "http://localhost/", "http://[::1]/"]
    {
        assert!(build(url).is_ok(), "{url}");
    }
    for url in [
        "",
        "/meta",
        "orders.fleet.test/meta",
        "http://orders.fleet.test/meta",
        "ftp://orders.fleet.test/meta",
        "https://orders.fleet.test/\", error=\"",
        "https://orders.fleet.test/\\",
        "https://orders.fleet.test/a b",
        "https://orders.fleet.test/é",
        "https://orders.fleet.test/\r\nx: y",
        "https://orders.fleet.test/#top",
        "https:///meta",
    ] {
        let error = build(url).expect_err(url).to_string();
        assert!(error.contains("must be https"), "{error}");
    }
}
