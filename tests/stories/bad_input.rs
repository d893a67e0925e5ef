use e2e::{Database, FLEET, IssuerHome};

// S-112 S-48
#[tokio::test]
async fn every_mistake_of_a_configuration_is_told_at_once_and_nothing_listens() -> anyhow::Result<()> {
    let home = IssuerHome::init(&Database::of_run(), &[]).await?;
    let path = home.path().join("claviger.toml");
    let text = tokio::fs::read_to_string(&path).await?;
    let broken = text
        .replace("listen = \"", "listen = \"nowhere:")
        .replace("lead = \"24h\"", "lead = \"5m\"")
        .replace("tail = \"1h\"", "tail = \"soon\"")
        .replace("freshness = \"5m\"", "freshness = 5")
        .replace("[server]", "[server]\nworkers = 9");
    tokio::fs::write(&path, broken).await?;
    let ran = home.run(&["serve"]).await?;
    assert!(!ran.succeeded);
    for mistake in
        ["`listen`", "`rotation.tail`", "`verifiers.freshness`", "`server.workers`", "lead is 300s"]
    {
        assert!(ran.err.contains(mistake), "{mistake} is not in:\n{}", ran.err);
    }
    assert!(!ran.out.contains("listening"));
    Ok(())
}

/// One change to a good data directory, and a part of what is said about it.
type Row = (&'static str, &'static str, &'static str, &'static str);

// S-48 S-104 S-112
#[tokio::test]
async fn an_issuer_with_a_bad_setting_does_not_start_and_says_why() -> anyhow::Result<()> {
    let rows: &[Row] = &[
        ("issuer over http", "ISSUER", "http://id.example.test", "https"),
        ("issuer with a query", "ISSUER", "https://id.example.test/?a", "query"),
        ("issuer with a slash", "ISSUER", "https://id.example.test/", "slash"),
        ("unknown database", "DATABASE", "mysql://x", "sqlite:// or postgres://"),
        ("no address", "LISTEN", "8080", "address"),
        ("another issuer's database", "ISSUER", "https://other.example.test", "issuer"),
        ("no key-encryption key", "KEY_ENCRYPTION_KEY", "nothing", "No such file"),
        ("lead below the inequality", "ROTATION_LEAD", "1m", "lead is 60s"),
        ("tail below the inequality", "ROTATION_TAIL", "1m", "tail is 60s"),
        ("token too long-lived", "TOKEN_LIFETIME", "2h", "token lifetime is 7200s"),
        ("no duration", "ROTATION_PERIOD", "month", "CLAVIGER_ROTATION_PERIOD"),
        ("staleness without bound", "VERIFIERS_STALENESS", "90h", "72h"),
        ("skew beyond reason", "VERIFIERS_SKEW", "5m", "skew is 300s"),
        ("freshness beyond reason", "VERIFIERS_FRESHNESS", "2h", "freshness"),
        ("no connections", "SERVER_CONNECTIONS", "x", "CLAVIGER_SERVER_CONNECTIONS"),
    ];
    for (name, variable, value, said) in rows {
        let home = IssuerHome::init(&Database::of_run(), &[]).await?;
        let mut command = home.command(&["serve"])?;
        command.env(format!("CLAVIGER_{variable}"), value);
        let output = e2e::run(command).await?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "{name}");
        assert!(err.contains(said), "{name}: {said} is not in:\n{err}");
        assert!(!out.contains("listening"), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_fleet_file_changes_nothing_and_a_good_one_is_idempotent() -> anyhow::Result<()> {
    let home = IssuerHome::init(&Database::of_run(), &[]).await?;
    let path = home.path().join("fleet.toml");
    let path_text = path.to_string_lossy().into_owned();
    let apply = async |text: &str, more: &[&str]| {
        tokio::fs::write(&path, text).await?;
        home.run(&[&["apply", path_text.as_str()], more].concat()).await
    };
    let dry = apply(FLEET, &["--dry-run"]).await?;
    assert!(
        dry.succeeded && dry.out.contains("+ client web") && !dry.out.contains("secret of"),
        "{}",
        dry.out
    );
    let secrets = home.apply(FLEET).await?;
    let clients: Vec<&str> = secrets.iter().map(|(client, _)| client.as_str()).collect();
    let with_secret = ["auditor", "batch", "orders", "partner", "shop-web", "web"];
    assert_eq!(clients, with_secret, "those that prove themselves with one");

    let bad = FLEET
        .replace("team = \"books\"", "team = \"boks\"")
        .replace("\"ledger:post\"]\n\n[[client]]\nid = \"aud", "\"ledger:pst\"]\n\n[[client]]\nid = \"aud");
    let refused = apply(&bad, &[]).await?;
    assert!(!refused.succeeded);
    assert!(refused.err.contains("fleet.toml:16: ") && refused.err.contains("team boks"), "{}", refused.err);
    assert!(refused.err.lines().count() >= 3, "all mistakes at once:\n{}", refused.err);

    let same = apply(FLEET, &[]).await?;
    assert_eq!(same.out.trim(), "nothing changes");
    let emptied = apply("", &[]).await?;
    assert!(!emptied.succeeded && emptied.err.contains("--allow-removals"), "{}", emptied.err);
    let same = apply(FLEET, &[]).await?;
    assert_eq!(same.out.trim(), "nothing changes");
    let less = apply(
        &FLEET.replace("\"orders:read\", \"orders:write\"]\n\n[[client]]", "\"orders:read\"]\n\n[[client]]"),
        &[],
    )
    .await?;
    assert!(less.out.contains("~ client web") && less.out.lines().count() == 1, "{}", less.out);
    Ok(())
}

#[tokio::test]
async fn a_command_without_a_data_directory_says_what_to_do() -> anyhow::Result<()> {
    let home = IssuerHome::init(&Database::of_run(), &[]).await?;
    let mut command = tokio::process::Command::new(e2e::binary("claviger")?);
    command.arg("--data-dir").arg(home.path().join("nowhere")).arg("serve");
    let output = e2e::run(command).await?;
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && err.contains("claviger init"), "{err}");
    Ok(())
}
