use clap::Args;
use claviger_store::EndedSignIns;
use serde_json::json;

use crate::{actor::Actor, config::Config, expiry::last_expiry};

/// What a database that was restored from a backup must forget: codes, refresh tokens and one-time links that were used
/// since the backup are unused in it, and sessions that have ended are alive.
#[derive(Debug, Args)]
pub(super) struct Restored {
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

impl Restored {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        super::ensure_meant("end all sessions, refresh tokens, codes and one-time links", self.yes)?;
        let store = super::store(config).await?;
        let until = last_expiry(store.now().await?, config.policy.lifetimes().skew);
        let acts = [Actor::operator().act("store.restored", "", json!({ "until": until }))];
        let EndedSignIns { codes, links, families, sessions } = store.end_all_sign_ins(until, &acts).await?;
        println!(
            "ended: {sessions} sessions, {families} families of refresh tokens, {codes} codes and pushed requests, {links} one-time links"
        );
        println!(
            "people sign in anew; verifiers refuse the sessions' access tokens with the next statement of the feed"
        );
        Ok(())
    }
}
