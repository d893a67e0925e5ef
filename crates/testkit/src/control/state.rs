use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::arguments::{ClientArgument, UserArgument};
use crate::{TestClock, TestIssuer};

/// What the control API controls.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) issuer: TestIssuer,
    pub(super) clock: TestClock,
    users: Mutex<BTreeMap<String, Map<String, Value>>>,
}

impl Control {
    pub(super) fn new(issuer: TestIssuer, clock: TestClock) -> Self {
        Self { issuer, clock, users: Mutex::default() }
    }

    pub(super) fn register(&self, client: ClientArgument) {
        let ClientArgument { id, secret, audience, scope } = client;
        let mut state = self.issuer.shared().state();
        state.register(&id, secret.0.expose_secret());
        state.allow(&id, audience, scope);
    }

    pub(super) fn enrol(&self, user: UserArgument) {
        self.users().insert(user.id, user.claims);
    }

    /// The claims of a user, if there is one.
    pub(super) fn user(&self, id: &str) -> Option<Map<String, Value>> {
        self.users().get(id).cloned()
    }

    fn users(&self) -> MutexGuard<'_, BTreeMap<String, Map<String, Value>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
