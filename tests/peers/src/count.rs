use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, ensure};

use crate::{
    contestants::Check,
    duel::Duel,
    stage::{Presented, Stage},
};

/// Does a piece of work and counts the allocations of this thread meanwhile.
pub type Count = fn(&mut dyn FnMut() -> anyhow::Result<()>) -> anyhow::Result<u64>;

/// Allocations per verification.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Allocations {
    pub(crate) ours: f64,
    pub(crate) peer: f64,
}

/// By the names of the duels.
pub(crate) type Counted = BTreeMap<String, Allocations>;

/// Counts all, and prints them as JSON.
pub(crate) fn print(duels: Vec<Duel>, stage: &Stage, count: Count) -> anyhow::Result<()> {
    let mut counted = Counted::new();
    for Duel { name, key, mut ours, peer, .. } in duels {
        let Ok(mut peer) = peer else { continue };
        let tokens = stage.tokens(key)?;
        let ours = per_call(&mut ours, &tokens, count)?;
        counted.insert(name, Allocations { ours, peer: per_call(&mut peer, &tokens, count)? });
    }
    println!("{}", serde_json::to_string(&counted)?);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "some thousands are no 2^52")]
fn per_call(check: &mut Check, tokens: &[Presented], count: Count) -> anyhow::Result<f64> {
    // What is made once, at the first call, is not what a call costs.
    tokens.iter().try_for_each(&mut *check)?;
    let all = count(&mut || tokens.iter().try_for_each(&mut *check))?;
    Ok((all as f64 / tokens.len() as f64 * 10.0).round() / 10.0)
}

/// What the binary beside this one has counted.
pub(crate) fn ask_neighbour() -> anyhow::Result<Counted> {
    let path = std::env::current_exe()?.with_file_name("allocations");
    let answer = Command::new(&path).output().with_context(|| path.display().to_string())?;
    ensure!(answer.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&answer.stderr));
    Ok(serde_json::from_slice(&answer.stdout)?)
}
