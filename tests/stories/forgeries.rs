use claviger_testkit::{TestIssuer, assert_rejects_all_at};
use e2e::{LEDGER, Service};

// S-1 S-2 S-3 S-4 S-5 S-6 S-7 S-8 S-9 S-10 S-12 S-16
#[tokio::test]
async fn every_forged_token_is_refused_by_a_running_service_with_the_same_answer() -> anyhow::Result<()> {
    let issuer = TestIssuer::start().await;
    let state = tempfile::tempdir()?;
    let arguments = [("--issuer", issuer.url()), ("--audience", LEDGER)];
    let service = Service::start("ledger", &arguments, state.path()).await?;
    service.ready().await?;
    let entries = format!("{}/entries", service.url());
    assert_rejects_all_at(&entries, &issuer.token(LEDGER).scope("ledger:read")).await;
    Ok(())
}
