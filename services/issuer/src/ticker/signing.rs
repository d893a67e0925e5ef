//! What the issuer signs for itself: the feed, and checkpoints of the audit log.

use std::sync::Arc;

use claviger_jose::Typ;
use claviger_keyring::SigningKey;
use serde::Serialize;

use super::{TickError, Ticker};

impl Ticker {
    /// Signs claims. By a key that is kept elsewhere as tokens are signed: a keeper that hangs would hold a thread of the
    /// pool each time.
    pub(super) async fn sign(
        &self,
        key: &Arc<SigningKey>,
        typ: Typ,
        claims: Arc<impl Serialize + Send + Sync + 'static>,
    ) -> Result<String, TickError> {
        if key.is_external() {
            return self.issuance.mint.sign(key, typ, Shared(claims)).await.map_err(|_| TickError::Keeper);
        }
        let key = Arc::clone(key);
        let signed = tokio::task::spawn_blocking(move || key.sign(typ, &*claims)).await;
        Ok(signed.map_err(|_| TickError::Panicked)??)
    }
}

/// Claims that others hold as well.
struct Shared<T>(Arc<T>);

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
