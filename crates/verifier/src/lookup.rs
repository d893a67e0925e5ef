//! From a principal to the service's own user.

use std::{error::Error, fmt, ops::Deref, pin::Pin, sync::Arc, time::Duration};

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use tracing::{error, info};

use crate::{Principal, Refusal, Rejection, TokenFault, Verifier};

type LookedUp<U> = Result<Option<U>, Box<dyn Error + Send + Sync>>;
type LookUp<U> = dyn Fn(Principal) -> Pin<Box<dyn Future<Output = LookedUp<U>> + Send>> + Send + Sync;

/// When a caller whose user could not be looked up may ask again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How a service finds its own user for a principal, said once. Made by [`Verifier::users`].
///
/// It is state of a router, or a part of it, and gives the other extractors their verifier as well.
pub struct Users<U> {
    verifier: Verifier,
    look_up: Arc<LookUp<U>>,
}

/// The service's own user who calls, and its principal.
///
/// A principal whose user the service does not know is refused as a token that is not accepted (401); where
/// the look-up itself fails, the answer is 503, and the error goes to the log only.
#[derive(Debug, Clone)]
pub struct CurrentUser<U> {
    user: U,
    principal: Principal,
}

impl Verifier {
    /// Says how a principal becomes the service's own user; `None` if there is no such user. The key is the pair
    /// of [`iss`](Principal::iss) and [`sub`](Principal::sub) where several issuers are trusted.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use claviger_verifier::{CurrentUser, Verifier};
    ///
    /// struct User { name: String }
    ///
    /// # fn routes(verifier: &Verifier) -> Router {
    /// let users = verifier.users(async |principal| {
    ///     Ok::<_, std::io::Error>(Some(User { name: format!("user {}", principal.sub()) }))
    /// });
    /// Router::new()
    ///     .route("/me", get(async |user: CurrentUser<User>| user.name.clone()))
    ///     .with_state(users)
    /// # }
    /// ```
    pub fn users<U, F, E>(&self, look_up: impl Fn(Principal) -> F + Send + Sync + 'static) -> Users<U>
    where
        F: Future<Output = Result<Option<U>, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let look_up = Arc::new(move |principal| -> Pin<Box<dyn Future<Output = LookedUp<U>> + Send>> {
            let user = look_up(principal);
            Box::pin(async move { user.await.map_err(Into::into) })
        });
        Users { verifier: self.clone(), look_up }
    }
}

impl<U> Users<U> {
    async fn current(&self, request: &mut Parts) -> Result<CurrentUser<U>, Refusal> {
        let principal = self.verifier.authenticate_once(request).await?;
        match (self.look_up)(principal.clone()).await {
            Ok(Some(user)) => Ok(CurrentUser { user, principal }),
            Ok(None) => {
                let fault = TokenFault::UnknownSubject;
                info!(reason = fault.code(), client_id = ?principal.client_id(), "a good token is refused");
                Err(fault.into())
            }
            Err(error) => {
                error!(%error, "a user could not be looked up");
                Err(Refusal::UsersUnavailable { retry_after: RETRY_AFTER })
            }
        }
    }
}

impl<U> CurrentUser<U> {
    /// The principal that the user was found by.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The user, by value.
    #[must_use]
    pub fn into_user(self) -> U {
        self.user
    }
}

impl<U> Deref for CurrentUser<U> {
    type Target = U;

    fn deref(&self) -> &U {
        &self.user
    }
}

impl<U, S> FromRequestParts<S> for CurrentUser<U>
where
    Users<U>: FromRef<S>,
    S: Send + Sync,
    U: Send + 'static,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let users = Users::from_ref(state);
        users.current(parts).await.map_err(|refusal| users.verifier.refuse(refusal))
    }
}

impl<U> FromRef<Users<U>> for Verifier {
    fn from_ref(users: &Users<U>) -> Self {
        users.verifier.clone()
    }
}

impl<U> Clone for Users<U> {
    fn clone(&self) -> Self {
        Self { verifier: self.verifier.clone(), look_up: Arc::clone(&self.look_up) }
    }
}

impl<U> fmt::Debug for Users<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}
