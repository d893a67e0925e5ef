use e2e::{Reply, TokenQuestion, published};

use crate::{Run, figure::Figure, rig::Rig};

/// F10: of the external signer's faults the issuer's own tests tell.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let mut rig = Rig::start(&run, &[], 2).await?;
    let loading = rig.load(30, 30).await?;
    rig.prepared().await?;
    let before = rig.fleet.home.keys().await?;
    let kek = rig.fleet.home.path().join("another-kek");
    tokio::fs::write(&kek, "Zt7wB1mP0xQ4nVYc8s2LkGf5RjUoAeHd3iT6yKq9MNE\n").await?;
    {
        use std::os::unix::fs::PermissionsExt;
        tokio::fs::set_permissions(&kek, std::fs::Permissions::from_mode(0o600)).await?;
    }
    let http = rig.fleet.http.clone();
    let path = kek.to_string_lossy().into_owned();
    let replica = rig.fleet.add_replica(&[("CLAVIGER_KEY_ENCRYPTION_KEY", &path)]).await?;
    let url = replica.process.url().to_owned();
    let kids = published(&http, &url).await?;
    let missing: Vec<_> =
        published(&http, rig.fleet.home.url()).await?.into_iter().filter(|kid| !kids.contains(kid)).collect();
    let ready = Reply::of(http.get(format!("{url}/readyz"))).await?;
    let question = TokenQuestion {
        client_id: "batch",
        secret: rig.fleet.secret("batch"),
        resource: Some(e2e::LEDGER),
        scope: None,
    };
    let mut wrong = Vec::new();
    for _ in 0..20 {
        let form = [("grant_type", "client_credentials"), ("resource", e2e::LEDGER)];
        let asked = http
            .post(format!("{url}/oauth2/token"))
            .basic_auth(question.client_id, Some(question.secret))
            .form(&form);
        let reply = Reply::of(asked).await?;
        if reply.status != 503 {
            wrong.push(format!("{} {}", reply.status, reply.body));
        }
    }
    let after = rig.fleet.home.keys().await?;
    let made = after.iter().filter(|key| !before.contains(key)).map(|key| key.kid.clone()).collect();
    let said = (ready.status != 503 || !ready.body.contains("verify-only")).then_some(ready.body);
    let broken = rig.fleet.issuers.pop();
    if let Some(broken) = broken {
        broken.kill(&rig.fleet.home).await?;
    }
    let account = rig.end(loading).await;
    let mut figures = vec![
        Figure::none_of("keys made by a replica that opens none", made),
        Figure::none_of("keys that it does not publish", missing),
        Figure::none_of("answers of its token endpoint other than 503", wrong),
        Figure::none_of("readiness that does not say why", said.into_iter().collect()),
        Figure::none_of(
            "failed token requests at the issuer's URL",
            account
                .grants
                .iter()
                .filter(|grant| grant.status != 200)
                .map(|grant| format!("{} {}", grant.status, grant.error))
                .collect(),
        ),
    ];
    figures.extend(rig.invariants(&account, &Rig::allowance()).await?);
    Ok(figures)
}
