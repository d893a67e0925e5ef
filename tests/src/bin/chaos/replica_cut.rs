use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use e2e::{
    LEDGER, Wire,
    account::{Held, Moment, moment},
    gate::Line,
    token_request,
};
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    Run,
    figure::Figure,
    rig::{LEASE, Rig},
};

/// Times in tokens are whole seconds.
const ROUNDING: Duration = Duration::from_secs(1);

/// F5.
pub(crate) async fn play(run: Run) -> anyhow::Result<Vec<Figure>> {
    let rig = Rig::start(&run, &[], 4).await?;
    rig.prepared().await?;
    let loading = rig.load(30, 30).await?;
    let victim = run.random().usize(..rig.fleet.issuers.len());
    let asking = Asking::start(&rig, victim);
    sleep(Duration::from_secs(2)).await;

    // A rotation waits until nobody can be signing with the old key; a revocation does not.
    let stolen = rig.fleet.home.kid("RS256", "active").await?;
    let line = if run.random().bool() { Line::Cut } else { Line::Silent };
    rig.database_of(victim)?.set(line);
    let cut = Instant::now();
    rig.revoke(&loading, &stolen, &[]).await?;
    let revoked = moment();
    let rotated_after = {
        let old = rig.fleet.home.kid("ES256", "active").await?;
        rig.rotate().await?;
        anyhow::ensure!(rig.fleet.home.kid("ES256", "active").await? != old);
        cut.elapsed()
    };
    sleep(LEASE + Duration::from_secs(2)).await;
    let while_cut = asking.signed();
    rig.database_of(victim)?.set(Line::Open);
    let healed = Instant::now();
    rig.healthy().await?;
    let recovered = healed.elapsed();
    let account = rig.end(loading).await;
    asking.task.abort();

    let last =
        while_cut.iter().filter(|(_, token)| *token.kid == *stolen).map(|(_, token)| token.issued_at).max();
    let late = while_cut
        .iter()
        .filter(|(at, _)| *at > revoked + LEASE + ROUNDING)
        .map(|(_, token)| token.kid.to_string());
    let mut figures = vec![
        Figure::took(
            format!("last signature of the cut-off replica with the revoked key ({line:?})"),
            last.map(|last| last.saturating_sub(revoked)).unwrap_or_default(),
            LEASE + ROUNDING,
        ),
        Figure::none_of("tokens of the cut-off replica after its lease", late.collect()),
        Figure::shown("a rotation was possible, after the cut", rotated_after),
        Figure::swift("recovery of the replica", recovered, Duration::from_secs(5)),
    ];
    figures.extend(rig.invariants(&account, &Rig::allowance()).await?);
    Ok(figures)
}

/// Somebody who asks one replica alone, past the gate.
struct Asking {
    signed: Arc<Mutex<Vec<(Moment, Held)>>>,
    task: JoinHandle<()>,
}

impl Asking {
    fn start(rig: &Rig, victim: usize) -> Self {
        let url = rig.fleet.issuers[victim].process.url().to_owned();
        let request = token_request("batch", rig.fleet.secret("batch"), LEDGER);
        let signed = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&signed);
        let task = tokio::spawn(async move {
            loop {
                sleep(Duration::from_millis(50)).await;
                let Ok(mut wire) = Wire::connect(&url).await else { continue };
                if wire.ask(&request).await.is_ok_and(|status| status == 200) {
                    let json: serde_json::Value = serde_json::from_slice(wire.body()).unwrap_or_default();
                    let token = json["access_token"].as_str().unwrap_or_default();
                    if let Ok(token) = Held::issued(token, LEDGER) {
                        noted.lock().unwrap_or_else(PoisonError::into_inner).push((moment(), token));
                    }
                }
            }
        });
        Self { signed, task }
    }

    fn signed(&self) -> Vec<(Moment, Held)> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
