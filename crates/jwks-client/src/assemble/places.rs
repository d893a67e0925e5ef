use crate::{
    BuildError, FetchError, JwksClientBuilder, KeySource,
    endpoint::{self, Unacceptable},
    held::PreparedKeys,
    source::{Parse, Place},
};

/// The most sources of one client: they share the time of an attempt.
const MAX_SOURCES: usize = 4;

/// The places that were configured, in their order.
pub(super) fn of(builder: &JwksClientBuilder, parse: Parse) -> Result<Vec<Place>, BuildError> {
    let refused = |name| move |reason: Unacceptable| BuildError::Url { name, reason: reason.to_string() };
    let issuer = endpoint::parse_issuer(&builder.issuer).map_err(refused("issuer"))?;
    refuse_disorder(builder.named, &builder.sources).map_err(BuildError::Sources)?;
    let place = |source: &KeySource| match source {
        KeySource::Discovery => Ok(Place::discovered(&builder.issuer, issuer.clone())),
        KeySource::JwksUrl(url) => endpoint::parse(url).map(Place::Url).map_err(refused("JWKS URL")),
        KeySource::WatchedFile(path) => Ok(Place::file(path.clone())),
        KeySource::FixedSet(document) => {
            let set = parse(document.as_str().as_bytes()).map_err(FetchError::Set);
            let keys = set.and_then(|set| PreparedKeys::of(&set).ok_or(FetchError::NoUsableKey));
            keys.map(Place::Fixed).map_err(|reason| BuildError::FixedSet { reason })
        }
    };
    builder.sources.iter().map(place).collect()
}

fn refuse_disorder(named: usize, sources: &[KeySource]) -> Result<(), &'static str> {
    let is_fixed = |source: &KeySource| matches!(source, KeySource::FixedSet(_));
    let twice = sources.iter().enumerate().any(|(position, source)| sources[..position].contains(source));
    match sources {
        _ if named > 1 => {
            Err("they were named more than once; name one, or all of them in order with failover")
        }
        [] => Err("there is none; name one at least"),
        _ if sources.len() > MAX_SOURCES => Err("there are more than 4; an attempt has no time for more"),
        [before @ .., _] if before.iter().any(is_fixed) => {
            Err("a fixed set never fails, so those behind it would never be asked; put it last")
        }
        _ if twice => Err("one of them is named twice; name it once"),
        _ => Ok(()),
    }
}
