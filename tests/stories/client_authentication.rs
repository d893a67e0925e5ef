use anyhow::Context;
use e2e::{Database, Fleet, LEDGER, Reply, account::moment, robot_assertion};
use serde_json::json;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Asks for a token of `robot` at one process of the issuer.
fn ask(fleet: &Fleet, url: &str, assertion: &str) -> reqwest::RequestBuilder {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    fleet.http.post(format!("{url}/oauth2/token")).form(&form)
}

// S-55
#[tokio::test]
async fn a_robot_signs_who_it_is_and_each_signature_is_good_once_at_all_replicas_together()
-> anyhow::Result<()> {
    let fleet = Fleet::start(&Database::of_run(), &[]).await?;
    let issuer = fleet.home.url();
    let assertion = robot_assertion(issuer, moment(), "first");
    let reply = Reply::of(ask(&fleet, issuer, &assertion)).await?;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let answer = reply.json();
    let token = answer["access_token"].as_str().context("a token")?;
    let whoami = fleet.ledger.get(&fleet.http, "/whoami", token).await?;
    assert_eq!(whoami.json()["client_id"], "robot", "{LEDGER} knows whom it serves: {}", whoami.body);

    // Few enough that nobody has to wait for having failed too often.
    for number in 0..8 {
        let assertion = robot_assertion(issuer, moment(), &format!("j{number}"));
        let mut replies = Vec::new();
        for replica in fleet.issuers.iter().chain(&fleet.issuers) {
            replies.push(tokio::spawn(Reply::of(ask(&fleet, replica.process.url(), &assertion))));
        }
        let mut accepted = 0;
        for reply in replies {
            let reply = reply.await??;
            if reply.status == 200 {
                accepted += 1;
            } else {
                assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("invalid_client")));
            }
        }
        assert_eq!(accepted, 1, "assertion {number}");
    }

    for aud in [format!("{issuer}/oauth2/token"), format!("{issuer}/"), "https://evil.test".to_owned()] {
        let reply = Reply::of(ask(&fleet, issuer, &robot_assertion(&aud, moment(), "elsewhere"))).await?;
        assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("invalid_client")), "{aud}");
    }
    Ok(())
}
