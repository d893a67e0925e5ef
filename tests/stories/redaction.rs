use e2e::{Database, Fleet, ORDERS, Reply, TokenQuestion};

// S-13 S-52 S-103 S-105
#[tokio::test]
async fn no_log_at_any_level_and_no_answer_holds_a_secret_or_a_token() -> anyhow::Result<()> {
    let mut fleet = Fleet::start(&Database::of_run(), &[("SERVER_DRAIN_DELAY", "0s")]).await?;
    fleet.stop_issuer().await?;
    let issuer = fleet.home.listen(&[("CLAVIGER_LOG", "trace")]).await?;
    let token = fleet.token("web", ORDERS).await?;
    let (claims, signature) = token.rsplit_once('.').unwrap_or_default();
    let unverified = "user:mallory-canary";
    let forged = {
        let payload = claviger_jose::base64url::encode(format!(r#"{{"sub":"{unverified}"}}"#).as_bytes());
        format!("{}.{payload}.{signature}", claims.split('.').next().unwrap_or_default())
    };
    let mut answers = String::new();
    for presented in [token.as_str(), forged.as_str()] {
        if let Ok(reply) = fleet.orders.get(&fleet.http, "/orders?access_token=query-canary", presented).await
        {
            answers.push_str(&reply.body);
        }
    }
    let wrong = TokenQuestion { client_id: "web", secret: "wrong-secret-canary", ..TokenQuestion::default() };
    answers.push_str(&fleet.home.ask_token(&fleet.http, wrong).await?.body);
    let request = fleet.http.post(format!("{}/oauth2/token?query-canary", fleet.home.url()));
    let request = request.header("cookie", "session=cookie-canary");
    answers.push_str(
        &Reply::of(request.form(&[("client_secret", "body-secret-canary"), ("scope", "\u{1b}[2J")]))
            .await?
            .body,
    );

    let logs = [issuer.log(), fleet.orders.process.log(), fleet.ledger.process.log()].concat();
    assert!(logs.contains("token request refused"), "the log was read");
    let kek = tokio::fs::read_to_string(fleet.home.path().join("kek")).await?;
    for secret in [
        signature,
        claims,
        fleet.secret("web"),
        fleet.secret("orders"),
        kek.trim(),
        unverified,
        "wrong-secret-canary",
        "body-secret-canary",
        "cookie-canary",
        "query-canary",
        "\u{1b}[2J",
    ] {
        assert!(!logs.contains(secret), "{secret:?} is in a log");
        assert!(!answers.contains(secret), "{secret:?} is in an answer");
    }
    Ok(())
}
