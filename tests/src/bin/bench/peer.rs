//! The servers that ours are compared with: the same axum and runtime, and nothing but the work itself.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    routing::{get, post},
};
use clap::ValueEnum;
use claviger_jose::{JwkSet, UnverifiedJws, base64url};
use claviger_testkit::TestKey;
use e2e::{Process, Reply, client};
use tokio::{net::TcpListener, process::Command};

use crate::contest::parsed_public_key;

/// A peer, and what its material is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Peer {
    /// Signs the material.
    SignEs256,
    /// Signs the material, on the worker that has the request: the least that RS256 can cost.
    SignRs256,
    /// Verifies the signature of the token in the request by the key set at this URL, whose one
    /// key that fits this token is prepared: `URL TOKEN`.
    Verify,
    /// Answers what this URL answers.
    Mirror,
}

impl Peer {
    /// Starts a process of this binary that serves as the peer; answers its URL too.
    pub(crate) async fn start(self, material: &str, home: &Path) -> anyhow::Result<(Process, String)> {
        let name = self.to_possible_value().context("every peer has a name")?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--peer", name.get_name(), "--material", material]);
        let mut process = Process::spawn(command, &home.join("peer.log"))?;
        let url = process.address().await?;
        Ok((process, url))
    }

    /// Serves until the process is ended.
    pub(crate) async fn serve(self, material: &str) -> anyhow::Result<()> {
        let router = match self {
            Self::SignEs256 => sign_es256(material)?,
            Self::SignRs256 => sign_rs256(material)?,
            Self::Verify => verify(material).await?,
            Self::Mirror => mirror(material).await?,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        Ok(axum::serve(listener, router).await?)
    }
}

fn sign_es256(message: &str) -> anyhow::Result<Router> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, TestKey::es256().pkcs8())?;
    let (pair, message) = (Arc::new(pair), Arc::<str>::from(message));
    Ok(Router::new().fallback(post(async move || {
        let signature = pair
            .sign(&SystemRandom::new(), message.as_bytes())
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok::<_, StatusCode>(format!("{message}.{}", base64url::encode(signature.as_ref())))
    })))
}

fn sign_rs256(message: &str) -> anyhow::Result<Router> {
    let pair = Arc::new(RsaKeyPair::from_pkcs8(TestKey::rs256().pkcs8())?);
    let message = Arc::<str>::from(message);
    Ok(Router::new().fallback(post(async move || {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok::<_, StatusCode>(format!("{message}.{}", base64url::encode(&signature)))
    })))
}

async fn verify(material: &str) -> anyhow::Result<Router> {
    let (url, token) = material.split_once(' ').context("a URL and a token")?;
    let set = JwkSet::parse(Reply::of(client().get(url)).await?.body.as_bytes())?;
    let jws = UnverifiedJws::parse(token)?;
    let jwk = set.keys().iter().find(|jwk| jwk.kid() == jws.kid()).context("the token's key")?;
    let key = Arc::new(parsed_public_key(jwk.public_key())?);
    Ok(Router::new().fallback(get(async move |headers: HeaderMap| {
        let json = HeaderValue::from_static("application/json");
        match is_signed(&key, &headers) {
            Some(()) => Ok(([(header::CONTENT_TYPE, json)], "[]")),
            None => Err(StatusCode::UNAUTHORIZED),
        }
    })))
}

fn is_signed(key: &ParsedPublicKey, headers: &HeaderMap) -> Option<()> {
    let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let (message, signature) = token.rsplit_once('.')?;
    key.verify_sig(message.as_bytes(), &base64url::decode(signature).ok()?).ok()
}

async fn mirror(url: &str) -> anyhow::Result<Router> {
    let reply = Reply::of(client().get(url)).await?;
    let mut headers = reply.headers;
    // The server sets these by itself.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::DATE);
    let answer = (headers, Bytes::from(reply.body));
    Ok(Router::new().fallback(get(async move || answer.clone())))
}
