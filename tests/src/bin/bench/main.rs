//! `cargo xtask bench`: what the house costs, against peers that do the least that can be done.
//!
//! Every figure is measured with its peer in the same run, turn by turn in short slices, so that a
//! busy machine slows both; the table shows the median of the runs and their spread. Figures are
//! shown and never asserted.

mod contest;
mod crowd;
mod flood;
mod footprint;
mod herd;
mod in_process;
mod log_in;
mod peer;
mod plan;
mod refresh;
mod row;
mod serving;
mod stage;
mod system;
mod tail;

use clap::Parser;
use tokio::runtime::Builder;

use crate::{peer::Peer, plan::Plan};

#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Cli {
    /// Runs of each row; the table shows their median and spread.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Only the rows whose name contains this.
    filter: Option<String>,
    /// Serve as a peer instead, on a free port.
    #[arg(long, hide = true, requires = "material")]
    peer: Option<Peer>,
    /// What the peer works with.
    #[arg(long, hide = true)]
    material: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if let Some(peer) = cli.peer {
        let material = cli.material.unwrap_or_default();
        return Builder::new_multi_thread().enable_all().build()?.block_on(peer.serve(&material));
    }
    // One thread for the load: on a small machine a second one would be taken from the server.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&Plan::new(cli.runs, cli.filter)))
}

async fn measure(plan: &Plan) -> anyhow::Result<()> {
    let mut rows = in_process::verify(plan).await?;
    rows.extend(in_process::mint(plan)?);
    rows.extend(serving::token(plan).await?);
    rows.extend(serving::guarded(plan).await?);
    rows.extend(serving::key_set(plan).await?);
    rows.extend(refresh::on_sqlite(plan).await?);
    rows.extend(refresh::on_postgres(plan).await?);
    rows.extend(tail::key_set_beside_signing(plan).await?);
    rows.extend(log_in::log_ins(plan).await?);
    rows.extend(footprint::start_and_memory(plan).await?);
    rows.extend(flood::unknown_kids(plan).await?);
    rows.extend(herd::fleet_of_a_dead_issuer(plan).await?);
    plan.finish();
    rows.retain(|row| plan.wants(row.name()));
    println!("{}", row::table(&rows));
    Ok(())
}
