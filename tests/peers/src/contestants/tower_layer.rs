use std::{convert::Infallible, hint::black_box};

use axum::{Extension, Router, routing::get};
use http::{Request, Response, StatusCode};
use tower::{Layer, service_fn};
use tower_oauth2_resource_server::{
    server::OAuth2ResourceServer, tenant::TenantConfiguration, validation::ClaimsValidationSpec,
};

use super::{Claims, Contestant, route::through};
use crate::stage::{AUDIENCE, Stage};

const NAME: &str = "tower-oauth2-resource-server";

/// Its layer around a service that answers at once, since it has no entrance without a request; a
/// fixed key set. `iss`, `aud` and `exp` are required and checked, with jsonwebtoken and aws-lc-rs.
/// `nbf` it can only require, and our tokens have none; `typ`, `iat`, the lifetime and `cnf` it
/// cannot check.
pub(crate) async fn verify(stage: &Stage) -> anyhow::Result<Contestant> {
    let answer = service_fn(async |request: Request<_>| {
        black_box(request.extensions().get::<Claims>());
        Ok::<_, Infallible>(Response::new(()))
    });
    Ok(Contestant::package(NAME, through(server(stage).await?.into_layer().layer(answer))))
}

/// Its layer in axum, and the claims as an extension.
pub(crate) async fn route(stage: &Stage) -> anyhow::Result<Contestant> {
    async fn whoami(Extension(claims): Extension<Claims>) -> StatusCode {
        black_box(claims);
        StatusCode::OK
    }
    let layer = server(stage).await?.into_layer();
    Ok(Contestant::package(NAME, through(Router::<()>::new().route("/", get(whoami)).layer(layer))))
}

async fn server(stage: &Stage) -> anyhow::Result<OAuth2ResourceServer<Claims>> {
    let checks =
        ClaimsValidationSpec::new().iss(stage.issuer.url()).aud(&vec![AUDIENCE.to_owned()]).exp(true);
    let tenant = TenantConfiguration::static_builder(&stage.jwks).claims_validation(checks).build()?;
    Ok(OAuth2ResourceServer::builder().add_tenant(tenant).build().await?)
}
