//! What signing people in needs beyond what is in memory: the state of all routes that wait for the database.

use std::{num::NonZeroUsize, sync::Arc, thread::available_parallelism};

use claviger_oauth::{AuthorizeError, Issuer, RedirectTarget};
use claviger_store::Store;

use crate::{
    authorize::{Refusal, unproven_pushes},
    browser::Cookies,
    client_auth::ClientAuth,
    config::SignInSettings,
    keys::Vault,
    pages::Site,
    people::{Devices, Gate, PasswordRules, Passwords, TurnedAway},
    pepper::{Derived, Pepper},
    rate::Rate,
    server::{Issuance, StartError},
};

/// An issuer that knows people.
#[derive(Debug)]
pub(crate) struct Provider {
    /// What all routes are answered from: configuration, keys, the registry, the mint.
    pub(crate) issuance: Arc<Issuance>,
    /// The database.
    pub(crate) store: Store,
    /// The issuer's own secret, and what is derived from it.
    pub(crate) pepper: Pepper,
    /// What a log-in needs; none while the issuer's own secret is closed.
    pub(crate) gate: Option<Gate>,
    /// Which passwords may be chosen.
    pub(crate) password_rules: PasswordRules,
    /// Requests that are pushed in the name of clients that prove nothing.
    pub(crate) pushes: Rate,
    /// How clients show who they are.
    pub(crate) client_auth: ClientAuth,
    /// The look of the pages.
    pub(crate) site: Arc<Site>,
}

/// The issuer's own secret is sealed under another key-encryption key: no page can be sealed, no cookie checked. To be
/// answered with 503, as everything is that this process may not do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the issuer's own secret cannot be opened")]
pub(crate) struct Locked;

impl Provider {
    /// Makes it of what the server has opened. A secret that stays closed is no error: everything here is answered with 503
    /// then, and keys are published as before.
    ///
    /// # Errors
    /// [`StartError`]: the database, or threads to hash passwords in.
    pub(crate) async fn open(
        issuance: Arc<Issuance>,
        store: Store,
        vault: &Vault,
    ) -> Result<Self, StartError> {
        let config = &issuance.config;
        let pepper = Pepper::load(&store, vault).await?;
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let gate = match pepper.open() {
            Some(secrets) => Some(Gate {
                store: store.clone(),
                passwords: Passwords::start(cores).map_err(StartError::threads)?,
                devices: Devices::new(&secrets.devices()),
                turned_away: TurnedAway::default(),
            }),
            None => None,
        };
        let names = [config.brand.name.as_str().to_owned(), config.issuer.as_str().to_owned()];
        Ok(Self {
            password_rules: PasswordRules::new(config.sign_in.password_min, names),
            pushes: unproven_pushes(),
            client_auth: ClientAuth::new(&config.issuer, store.clone()),
            site: Arc::new(Site::new(&config.issuer, &config.brand)),
            pepper,
            gate,
            store,
            issuance,
        })
    }

    /// The issuer identifier.
    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuance.config.issuer
    }

    /// For how long people stay signed in.
    pub(crate) fn settings(&self) -> &SignInSettings {
        &self.issuance.config.sign_in
    }

    /// The cookies of this issuer.
    pub(crate) fn cookies(&self) -> Cookies {
        Cookies::of(self.issuer())
    }

    /// The keys for what browsers keep for us.
    ///
    /// # Errors
    /// [`Locked`]
    pub(crate) fn secrets(&self) -> Result<&Derived, Locked> {
        self.pepper.open().ok_or(Locked)
    }

    /// What a log-in needs.
    ///
    /// # Errors
    /// [`Locked`]
    pub(crate) fn gate(&self) -> Result<&Gate, Locked> {
        self.gate.as_ref().ok_or(Locked)
    }

    /// Sends a browser back to its client with a refusal.
    pub(crate) fn refuse(&self, target: &RedirectTarget, error: &AuthorizeError) -> Refusal {
        tracing::info!(client_id = %target.client_id(), %error, "an authorization request is refused");
        let answer = Box::new(target.refuse(error, self.issuer()));
        Refusal::Client { client: target.client_id().to_string(), answer }
    }
}
