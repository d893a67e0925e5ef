//! From a configuration to a client: everything that can be wrong is found here, before a task begins.

use std::sync::Arc;

use claviger_jose::JwkSet;
use tokio::runtime::Handle;

use crate::{
    BuildError, JwksClient, JwksClientBuilder, SystemClock,
    builder::{DiskPlan, KeyPlan},
    client::Owner,
    denials::Denials,
    disk::DiskCopy,
    fetch::Http,
    policy::Policy,
    refresh,
    registry::{self, Identity},
    shared::{Parts, Shared},
    source::{Parse, Place, Source},
    timing::{MIN_FRESHNESS, MIN_FRESHNESS_ON_LOOPBACK},
};

mod places;
mod restore;

pub(crate) use restore::Kept;

pub(crate) fn client(mut builder: JwksClientBuilder) -> Result<JwksClient, BuildError> {
    let parse: Parse = if builder.foreign { JwkSet::parse_foreign } else { JwkSet::parse };
    let places = places::of(&builder, parse)?;
    let runtime = Handle::try_current().ok();
    if runtime.is_none() && (builder.disk.is_some() || !matches!(places.as_slice(), [Place::Fixed(_)])) {
        return Err(BuildError::NoRuntime);
    }
    let disk = match (builder.disk.take(), &runtime) {
        (Some(plan), Some(runtime)) => Some(prepare_disk(plan, runtime.clone())?),
        _ => None,
    };
    if builder.clock.is_some() {
        return Ok(JwksClient::of(Arc::new(begin(builder, places, parse, disk, runtime, None)?)));
    }
    let identity = Identity {
        issuer: Arc::clone(&builder.issuer),
        sources: builder.sources.clone(),
        timing: builder.timing,
        foreign: builder.foreign,
        disk: disk.as_ref().map(|disk| (disk.path().to_owned(), disk.fingerprint())),
        runtime: runtime.as_ref().map(Handle::id),
    };
    let own = Some(identity.clone());
    let owner =
        registry::share(identity, || Ok(Arc::new(begin(builder, places, parse, disk, runtime, own)?)));
    owner.map(JwksClient::of)
}

/// A client that holds what is there without a fetch, and its task, which sleeps until it is woken.
fn begin(
    builder: JwksClientBuilder,
    places: Vec<Place>,
    parse: Parse,
    disk: Option<DiskCopy>,
    runtime: Option<Handle>,
    identity: Option<Identity>,
) -> Result<Owner, BuildError> {
    let JwksClientBuilder { issuer, foreign, timing, clock, .. } = builder;
    let denials = if clock.is_some() { Arc::default() } else { Denials::of(&issuer) };
    let clock = clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
    let is_https = |place: &Place| place.url().is_some_and(|url| url.scheme() == "https");
    let http = if places.iter().any(|place| place.url().is_some()) {
        let http = Http::new(places.iter().any(is_https));
        Some(http.map_err(|error| BuildError::Tls(Box::new(error)))?)
    } else {
        None
    };
    let min_freshness = if issuer.starts_with("https:") { MIN_FRESHNESS } else { MIN_FRESHNESS_ON_LOOPBACK };
    let mut policy = Policy::new(timing, min_freshness).asleep();
    let fixed = match places.as_slice() {
        [Place::Fixed(keys)] => Some(keys.clone()),
        _ => None,
    };
    let (denied, kept) = restore::from_disk(disk.as_ref(), &issuer, &places, parse, timing, clock.now());
    match &kept {
        _ if fixed.is_some() => policy = policy.fixed(),
        Some(kept) => {
            policy = policy.restored(clock.monotonic(), kept.age, kept.copy.staleness(timing.staleness()));
        }
        None => {}
    }
    let names = places.iter().map(|place| place.name().into()).collect();
    let mut source = Source::new(http, places, parse);
    let parts = Parts { issuer, places: names, foreign, clock, disk, denials, policy };
    let shared = Arc::new(Shared::new(parts));
    if let Some(kept) = &kept {
        source.resume(kept.place, kept.provenance());
    }
    shared.restore(denied, kept);
    if let Some(keys) = fixed {
        shared.hold(0, &keys);
        return Ok(Owner { shared, task: None, identity });
    }
    let task = runtime.map(|runtime| runtime.spawn(refresh::run(Arc::clone(&shared), source)).abort_handle());
    Ok(Owner { shared, task, identity })
}

fn prepare_disk(plan: DiskPlan, runtime: Handle) -> Result<DiskCopy, BuildError> {
    let DiskPlan { path, key } = plan;
    let key = match key {
        KeyPlan::Beside => Ok(None),
        KeyPlan::Given(key) => Ok(Some(*key)),
        KeyPlan::TooShort => Err("the key must have 32 bytes at least, and be random".to_owned()),
    };
    let prepared = key.and_then(|key| DiskCopy::prepare(path.clone(), key, runtime));
    prepared.map_err(|reason| BuildError::DiskCopy { path, reason })
}
