use std::sync::Arc;

use claviger_oauth::{
    Audience, Authorization, AuthorizationCode, ClientParameters, CodeChallenge, GrantType, PresentedClient,
    ScopeSet, SessionSecret,
};
use claviger_store::{Client, NewCode, Session};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use secrecy::SecretString;

use super::Refusal;
use crate::{
    authorize::{Access, begin_session, log_in_first, new_session, remember},
    browser::Visitor,
    client_auth,
    rng::random_bits,
};

/// What a person has typed.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) username: String,
    pub(super) password: SecretString,
}

/// What the tokens are to be good for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) scope: Option<ScopeSet>,
    pub(super) resource: Vec<Audience>,
}

impl Asked {
    /// What of that the client can get; asked before any password is looked at, for no session shall begin in vain.
    ///
    /// # Errors
    /// `invalid_scope` and `invalid_target`.
    pub(super) fn access(&self, visitor: &Visitor, client: &Client) -> Result<Access, Refusal> {
        let scope = self.scope.clone().unwrap_or_default();
        Ok(Access::of(client, visitor.provider().issuer(), &scope, &self.resource)?)
    }
}

/// What a code is bound to besides.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) code_challenge: CodeChallenge,
    pub(super) nonce: Option<String>,
}

/// Who keeps the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    /// The client, by its tokens. Whatever session the request's browser has is not touched.
    Client,
    /// The browser of the request, in a cookie.
    Browser,
}

/// Somebody who has just shown who they are.
#[derive(Debug)]
pub(super) struct Arrival {
    secret: SessionSecret,
    pub(super) session: Session,
    device: String,
}

/// The client that sends a request, if it is one of the house's own: no other may see passwords.
///
/// # Errors
/// [`Refusal::NotFirstParty`], and as for the token endpoint.
pub(super) async fn first_party(
    visitor: &Visitor,
    parameters: &ClientParameters,
) -> Result<Arc<Client>, Refusal> {
    let provider = visitor.provider();
    let authorization = visitor.headers().get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let presented = PresentedClient::from_request(authorization, parameters)?;
    let registry = provider.issuance.registry.load();
    let client = provider.client_auth.authenticate(&registry, &presented, visitor.address()).await?;
    client_auth::allow(&client, GrantType::AuthorizationCode)?;
    let is_ours = client.application.as_ref().is_some_and(|application| application.first_party);
    if is_ours { Ok(client) } else { Err(Refusal::NotFirstParty) }
}

/// Checks a name and a password as the page does, and begins a session.
///
/// # Errors
/// [`Refusal`]; an account that was disabled meanwhile is a wrong password too (S-89).
pub(super) async fn sign_in(visitor: &Visitor, typed: &Typed, keeper: Keeper) -> Result<Arrival, Refusal> {
    let provider = visitor.provider();
    let logged_in = log_in_first(visitor, provider.gate()?, &typed.username, &typed.password).await?;
    let begun = match keeper {
        Keeper::Browser => begin_session(visitor, &logged_in.user).await?,
        Keeper::Client => {
            let secret = SessionSecret::from_random(random_bits());
            let new = new_session(visitor, &logged_in.user);
            provider.store.begin_session(&secret, &new).await?.map(|session| (secret, session))
        }
    };
    let (secret, session) = begun.ok_or(Refusal::Wrong)?;
    Ok(Arrival { secret, session, device: logged_in.device })
}

impl Arrival {
    /// A code for the client, bound to the session. Nobody is asked for consent: the client is of the house.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub(super) async fn code(
        &self,
        visitor: &Visitor,
        client: &Client,
        access: Access,
        bound: Bound,
    ) -> Result<AuthorizationCode, Refusal> {
        let provider = visitor.provider();
        let new = NewCode {
            client_id: client.client_id.clone(),
            account: self.session.account.clone(),
            sid: self.session.sid.clone(),
            authorization: Authorization {
                scope: access.scope,
                audiences: access.audiences,
                allowed: Some(access.allowed),
                redirect_uri: None,
                code_challenge: Some(bound.code_challenge),
                nonce: bound.nonce,
                auth_time: self.session.auth_time,
                amr: self.session.amr.clone(),
                acr: self.session.acr.clone(),
                claims: None,
                dpop_jkt: None,
            },
            lifetime: provider.settings().code_lifetime,
        };
        let code = AuthorizationCode::from_random(random_bits());
        provider.store.add_code(&code, &new).await?;
        Ok(code)
    }

    /// Lets the browser keep the session, and be known again as one in which somebody has signed in.
    pub(super) fn keep(&self, visitor: &Visitor, headers: &mut HeaderMap) {
        remember(visitor, &self.secret, &self.device, headers);
    }
}
