use std::hint::black_box;

use axum_07::{Router, routing::get};
use http::StatusCode;
use jwt_authorizer::{Authorizer, IntoLayer, JwtAuthorizer, JwtClaims, Validation};

use super::{Claims, Contestant, route::through};
use crate::stage::{AUDIENCE, Stage, at_once};

const NAME: &str = "jwt-authorizer";

/// Its own entrance with a fixed key set, which spares it the lock that it holds around a fetched
/// one; `iss`, `aud`, `exp` and `nbf` are checked, by jsonwebtoken 9 with ring. `typ`, `iat`, the
/// lifetime and `cnf` it cannot check.
pub(crate) async fn verify(stage: &Stage) -> anyhow::Result<Contestant> {
    let authorizer = authorizer(stage).await?;
    let check = Box::new(move |presented: &crate::stage::Presented| {
        black_box(at_once(authorizer.check_auth(&presented.token))??);
        Ok(())
    });
    Ok(Contestant::package(NAME, check))
}

/// Its layer and its extractor, in the axum that it is made for.
pub(crate) async fn route(stage: &Stage) -> anyhow::Result<Contestant> {
    async fn whoami(JwtClaims(claims): JwtClaims<Claims>) -> StatusCode {
        black_box(claims);
        StatusCode::OK
    }
    let layer = authorizer(stage).await?.into_layer();
    Ok(Contestant::package(NAME, through(Router::<()>::new().route("/", get(whoami)).layer(layer))))
}

async fn authorizer(stage: &Stage) -> anyhow::Result<Authorizer<Claims>> {
    let validation =
        Validation::new().iss(&[stage.issuer.url()]).aud(&[AUDIENCE]).exp(true).nbf(true).leeway(30);
    Ok(JwtAuthorizer::from_jwks_text(&stage.jwks).validation(validation).build().await?)
}
