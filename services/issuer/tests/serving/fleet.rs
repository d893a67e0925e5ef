//! Who holds what, as the issuer learns it.

use claviger_jose::VerifierReport;
use reqwest::Method;
use serde_json::{Value, json};

use crate::issuer::{Issuer, SHOP, until};

async fn fleet(issuer: &Issuer) -> Value {
    let (status, fleet) = issuer.admin(Method::GET, "fleet", "fleet:read", &json!({})).await;
    assert_eq!(status, 200, "{fleet}");
    fleet
}

// S-36
#[tokio::test]
async fn a_replica_says_what_it_publishes_and_that_it_stops() {
    let issuer = Issuer::start("").await;
    let (_, tag) = issuer.key_set().await;
    let shown = fleet(&issuer).await;
    let replicas = shown["replicas"].as_array().unwrap();
    assert_eq!(replicas.len(), 1, "{shown}");
    assert_eq!((replicas[0]["keys"].as_str(), &replicas[0]["refusal"]), (Some(tag.as_str()), &Value::Null));
    let prepared = shown["prepared"].as_array().unwrap();
    assert_eq!(prepared.len(), 2, "{shown}");
    assert!(prepared.iter().all(|key| key["replicas_without"] == json!([])), "{shown}");
    let store = issuer.store.clone();
    issuer.stop().await;
    assert_eq!(store.replicas(std::time::Duration::from_hours(1)).await.unwrap(), []);
}

// S-36
#[tokio::test]
async fn what_verifiers_say_of_themselves_reaches_the_operator() {
    let issuer = Issuer::start("").await;
    let (_, tag) = issuer.key_set().await;
    let poll = async |path: &str, reports: &[String]| {
        let mut request = issuer.http.get(format!("{}{path}", issuer.url));
        for report in reports {
            request = request.header(VerifierReport::HEADER, report);
        }
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    poll("/.well-known/jwks.json", &[format!("{SHOP}; old; none-of-ours; ; 0.1.0"), "nonsense".to_owned()])
        .await;
    let unknown = "https://nobody.test; x; ; ; 0".to_owned();
    poll("/.well-known/revocations", &[format!("{SHOP}; new; {tag}; 7; 0.1.0"), unknown]).await;
    let shown = until("both are known", async || {
        let shown = fleet(&issuer).await;
        (shown["verifiers"].as_array().unwrap().len() == 2).then_some(shown)
    })
    .await;
    for key in shown["prepared"].as_array().unwrap() {
        assert_eq!(key["verifiers_without"], json!([format!("{SHOP} old")]), "{shown}");
        assert_eq!(key["known_to_all"], false);
    }
    issuer.stop().await;
}
