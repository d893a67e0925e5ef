//! Signs a person in the way a Rust program does: the `openidconnect` crate, nothing of ours. A public client.
//!
//! Each address that the person's browser has to visit is written as a line, and the address at which the browser then
//! arrived is read as one.

use std::{
    collections::HashMap,
    env,
    io::{Write, stdin, stdout},
};

use anyhow::{Context, bail, ensure};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthenticationFlow, AuthorizationCode, ClientId,
    ConfigurationError, CsrfToken, IssuerUrl, LogoutProviderMetadata, LogoutRequest, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PostLogoutRedirectUrl, ProviderMetadata, RedirectUrl,
    RequestTokenError, RevocationUrl, Scope, TokenResponse,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
        CoreErrorResponseType, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
        CoreUserInfoClaims,
    },
    reqwest::{blocking::ClientBuilder, redirect::Policy},
};
use serde::{Deserialize, Serialize};
use url::Url;

/// What the crate leaves to be added of a provider's metadata.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Revocation {
    revocation_endpoint: RevocationUrl,
}

impl AdditionalProviderMetadata for Revocation {}

type Provider = ProviderMetadata<
    LogoutProviderMetadata<Revocation>,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [issuer, client_id, redirect_uri, resource] = &arguments[..] else {
        bail!("usage: relying-party ISSUER CLIENT_ID REDIRECT_URI RESOURCE");
    };
    let http = ClientBuilder::new().redirect(Policy::none()).no_proxy().build()?;
    let provider = Provider::discover(&IssuerUrl::new(issuer.clone())?, &http)?;
    let metadata = provider.additional_metadata().clone();
    told("discovery")?;

    let client_id = ClientId::new(client_id.clone());
    let client = CoreClient::from_provider_metadata(provider, client_id.clone(), None)
        .set_redirect_uri(RedirectUrl::new(redirect_uri.clone())?)
        .set_revocation_url(metadata.additional_metadata.revocation_endpoint.clone());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
    let scopes =
        ["profile", "email", "offline_access", "orders:read"].map(|scope| Scope::new(scope.to_owned()));
    let request =
        request.add_scopes(scopes).set_pkce_challenge(challenge).add_extra_param("resource", resource);
    let (url, state, nonce) = request.url();
    let mut arrived = visit(&url)?;
    ensure!(arrived.remove("state").as_deref() == Some(state.secret()), "another state");
    ensure!(arrived.remove("iss").as_ref() == Some(issuer), "another issuer");
    let code =
        AuthorizationCode::new(arrived.remove("code").with_context(|| format!("no code: {arrived:?}"))?);
    let tokens = client.exchange_code(code)?.set_pkce_verifier(verifier).request(&http)?;
    let id_token = tokens.id_token().context("there is an ID token")?;
    let claims = id_token.claims(&client.id_token_verifier(), &nonce)?;
    if let Some(expected) = claims.access_token_hash() {
        let (alg, verifier) = (id_token.signing_alg()?, client.id_token_verifier());
        let found =
            AccessTokenHash::from_token(tokens.access_token(), alg, id_token.signing_key(&verifier)?)?;
        ensure!(found == *expected, "another access token");
    }
    let subject = claims.subject().clone();
    told("code with PKCE, id token")?;

    let info = client.user_info(tokens.access_token().clone(), Some(subject.clone()))?;
    let info: CoreUserInfoClaims = info.request(&http)?;
    let name = info.preferred_username().context("the person has a name")?;
    told(&format!("userinfo of {}", name.as_str()))?;

    let refresh_token = tokens.refresh_token().context("there is a refresh token")?;
    let refreshed = client.exchange_refresh_token(refresh_token)?.request(&http)?;
    ensure!(refreshed.access_token().secret() != tokens.access_token().secret(), "the same access token");
    told("refresh")?;

    let next = refreshed.refresh_token().context("there is the next refresh token")?;
    // Over plain http, even to this machine, the crate revokes nothing: what it would send is sent by hand then.
    match client.revoke_token(next.into()) {
        Ok(request) => request.request(&http)?,
        Err(ConfigurationError::InsecureUrl(_)) => {
            let form = [("token", next.secret().as_str()), ("client_id", client_id.as_str())];
            let reply = http.post(metadata.additional_metadata.revocation_endpoint.url().clone()).form(&form);
            reply.send()?.error_for_status()?;
        }
        Err(error) => return Err(error.into()),
    }
    match client.exchange_refresh_token(next)?.request(&http) {
        Err(RequestTokenError::ServerResponse(refusal)) => {
            ensure!(matches!(refusal.error(), CoreErrorResponseType::InvalidGrant), "{refusal}");
        }
        other => bail!("a revoked token was not refused: {:?}", other.map(drop)),
    }
    told("revocation")?;

    let end_session = metadata.end_session_endpoint.context("people can sign out")?;
    let state = CsrfToken::new_random();
    let goodbye = LogoutRequest::from(end_session)
        .set_id_token_hint(id_token)
        .set_client_id(client_id)
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(redirect_uri.clone())?)
        .set_state(state.clone());
    let mut left = visit(&goodbye.http_get_url())?;
    ensure!(left.remove("state").as_deref() == Some(state.secret()), "signed out without the state");
    told("log-out")?;
    writeln!(stdout(), "sub {}", subject.as_str())?;
    Ok(())
}

/// The parameters of the address at which a person's browser arrives.
fn visit(url: &Url) -> anyhow::Result<HashMap<String, String>> {
    writeln!(stdout(), "visit {url}")?;
    stdout().flush()?;
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    Ok(Url::parse(line.trim())?.query_pairs().into_owned().collect())
}

fn told(what: &str) -> anyhow::Result<()> {
    writeln!(stdout(), "ok {what}")?;
    Ok(stdout().flush()?)
}
