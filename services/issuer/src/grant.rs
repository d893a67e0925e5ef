//! One function per grant type; each ends in a [`Grant`].

use claviger_oauth::{Subject, TokenError, TokenRequest};
use claviger_store::Client;

use crate::{mint::Grant, registry_view::RegistryView};

/// The client acts for itself (RFC 6749 section 4.4), at one resource server (RFC 8707).
///
/// A client with access to one audience need not name it; a client with several must name one,
/// for a token that is good at two services could be replayed by one at the other.
pub(crate) fn client_credentials(
    request: &TokenRequest,
    client: &Client,
    registry: &RegistryView,
) -> Result<Grant, TokenError> {
    let access = match (&request.resource[..], &client.grants[..]) {
        ([audience], grants) => grants.iter().find(|grant| &grant.audience == audience),
        ([], [only]) => Some(only),
        _ => None,
    };
    let access = access.ok_or(TokenError::InvalidTarget)?;
    let server = registry.resource_server(&access.audience).ok_or(TokenError::InvalidTarget)?;
    let scope = access.scopes.narrow(request.scope.as_ref()).map_err(|_| TokenError::InvalidScope)?;
    Ok(Grant {
        subject: Subject::client(&client.client_id),
        client_id: client.client_id.clone(),
        audience: server.audience.clone(),
        scope,
        alg: server.alg,
        lifetime: server.token_lifetime,
    })
}
