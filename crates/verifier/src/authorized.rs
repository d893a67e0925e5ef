use std::{fmt, marker::PhantomData, ops::Deref};

use crate::{Principal, Refusal, Required};

/// A principal that meets what `T` stands for.
///
/// A handler that takes one cannot be reached without, and cannot forget to ask: axum and actix-web make it
/// from the request. Elsewhere [`new`](Self::new) does.
///
/// A handler that wants another requirement does not get by with this one:
/// ```compile_fail
/// use claviger_verifier::{Authorized, required_scope};
/// required_scope!(Read = "orders:read");
/// required_scope!(Write = "orders:write");
/// fn cancel(caller: &Authorized<Write>) {}
/// fn show(caller: &Authorized<Read>) { cancel(caller) }
/// ```
pub struct Authorized<T, C = ()> {
    principal: Principal<C>,
    required: PhantomData<fn() -> T>,
}

impl<T: Required, C> Authorized<T, C> {
    /// Asks whether the principal meets the requirement.
    ///
    /// # Errors
    /// The refusal that belongs to the requirement.
    pub fn new(principal: Principal<C>) -> Result<Self, Refusal> {
        T::check(&principal)?;
        Ok(Self { principal, required: PhantomData })
    }
}

impl<T, C> Authorized<T, C> {
    /// The principal, by value.
    #[must_use]
    pub fn into_principal(self) -> Principal<C> {
        self.principal
    }
}

impl<T, C> Deref for Authorized<T, C> {
    type Target = Principal<C>;

    fn deref(&self) -> &Principal<C> {
        &self.principal
    }
}

impl<T, C> fmt::Debug for Authorized<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorized").field(&self.principal).finish()
    }
}
