//! What is measured over the wire: real processes of a release build, each with its peer.

use anyhow::Context;
use claviger_oauth::JWKS_PATH;
use e2e::{LEDGER, ORDERS, Service, get_request};

use crate::{
    contest::{Side, contest},
    peer::Peer,
    plan::Plan,
    row::{Measure, Row},
    stage::Stage,
};

/// The token endpoint, against a handler that only signs.
pub(crate) async fn token(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let es256 = [
        Row::new("token ES256, CPU per request", Measure::Cost, Some(0.85)),
        Row::new("token ES256, throughput", Measure::Rate, Some(0.85)),
    ];
    let rs256 = [
        Row::new("token RS256, CPU per request", Measure::Cost, Some(0.9)),
        Row::new("token RS256, throughput", Measure::Rate, Some(0.9)),
    ];
    let mut measured = Vec::new();
    for (mut rows, audience, peer) in [(es256, ORDERS, Peer::SignEs256), (rs256, LEDGER, Peer::SignRs256)] {
        if !plan.wants_any(&rows) {
            continue;
        }
        let stage = Stage::start().await?;
        let request = stage.token_request(audience);
        let token = stage.token(audience).await?;
        let (message, _) = token.rsplit_once('.').context("a token has dots")?;
        let (process, url) = peer.start(message, stage.home.path()).await?;
        let mut ours = Side::of(&stage.issuer, stage.home.url(), request.clone()).await?;
        let mut peer = Side::of(&process, &url, request).await?;
        contest(plan, &mut rows, &mut ours, &mut peer).await?;
        measured.extend(rows);
    }
    Ok(measured)
}

/// A guarded route of a resource service, against a handler that only verifies the signature.
pub(crate) async fn guarded(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut rows = [
        Row::new("guarded GET ES256, CPU per request", Measure::Cost, Some(0.85)),
        Row::new("guarded GET ES256, throughput", Measure::Rate, Some(0.85)),
    ];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let stage = Stage::start().await?;
    let home = stage.home.path();
    // Nobody posts an order, so nobody asks for the ledger or for a token of this client.
    let arguments = [
        ("--issuer", stage.home.url()),
        ("--audience", ORDERS),
        ("--ledger", "http://127.0.0.1:1"),
        ("--client-secret", "unused"),
    ];
    let orders = Service::start("orders", &arguments, &home.join("orders")).await?;
    orders.ready().await?;
    let token = stage.token(ORDERS).await?;
    let request = get_request("/orders", &token);
    let material = format!("{}{JWKS_PATH} {token}", stage.home.url());
    let (process, url) = Peer::Verify.start(&material, home).await?;
    let mut ours = Side::of(&orders.process, orders.url(), request.clone()).await?;
    let mut peer = Side::of(&process, &url, request).await?;
    contest(plan, &mut rows, &mut ours, &mut peer).await?;
    Ok(rows.into())
}

/// The published keys, against a handler that answers the same from a constant.
pub(crate) async fn key_set(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut rows = [
        Row::new("JWKS, CPU per request", Measure::Cost, Some(0.9)),
        Row::new("JWKS, throughput", Measure::Rate, Some(0.9)),
    ];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let stage = Stage::start().await?;
    let material = format!("{}{JWKS_PATH}", stage.home.url());
    let (process, url) = Peer::Mirror.start(&material, stage.home.path()).await?;
    let request = get_request(JWKS_PATH, "");
    let mut ours = Side::of(&stage.issuer, stage.home.url(), request.clone()).await?;
    let mut peer = Side::of(&process, &url, request).await?;
    contest(plan, &mut rows, &mut ours, &mut peer).await?;
    Ok(rows.into())
}
