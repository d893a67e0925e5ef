use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use claviger_jose::Algorithm;
use claviger_oauth::ClientId;

use crate::{
    Endpoint, Fault, TestKey, clients::RegisteredClient, clock::IssuerClock, feed::Feed,
    request_log::RequestLog, rotation::Keys,
};

/// What an issuer is: shared by its handle, its endpoints and the tokens that are still to be signed.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The issuer identifier: what is in `iss`.
    pub(crate) url: String,
    /// Where its endpoints are, without a trailing slash; the same as `url` unless a test says otherwise.
    pub(crate) base: String,
    pub(crate) clock: IssuerClock,
    pub(crate) log: RequestLog,
    state: Mutex<State>,
}

/// What a test can change while the issuer runs.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) keys: Keys,
    /// A text that is served instead of the keys.
    pub(crate) raw_jwks: Option<String>,
    pub(crate) cache_control: String,
    pub(crate) feed: Feed,
    pub(crate) clients: BTreeMap<ClientId, RegisteredClient>,
    faults: Vec<(Endpoint, Fault)>,
    /// The set as it was when [`Fault::StaleCopy`] began.
    stale: Option<String>,
}

impl Shared {
    pub(crate) fn new(url: String, base: String, clock: IssuerClock, keys: &[&'static TestKey]) -> Self {
        let state = State {
            keys: Keys::of(keys),
            raw_jwks: None,
            cache_control: "public, max-age=300".to_owned(),
            feed: Feed::default(),
            clients: BTreeMap::new(),
            faults: Vec::new(),
            stale: None,
        };
        Self { url, base, clock, log: RequestLog::new(), state: Mutex::new(state) }
    }

    /// A test that panicked elsewhere does not silence the issuer.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that signs: of the algorithm, or the first one that there is.
    ///
    /// # Panics
    /// If no key is active.
    pub(crate) fn signing_key(&self, alg: Option<Algorithm>) -> &'static TestKey {
        let state = self.state();
        let preferred = [Algorithm::Es256, Algorithm::Rs256];
        let key = match alg {
            Some(alg) => state.keys.active(alg),
            None => preferred.into_iter().find_map(|alg| state.keys.active(alg)),
        };
        let wanted = alg.map_or_else(String::new, |alg| format!(" {alg}"));
        key.unwrap_or_else(|| panic!("the issuer has no active{wanted} key: publish and promote one"))
    }

    /// All keys that sign.
    pub(crate) fn active_keys(&self) -> Vec<&'static TestKey> {
        let state = self.state();
        [Algorithm::Es256, Algorithm::Rs256].into_iter().filter_map(|alg| state.keys.active(alg)).collect()
    }

    /// A key that this issuer never had.
    pub(crate) fn strange_key(&self, alg: Algorithm) -> &'static TestKey {
        self.state().keys.strange(alg)
    }
}

impl State {
    /// The set as it is right, or as the test wrote it.
    pub(crate) fn jwks(&self) -> String {
        self.raw_jwks.clone().unwrap_or_else(|| self.keys.jwks())
    }

    /// The set as it is served now, and the seconds that it says it is old.
    pub(crate) fn served_jwks(&self) -> (String, Option<u64>) {
        let set = self.jwks();
        match self.fault(Endpoint::KeySet) {
            Some(Fault::StaleCopy) => (self.stale.clone().unwrap_or(set), Some(crate::fault::STALE_AGE)),
            Some(fault) => (fault.false_set(&set).unwrap_or(set), None),
            None => (set, None),
        }
    }

    pub(crate) fn fault(&self, endpoint: Endpoint) -> Option<&Fault> {
        self.faults.iter().find(|(at, _)| *at == endpoint).map(|(_, fault)| fault)
    }

    pub(crate) fn begin(&mut self, endpoint: Endpoint, fault: Fault) {
        if fault == Fault::StaleCopy {
            self.stale = Some(self.jwks());
        }
        self.faults.retain(|(at, _)| *at != endpoint);
        self.faults.push((endpoint, fault));
    }

    pub(crate) fn heal(&mut self) {
        self.faults.clear();
        self.feed.fault = None;
    }
}
