use super::Contestant;
#[cfg(feature = "josekit")]
use super::route::by_hand;
use crate::stage::Stage;

const NAME: &str = "josekit";

#[cfg(not(feature = "josekit"))]
const MISSING: &str = "the headers of OpenSSL are not here (apt-get install libssl-dev pkg-config)";

/// The library with OpenSSL and prepared keys: `iss`, `aud` if there is one, `exp`, `nbf` and `iat`
/// where they are present. It leaves claims as a map; `typ`, the lifetime and `cnf` it leaves to its
/// caller.
#[cfg(feature = "josekit")]
pub(crate) fn verify(stage: &Stage) -> anyhow::Result<Contestant> {
    let verify = verifier(stage)?;
    let check = Box::new(move |presented: &crate::stage::Presented| {
        std::hint::black_box(verify(&presented.token)?);
        Ok(())
    });
    Ok(Contestant::package(NAME, check))
}

/// The same in an extractor written by hand.
#[cfg(feature = "josekit")]
pub(crate) fn route(stage: &Stage) -> anyhow::Result<Contestant> {
    Ok(Contestant::package(NAME, by_hand(verifier(stage)?)))
}

#[cfg(feature = "josekit")]
fn verifier(
    stage: &Stage,
) -> anyhow::Result<impl Fn(&str) -> anyhow::Result<josekit::jwt::JwtPayload> + Send + Sync + use<>> {
    use josekit::{
        jwk::{Jwk, JwkSet},
        jws::{ES256, JwsVerifier, RS256},
        jwt::{self, JwtPayloadValidator},
    };

    let mut keys: Vec<(String, Box<dyn JwsVerifier + Send + Sync>)> = Vec::new();
    for jwk in JwkSet::from_bytes(&stage.jwks)?.keys() {
        let kid = Jwk::key_id(jwk).unwrap_or_default().to_owned();
        keys.push(match jwk.algorithm() {
            Some("RS256") => (kid, Box::new(RS256.verifier_from_jwk(jwk)?)),
            _ => (kid, Box::new(ES256.verifier_from_jwk(jwk)?)),
        });
    }
    let mut validator = JwtPayloadValidator::new();
    validator.set_issuer(stage.issuer.url());
    validator.set_audience(crate::stage::AUDIENCE);
    Ok(move |token: &str| {
        let (payload, _) = jwt::decode_with_verifier_selector(token, |header| {
            let known = keys.iter().find(|(kid, _)| Some(kid.as_str()) == header.key_id());
            Ok(known.map(|(_, verifier)| &**verifier as &dyn JwsVerifier))
        })?;
        validator.validate(&payload)?;
        Ok(payload)
    })
}

/// Absent.
#[cfg(not(feature = "josekit"))]
#[expect(clippy::unnecessary_wraps, reason = "the signature of the one that is there")]
pub(crate) fn verify(_: &Stage) -> anyhow::Result<Contestant> {
    Ok(Contestant { name: NAME.to_owned(), check: Err(MISSING) })
}

/// Absent.
#[cfg(not(feature = "josekit"))]
pub(crate) fn route(stage: &Stage) -> anyhow::Result<Contestant> {
    verify(stage)
}
