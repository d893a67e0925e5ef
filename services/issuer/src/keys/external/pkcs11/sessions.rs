use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, Result, RvError},
    session::{Session, UserType},
    slot::Slot,
    types::AuthPin,
};

use super::failed;
use crate::keys::{ModuleError, Pkcs11Settings};

/// Sessions with one token. There are as many as are used at once; a failure ends them all, and the next use begins anew.
pub(super) struct Sessions {
    context: Pkcs11,
    slot: Slot,
    pin: AuthPin,
    idle: Mutex<Vec<Session>>,
    locked_out: AtomicBool,
}

impl Sessions {
    pub(super) fn open(settings: &Pkcs11Settings) -> std::result::Result<Self, ModuleError> {
        let name = settings.module.display().to_string();
        let context = Pkcs11::new(&settings.module).map_err(|error| failed(&name, &error))?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(failed(&name, &error)),
        }
        let slot = find_token(&context, &settings.token).map_err(|error| failed(&name, &error))?;
        let slot = slot.ok_or_else(|| ModuleError {
            what: name,
            reason: format!("it has no token with the label {:?}", settings.token),
        })?;
        let place = format!("token {:?}", settings.token);
        let pin = settings
            .pin
            .read()
            .map_err(|error| ModuleError { what: format!("{place}: the PIN"), reason: error.to_string() })?;
        let pin = AuthPin::new(pin.as_str().into());
        let sessions =
            Self { context, slot, pin, idle: Mutex::default(), locked_out: AtomicBool::new(false) };
        sessions.with(|_| Ok(())).map_err(|error| failed(&place, &error))?;
        Ok(sessions)
    }

    /// Does something in a session of its own.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Session) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = match idle {
            Some(session) => session,
            None => self.log_in()?,
        };
        let result = work(&session);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if result.is_ok() {
            idle.push(session);
        } else {
            // A module that was restarted knows none of them any more.
            idle.clear();
        }
        result
    }

    fn log_in(&self) -> Result<Session> {
        if self.locked_out.load(Ordering::Acquire) {
            return Err(Error::PinNotSet);
        }
        let session = self.context.open_rw_session(self.slot)?;
        match session.login(UserType::User, Some(&self.pin)) {
            // One login is good for all sessions of a process.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => {
                if let Error::Pkcs11(RvError::PinIncorrect | RvError::PinLocked | RvError::PinExpired, _) =
                    error
                {
                    // The PIN was changed. Trying the old one again would lock the token for everybody.
                    self.locked_out.store(true, Ordering::Release);
                    tracing::error!(%error, "the token refuses the PIN; it is not tried again before a restart");
                }
                Err(error)
            }
        }
    }
}

fn find_token(context: &Pkcs11, label: &str) -> Result<Option<Slot>> {
    for slot in context.get_slots_with_token()? {
        if context.get_token_info(slot)?.label().trim_end() == label {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("slot", &self.slot).finish_non_exhaustive()
    }
}
