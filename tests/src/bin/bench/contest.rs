//! Two servers under the same load, in turns.

use std::time::Duration;

use anyhow::{Context, anyhow};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use claviger_jose::PublicKey;
use e2e::Process;

use crate::{
    crowd::{Answered, Crowd},
    plan::Plan,
    row::Row,
    system::cpu_time,
};

/// Connections: more than the machine has cores, few enough to wait for the server and not for each other.
pub(crate) const CONNECTIONS: u32 = 8;
const SLICE: Duration = Duration::from_millis(500);
const TURNS: u32 = 4;

/// A server and those who load it.
pub(crate) struct Side {
    pid: u32,
    crowd: Crowd,
}

impl Side {
    pub(crate) async fn of(process: &Process, url: &str, request: Vec<u8>) -> anyhow::Result<Self> {
        let pid = process.id().context("the server runs")?;
        Ok(Self { pid, crowd: Crowd::connect(url, CONNECTIONS, request).await? })
    }

    async fn slice(&mut self, spent: &mut Spent) -> anyhow::Result<()> {
        let before = cpu_time(self.pid)?;
        let answered = self.crowd.flood(SLICE).await?;
        spent.cpu += cpu_time(self.pid)?.saturating_sub(before);
        spent.answered.requests += answered.requests;
        spent.answered.elapsed += answered.elapsed;
        Ok(())
    }
}

#[derive(Default)]
struct Spent {
    cpu: Duration,
    answered: Answered,
}

impl Spent {
    fn cpu_per_request(&self) -> f64 {
        self.cpu.as_secs_f64() / f64::from(self.answered.requests)
    }
}

/// Compares the servers' processor time per request in the first row, and their throughput in the second.
pub(crate) async fn contest(
    plan: &Plan,
    rows: &mut [Row; 2],
    ours: &mut Side,
    peer: &mut Side,
) -> anyhow::Result<()> {
    let [cpu, throughput] = rows;
    for side in [&mut *ours, &mut *peer] {
        side.slice(&mut Spent::default()).await?;
    }
    for _ in plan.runs(cpu.name()) {
        let (mut of_ours, mut of_peer) = (Spent::default(), Spent::default());
        for _ in 0..TURNS {
            ours.slice(&mut of_ours).await?;
            peer.slice(&mut of_peer).await?;
        }
        cpu.add(of_ours.cpu_per_request(), of_peer.cpu_per_request());
        throughput.add(of_ours.answered.per_second(), of_peer.answered.per_second());
    }
    Ok(())
}

/// A public key as the library itself prepares it.
pub(crate) fn parsed_public_key(public: &PublicKey) -> anyhow::Result<ParsedPublicKey> {
    let key = match public {
        PublicKey::Rsa { n, e } => {
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        }
        PublicKey::P256 { x, y } => {
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4], &x[..], &y[..]].concat())
        }
    };
    key.map_err(|_| anyhow!("the key is rejected"))
}
