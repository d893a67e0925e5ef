use claviger_oauth::{Sid, UserId};
use claviger_store::StoreError;
use serde_json::json;

use crate::{actor::Actor, browser::Visitor, expiry::last_expiry};

/// What a person ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending<'e> {
    /// A session of theirs.
    One(&'e Sid),
    /// All but this one.
    AllBut(&'e Sid),
}

/// Ends sessions of a person who asks for it, and sees to it that the feed says so at once.
///
/// # Errors
/// [`StoreError`]; nothing has ended then.
pub(super) async fn end(visitor: &Visitor, account: &UserId, ending: Ending<'_>) -> Result<(), StoreError> {
    let provider = visitor.provider();
    let store = &provider.store;
    let skew = provider.issuance.config.policy.lifetimes().skew;
    let until = last_expiry(store.now().await?, skew);
    let actor = Actor::person(account, visitor.address());
    let ended = match ending {
        Ending::One(sid) => {
            let acts = [actor.act("session.end", sid.as_str(), json!({}))];
            store.end_session(sid, until, &acts).await?
        }
        Ending::AllBut(kept) => {
            let acts = [actor.act("session.end_others", account.as_str(), json!({ "kept": kept }))];
            store.end_other_sessions(account, kept, until, &acts).await?
        }
    };
    if ended.sessions > 0 && ended.sequence.is_none() {
        tracing::error!(
            "the revocation feed is full: the access tokens of a session that has ended live on until they expire"
        );
    }
    provider.issuance.changed.notify_one();
    Ok(())
}
