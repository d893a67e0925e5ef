//! What is denied in this process, per issuer: a stolen key is dead for all its clients, however they were built.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use claviger_jose::Kid;

use crate::{DenyError, denied::Denied, shared::Shared};

/// The denials of one issuer, and whom they concern. They outlive the clients: the next one begins with them.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<Concern>);

#[derive(Debug, Default)]
struct Concern {
    denied: Denied,
    clients: Vec<Weak<Shared>>,
}

/// One entry per issuer identifier that a client was built for. Those without a denial go when they are not in use.
static ISSUERS: Mutex<BTreeMap<Arc<str>, Arc<Denials>>> = Mutex::new(BTreeMap::new());

impl Denials {
    /// Those of all clients of this issuer in the process.
    pub(crate) fn of(issuer: &Arc<str>) -> Arc<Self> {
        let mut issuers = ISSUERS.lock().unwrap_or_else(PoisonError::into_inner);
        issuers.retain(|_, denials| Arc::strong_count(denials) > 1 || denials.concern().denied.len() > 0);
        Arc::clone(issuers.entry(Arc::clone(issuer)).or_default())
    }

    /// A client begins, with what its disk copy says: answers all that is denied. What is denied from now on it is told.
    pub(crate) fn join(&self, client: &Arc<Shared>, mut kept: Denied) -> Denied {
        let mut concern = self.concern();
        for kid in kept.kids() {
            // Where the common list is full, this client has the kid in its own.
            let _ = concern.denied.deny(kid);
        }
        kept.add(&concern.denied);
        concern.clients.retain(|client| client.strong_count() > 0);
        concern.clients.push(Arc::downgrade(client));
        kept
    }

    /// Denies a kid for all.
    pub(crate) fn deny(&self, kid: Kid) -> Result<(), DenyError> {
        let clients = {
            let mut concern = self.concern();
            concern.denied.deny(kid)?;
            concern.clients.clone()
        };
        // Not under the lock: each client has one of its own, and somebody may be waiting for both.
        for client in clients.iter().filter_map(Weak::upgrade) {
            client.strike(kid);
        }
        Ok(())
    }

    fn concern(&self) -> MutexGuard<'_, Concern> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_of_whom_nothing_is_denied_are_forgotten() {
        let issuer = |name: &str| Arc::<str>::from(format!("https://{name}.denials.test"));
        let quiet = Denials::of(&issuer("quiet"));
        Denials::of(&issuer("loud")).deny("a".parse().unwrap()).unwrap();
        let known = |name: &str| ISSUERS.lock().unwrap().contains_key(&issuer(name));
        drop(Denials::of(&issuer("third")));
        assert!(known("quiet") && known("loud"));
        drop(quiet);
        drop(Denials::of(&issuer("fourth")));
        assert!(!known("quiet") && !known("third") && known("loud"));
        let again = Denials::of(&issuer("loud"));
        assert_eq!(again.concern().denied.len(), 1);
    }
}
