use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use claviger_store::Store;

use super::{progress::Progress, words::names};
use crate::{
    actor::Actor,
    keys::{self, RewrapReport, Vault},
};

#[derive(Debug, Args)]
pub(super) struct Rewrap {
    /// Show how many rows are under another key-encryption key, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Rewrap {
    pub(super) async fn run(self, store: &Store, vault: &Arc<Vault>) -> anyhow::Result<()> {
        let stale = vault.stale_rows(&store.load_keys().await?) + vault.stale_secrets(store).await?;
        if self.dry_run || stale == 0 {
            println!("stale_rows={stale}");
            return Ok(());
        }
        let rewrap = keys::Rewrap::new(store.clone(), Arc::clone(vault), Actor::operator());
        let mut progress = Progress::new("rows under the current key-encryption key");
        let RewrapReport { rewrapped, left } = rewrap.run(|done, of| progress.show(done, of, "")).await?;
        drop(progress);
        println!(
            "{rewrapped} rows were brought under the current key-encryption key; stale_rows={}",
            left.len()
        );
        if left.is_empty() {
            println!(
                "nothing is under previous_key_encryption_keys any more: every replica can do without them"
            );
            return Ok(());
        }
        bail!(
            "{} are damaged, or under a key-encryption key that is not among previous_key_encryption_keys: {}",
            left.len(),
            names(left.iter().map(String::as_str))
        );
    }
}
