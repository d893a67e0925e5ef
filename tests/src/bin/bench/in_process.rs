//! What is measured in this process: one thread, ours and the bare cryptography in turns.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, ensure};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use claviger_issuer::{
    mint::{Grant, Mint},
    signer_pool::SignerPool,
};
use claviger_jose::{Algorithm, NumericDate, Typ, base64url};
use claviger_keyring::{SigningKey, generate, rand_core::OsRng};
use claviger_oauth::{MintClaims, Subject};
use claviger_testkit::{TestIssuer, TestKey};
use claviger_verifier::Verifier;
use e2e::ORDERS;

use crate::{
    contest::parsed_public_key,
    plan::Plan,
    row::{Measure, Row, median},
};

const RUN: Duration = Duration::from_secs(1);
const SLICE: Duration = Duration::from_millis(4);
/// Enough for no cache or predictor to learn one by heart.
const TOKENS: usize = 32;

/// From a token's text to a principal, against its bare signature.
pub(crate) async fn verify(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut rows = vec![
        Row::new("verify RS256, all checks", Measure::Cost, Some(0.92)),
        Row::new("verify ES256, all checks", Measure::Cost, Some(0.95)),
    ];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let issuer = TestIssuer::start().await;
    let verifier = Verifier::builder(issuer.url(), ORDERS).build()?;
    ensure!(verifier.ready_within(Duration::from_secs(10)).await, "the key set was not fetched");
    for (row, key) in rows.iter_mut().zip([TestKey::rs256(), TestKey::es256()]) {
        let sign = |_| issuer.token(ORDERS).scope("orders:read orders:write").sign_with(key);
        let tokens: Vec<String> = (0..TOKENS).map(sign).collect();
        let bare: Vec<_> = tokens.iter().map(|token| split(token)).collect::<Result<_, _>>()?;
        let public: ParsedPublicKey = parsed_public_key(key.jwk().public_key())?;
        let (mut next_token, mut next_bare) = (tokens.iter().cycle(), bare.iter().cycle());
        let ours = || {
            let token = next_token.next().context("a cycle has no end")?;
            at_once(verifier.verify(token))?.map(drop).map_err(|refusal| anyhow!("{refusal}"))
        };
        let peer = || {
            let (message, signature) = next_bare.next().context("a cycle has no end")?;
            public
                .verify_sig(message.as_bytes(), signature)
                .map_err(|_| anyhow!("a good signature is refused"))
        };
        take_turns(plan, row, ours, peer)?;
    }
    Ok(rows)
}

/// From a grant to a token, against the bare signature of a message of the same length.
///
/// The mint hands RS256 to threads of its own, whose hand-over belongs to the rows of the token
/// endpoint; here it is what such a thread does.
pub(crate) fn mint(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut rows = vec![
        Row::new("mint RS256, on the signing thread", Measure::Cost, Some(0.98)),
        Row::new("mint ES256", Measure::Cost, Some(0.93)),
    ];
    if !plan.wants_any(&rows) {
        return Ok(Vec::new());
    }
    let [rs256, es256] = &mut rows[..] else { unreachable!("there are two rows") };
    let random = SystemRandom::new();
    let grant = grant()?;

    let (_, key) = generate(Algorithm::Rs256, &mut OsRng)?;
    let pair = RsaKeyPair::from_pkcs8(TestKey::rs256().pkcs8())?;
    let message = signing_input_like(&sign(&key, &grant)?)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    let bare = || Ok(pair.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature)?);
    take_turns(plan, rs256, || sign(&key, &grant).map(drop), bare)?;

    let (_, key) = generate(Algorithm::Es256, &mut OsRng)?;
    let key = Arc::new(key);
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, TestKey::es256().pkcs8())?;
    let message = signing_input_like(&sign(&key, &grant)?)?;
    let mint = Mint::new("https://id.fleet.test".parse()?, SignerPool::start()?);
    let now = NumericDate::from_secs(1_700_000_000);
    let ours = || {
        let minted = at_once(mint.mint(&key, grant.clone(), now))?;
        minted.map(drop).map_err(|refusal| anyhow!("{refusal}"))
    };
    let bare = || Ok(pair.sign(&random, &message).map(drop)?);
    take_turns(plan, es256, ours, bare)?;
    Ok(rows)
}

fn grant() -> anyhow::Result<Grant> {
    let client_id = "orders".parse()?;
    Ok(Grant {
        subject: Subject::client(&client_id),
        client_id,
        audience: ORDERS.parse()?,
        scope: "orders:read orders:write".parse()?,
        alg: Algorithm::Es256,
        lifetime: Duration::from_mins(5),
        person: None,
    })
}

/// What the mint's signing threads do, name of the token included.
fn sign(key: &SigningKey, grant: &Grant) -> anyhow::Result<String> {
    let mut name = [0; 16];
    aws_lc_rs::rand::fill(&mut name)?;
    let now = NumericDate::from_secs(1_700_000_000);
    let claims = MintClaims {
        iss: "https://id.fleet.test",
        sub: grant.subject.as_str(),
        aud: grant.audience.as_str(),
        exp: now + grant.lifetime,
        iat: now,
        jti: &format!("{:036x}", u128::from_ne_bytes(name)),
        client_id: grant.client_id.as_str(),
        scope: Some(&grant.scope),
        person: None,
    };
    Ok(key.sign(Typ::AtJwt, &claims)?)
}

fn signing_input_like(token: &str) -> anyhow::Result<Vec<u8>> {
    Ok(split(token)?.0.as_bytes().to_vec())
}

/// A token's signing input and its signature.
fn split(token: &str) -> anyhow::Result<(&str, Vec<u8>)> {
    let (message, signature) = token.rsplit_once('.').context("a token has dots")?;
    Ok((message, base64url::decode(signature)?))
}

/// The result of a future that waits for nothing: no runtime's cost is measured with it.
fn at_once<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Ok(done),
        Poll::Pending => Err(anyhow!("it waits for something")),
    }
}

/// Measures two pieces of work in turns. Of a run's slices the median counts, for whoever else uses
/// the machine only ever makes one longer.
fn take_turns(
    plan: &Plan,
    row: &mut Row,
    mut ours: impl FnMut() -> anyhow::Result<()>,
    mut peer: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if !plan.wants(row.name()) {
        return Ok(());
    }
    for _ in plan.runs(row.name()) {
        let (mut ours_took, mut peer_took) = (Vec::new(), Vec::new());
        let start = Instant::now();
        while start.elapsed() < RUN {
            ours_took.push(slice(&mut ours)?);
            peer_took.push(slice(&mut peer)?);
        }
        row.add(median(ours_took), median(peer_took));
    }
    Ok(())
}

/// Seconds per call.
fn slice(work: &mut impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let (start, mut calls) = (Instant::now(), 0_u32);
    loop {
        work()?;
        calls += 1;
        let elapsed = start.elapsed();
        if elapsed >= SLICE {
            return Ok(elapsed.as_secs_f64() / f64::from(calls));
        }
    }
}
