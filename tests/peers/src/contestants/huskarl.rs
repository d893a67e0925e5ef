use std::{hint::black_box, sync::Arc};

use anyhow::{anyhow, ensure};
use axum::{Router, extract::FromRequestParts, routing::get};
use http::{StatusCode, request::Parts};
use huskarl_reqwest::ReqwestClient;
use huskarl_resource_server::validator::rfc9068::{Rfc9068AccessTokenClaims, Rfc9068Validator};

use super::{Contestant, route::through};
use crate::stage::{AUDIENCE, Stage, at_once};

const NAME: &str = "huskarl-resource-server";

/// Its validator for RFC 9068 with the set fetched from the issuer, and its own cryptography, which
/// is pure Rust: `typ`, `iss`, `aud`, `exp`, `iat`, `nbf`, `sub` and `client_id`, and it refuses a
/// `cnf` without its proof. It bounds no lifetime. It takes headers, since it also reads proofs.
pub(crate) async fn verify(stage: &Stage) -> anyhow::Result<Contestant> {
    let validator = validator(stage).await?;
    let check = Box::new(move |presented: &crate::stage::Presented| {
        let parts = &presented.parts;
        let validation = validator.validate_request(&parts.headers, &parts.method, &parts.uri, None);
        let caller = at_once(validation)?.outcome.map_err(|error| anyhow!("{error}"))?;
        ensure!(black_box(caller).is_some(), "no token was found");
        Ok(())
    });
    Ok(Contestant::package(NAME, check))
}

/// The same in an extractor written by hand: its adapter for axum is not released.
pub(crate) async fn route(stage: &Stage) -> anyhow::Result<Contestant> {
    async fn whoami(Caller(claims): Caller) -> StatusCode {
        black_box(claims);
        StatusCode::OK
    }
    let validator = Arc::new(validator(stage).await?);
    Ok(Contestant::package(NAME, through(Router::new().route("/", get(whoami)).with_state(validator))))
}

async fn validator(stage: &Stage) -> anyhow::Result<Rfc9068Validator> {
    let http = ReqwestClient::builder().build().await?;
    let builder = Rfc9068Validator::builder().issuer(stage.issuer.url()).audience(AUDIENCE);
    Ok(builder.jwks_uri(stage.issuer.jwks_url().parse()?).jwks_source(http).build().await?)
}

struct Caller(Rfc9068AccessTokenClaims);

impl FromRequestParts<Arc<Rfc9068Validator>> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        validator: &Arc<Rfc9068Validator>,
    ) -> Result<Self, StatusCode> {
        let validation = validator.validate_request(&parts.headers, &parts.method, &parts.uri, None);
        match validation.await.outcome {
            Ok(Some(caller)) => Ok(Self(caller.claims)),
            _ => Err(StatusCode::UNAUTHORIZED),
        }
    }
}
