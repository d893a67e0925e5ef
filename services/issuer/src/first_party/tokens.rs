use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use claviger_jose::base64url;
use claviger_oauth::{
    ClientParameters, CodeChallenge, CodeVerifier, GrantRequest, RefreshToken, TokenError, TokenRequest,
    TokenResponse,
};
use claviger_store::Client;
use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    Refusal,
    cookies::{OwnPage, clear_tokens, put_tokens},
    json::{LogInBody, SessionBody, parameters, read},
    private,
    sign_in::{Asked, Bound, Keeper, Typed, first_party, sign_in},
};
use crate::{
    actor::Actor,
    browser::{OwnCookie, Visitor, check_origin},
    clock::wall_clock,
    expiry::last_expiry,
    grant,
    rng::random_bits,
};

/// `POST /login`: a name and a password for a pair of tokens.
///
/// It makes a code and redeems it at once: whatever a code is bound to, and whatever ends what it gives, holds here too.
pub(super) async fn log_in(visitor: Visitor, body: Body) -> Result<Response, Refusal> {
    let body: LogInBody = read(visitor.headers(), body).await?;
    let keeper = if body.cookies { Keeper::Browser } else { Keeper::Client };
    if keeper == Keeper::Browser {
        // Another site must not sign somebody in as somebody else (log-in CSRF).
        check_origin(visitor.headers(), visitor.provider().issuer())?;
    }
    let client = parameters(body.client_id, body.client_secret);
    let client = first_party(&visitor, &client).await?;
    let asked = Asked { scope: body.scope, resource: body.resource.into_iter().collect() };
    let access = asked.access(&visitor, &client)?;
    let password = body.password.ok_or(Refusal::Insufficient)?;
    let arrival = sign_in(&visitor, &Typed { username: body.username, password }, keeper).await?;

    let code_verifier: CodeVerifier = base64url::encode(&random_bits())
        .parse()
        .expect("256 bits in base64url are a code verifier (RFC 7636 section 4.1)");
    let bound = Bound { code_challenge: CodeChallenge::of(&code_verifier), nonce: None };
    let code = arrival.code(&visitor, &client, access, bound).await?;
    let redeemed = GrantRequest::AuthorizationCode { code, redirect_uri: None, code_verifier };
    let tokens = trade(&visitor, &client, redeemed).await?;

    if keeper == Keeper::Client {
        return Ok(in_body(&tokens));
    }
    let mut response = in_cookies(&tokens);
    put_tokens(&mut response, visitor.provider(), &arrival.session.sid, &tokens)?;
    arrival.keep(&visitor, response.headers_mut());
    Ok(response)
}

/// `POST /refresh`: the next pair of tokens, as the token endpoint gives it.
pub(super) async fn refresh(visitor: Visitor, body: Body) -> Result<Response, Refusal> {
    let body: SessionBody = read(visitor.headers(), body).await?;
    let client = first_party(&visitor, &parameters(body.client_id, body.client_secret)).await?;
    if let Some(text) = &body.refresh_token {
        let tokens =
            trade(&visitor, &client, GrantRequest::RefreshToken { refresh_token: parse(text)? }).await?;
        return Ok(in_body(&tokens));
    }
    let page = OwnPage::of(visitor.provider(), visitor.headers()).await?.ok_or_else(no_token)?;
    let refresh_token = page.refresh_token.ok_or_else(no_token)?;
    let tokens = trade(&visitor, &client, GrantRequest::RefreshToken { refresh_token }).await?;
    let mut response = in_cookies(&tokens);
    put_tokens(&mut response, visitor.provider(), &page.sid, &tokens)?;
    Ok(response)
}

/// `POST /logout`: ends the session, and with it its tokens. Whoever is logged out already is told the same.
pub(super) async fn log_out(visitor: Visitor, body: Body) -> Result<Response, Refusal> {
    let body: SessionBody = read(visitor.headers(), body).await?;
    let client = first_party(&visitor, &parameters(body.client_id, body.client_secret)).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let provider = visitor.provider();
    let until = last_expiry(wall_clock(), provider.issuance.config.policy.lifetimes().skew);
    let sid = if let Some(text) = &body.refresh_token {
        // What is no refresh token of ours has no session to end.
        match parse(text) {
            Ok(token) => provider.store.session_of(&token, &client.client_id).await?,
            Err(_) => None,
        }
    } else {
        let page = OwnPage::of(provider, visitor.headers()).await?;
        provider.cookies().forget(OwnCookie::SESSION).put(response.headers_mut());
        clear_tokens(response.headers_mut());
        page.map(|page| page.sid)
    };
    if let Some(sid) = sid {
        let actor = Actor::client_at(&client.client_id, &format!("logout {}", visitor.address()));
        let act = actor.act("session.end", sid.as_str(), Value::Null);
        provider.store.end_session(&sid, until, &[act]).await?;
    }
    Ok(response)
}

/// What the token endpoint gives for a grant.
async fn trade(
    visitor: &Visitor,
    client: &Arc<Client>,
    grant: GrantRequest,
) -> Result<TokenResponse, Refusal> {
    let request =
        TokenRequest { grant, scope: None, resource: Vec::new(), client: ClientParameters::default() };
    Ok(grant::answer(visitor.provider(), client, request, visitor.address()).await?)
}

fn in_body(tokens: &TokenResponse) -> Response {
    private(StatusCode::OK, tokens)
}

/// What a page may know: not the tokens.
fn in_cookies(tokens: &TokenResponse) -> Response {
    let TokenResponse { token_type, expires_in, scope, .. } = tokens;
    private(StatusCode::OK, &json!({ "token_type": token_type, "expires_in": expires_in, "scope": scope }))
}

fn parse(text: &SecretString) -> Result<RefreshToken, Refusal> {
    text.expose_secret().parse().map_err(|_| no_token())
}

fn no_token() -> Refusal {
    Refusal::Token(TokenError::InvalidGrant("not a refresh token".into()))
}
