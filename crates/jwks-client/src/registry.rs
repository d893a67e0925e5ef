//! One client per issuer and policy in a process: whoever builds the same again gets the same.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::runtime;

use crate::{BuildError, KeySource, Timing, client::Owner};

/// What makes two clients the same: all that was configured. A client with a clock of its own has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) issuer: Arc<str>,
    pub(crate) sources: Vec<KeySource>,
    pub(crate) timing: Timing,
    pub(crate) foreign: bool,
    pub(crate) disk: Option<(PathBuf, Vec<u8>)>,
    pub(crate) feed: Option<String>,
    pub(crate) deny_file: Option<PathBuf>,
    pub(crate) instance: Option<String>,
    /// The task lives as long as its runtime: clients of different runtimes cannot share one.
    pub(crate) runtime: Option<runtime::Id>,
}

/// Bounded by the clients that are alive: each removes itself when its last handle is dropped.
type Registry = HashMap<Identity, Weak<Owner>>;

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

/// The client of this identity, which is made if there is none.
///
/// # Errors
/// Those of `make`, and [`BuildError::DiskCopy`] if another client keeps its copy at the path.
pub(crate) fn share(
    identity: Identity,
    make: impl FnOnce() -> Result<Arc<Owner>, BuildError>,
) -> Result<Arc<Owner>, BuildError> {
    // Dropped after the lock is free: the last handle of a client removes it from the registry.
    let mut seen = Vec::new();
    let mut registry = registry();
    let registry = registry.get_or_insert_default();
    if let Some(owner) = registry.get(&identity).and_then(Weak::upgrade) {
        if !owner.is_over() {
            return Ok(owner);
        }
        seen.push(owner);
    }
    if let Some((path, _)) = &identity.disk {
        let is_theirs = |other: &Identity| other.disk.as_ref().is_some_and(|(theirs, _)| theirs == path);
        let theirs = registry.iter().filter(|(other, _)| is_theirs(other));
        let theirs = theirs.filter_map(|(_, owner)| owner.upgrade());
        let first = seen.len();
        seen.extend(theirs);
        if seen[first..].iter().any(|owner| !owner.is_over()) {
            let reason = "another client of this process keeps its copy there; give each a path of its own";
            return Err(BuildError::DiskCopy { path: path.clone(), reason: reason.to_owned() });
        }
    }
    // Under the lock, so that two who build at once make one. What is made is not dropped under it.
    let owner = make()?;
    registry.insert(identity, Arc::downgrade(&owner));
    Ok(owner)
}

/// The last handle of a client is gone. Meanwhile somebody may have made another one.
pub(crate) fn forget(identity: &Identity) {
    if let Some(registry) = registry().as_mut()
        && registry.get(identity).is_some_and(|owner| owner.strong_count() == 0)
    {
        registry.remove(identity);
    }
}

fn registry() -> MutexGuard<'static, Option<Registry>> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;

    use crate::JwksClient;

    use super::*;

    /// How many clients of this runtime are known.
    fn known() -> usize {
        let here = Some(Handle::current().id());
        registry().as_ref().map_or(0, |registry| registry.keys().filter(|key| key.runtime == here).count())
    }

    #[tokio::test]
    async fn nothing_is_left_of_clients_that_are_gone() {
        let build = |issuer: u16| JwksClient::builder(&format!("http://127.0.0.1:{issuer}")).build().unwrap();
        let clients: Vec<_> = (1..=100).chain(1..=100).map(build).collect();
        assert_eq!(known(), 100);
        drop(clients);
        assert_eq!(known(), 0);
    }
}
