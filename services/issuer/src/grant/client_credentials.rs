//! The client acts for itself (RFC 6749 section 4.4).

use claviger_oauth::{Subject, TokenError};

use super::Asked;
use crate::mint::Grant;

/// What the client may have at one resource server (RFC 8707).
///
/// A client with access to one audience need not name it; a client with several must name one,
/// for a token that is good at two services could be replayed by one at the other.
pub(super) fn grant(asked: &Asked<'_>) -> Result<Grant, TokenError> {
    let Asked { registry, client, request, .. } = asked;
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
        person: None,
    })
}
