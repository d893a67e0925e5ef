use std::{collections::HashMap, hint::black_box};

use anyhow::Context;
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{JwkSet, KeyAlgorithm},
};

use super::{Claims, Contestant, route::by_hand};
use crate::stage::{AUDIENCE, Stage};

const NAME: &str = "jsonwebtoken";

/// The library alone, as a careful service uses it: keys and validations by kid, made once; `iss`,
/// `aud`, `exp`, `nbf` and the algorithm of the key are checked. `typ`, `iat`, the lifetime and
/// `cnf` it leaves to its caller.
pub(crate) fn verify(stage: &Stage) -> anyhow::Result<Contestant> {
    let verify = verifier(stage)?;
    Ok(Contestant::package(
        NAME,
        Box::new(move |presented| verify(&presented.token).map(|claims| drop(black_box(claims)))),
    ))
}

/// The same in an extractor written by hand.
pub(crate) fn route(stage: &Stage) -> anyhow::Result<Contestant> {
    Ok(Contestant::package(NAME, by_hand(verifier(stage)?)))
}

fn verifier(stage: &Stage) -> anyhow::Result<impl Fn(&str) -> anyhow::Result<Claims> + Send + Sync + use<>> {
    let set: JwkSet = serde_json::from_str(&stage.jwks)?;
    let mut keys = HashMap::new();
    for jwk in &set.keys {
        let kid = jwk.common.key_id.clone().context("each of our keys has a kid")?;
        let alg = match jwk.common.key_algorithm {
            Some(KeyAlgorithm::RS256) => Algorithm::RS256,
            _ => Algorithm::ES256,
        };
        let mut validation = Validation::new(alg);
        validation.set_issuer(&[stage.issuer.url()]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = 30;
        keys.insert(kid, (DecodingKey::from_jwk(jwk)?, validation));
    }
    Ok(move |token: &str| {
        let kid = decode_header(token)?.kid.context("no kid")?;
        let (key, validation) = keys.get(&kid).context("an unknown kid")?;
        Ok(decode::<Claims>(token, key, validation)?.claims)
    })
}
