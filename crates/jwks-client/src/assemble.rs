//! From a configuration to a client: everything that can be wrong is found here, before a task begins.

use std::sync::Arc;

use claviger_jose::JwkSet;
use tokio::runtime::Handle;
use url::Url;

use crate::{
    BuildError, JwksClient, JwksClientBuilder, SystemClock,
    builder::{DiskPlan, KeyPlan},
    client::Owner,
    denials::Denials,
    deny_file,
    disk::DiskCopy,
    endpoint,
    feed::{FeedPolicy, FeedState, MIN_POLL, MIN_POLL_ON_LOOPBACK, Poller},
    fetch::Http,
    policy::Policy,
    refresh::{self, Works},
    registry::{self, Identity},
    report::Reporter,
    shared::{Parts, Shared},
    source::{Parse, Place, Source, WatchedFile},
    timing::{MIN_FRESHNESS, MIN_FRESHNESS_ON_LOOPBACK},
};

mod places;
mod restore;

pub(crate) use restore::{Kept, Restored};

pub(crate) fn client(mut builder: JwksClientBuilder) -> Result<JwksClient, BuildError> {
    let parse: Parse = if builder.foreign { JwkSet::parse_foreign } else { JwkSet::parse };
    let places = places::of(&builder, parse)?;
    let runtime = Handle::try_current().ok();
    let feed = feed_url(&builder)?;
    let needs_none = matches!(places.as_slice(), [Place::Fixed(_)])
        && builder.disk.is_none()
        && builder.deny_file.is_none()
        && feed.is_none();
    if runtime.is_none() && !needs_none {
        return Err(BuildError::NoRuntime);
    }
    let disk = match (builder.disk.take(), &runtime) {
        (Some(plan), Some(runtime)) => Some(prepare_disk(plan, runtime.clone())?),
        _ => None,
    };
    if builder.clock.is_some() {
        let plan = Plan { places, parse, feed, disk, runtime, identity: None };
        return Ok(JwksClient::of(Arc::new(begin(builder, plan)?)));
    }
    let identity = Identity {
        issuer: Arc::clone(&builder.issuer),
        sources: builder.sources.clone(),
        timing: builder.timing,
        foreign: builder.foreign,
        disk: disk.as_ref().map(|disk| (disk.path().to_owned(), disk.fingerprint())),
        feed: builder.feed.clone(),
        deny_file: builder.deny_file.clone(),
        instance: builder.instance.clone(),
        runtime: runtime.as_ref().map(Handle::id),
    };
    let plan = Plan { places, parse, feed, disk, runtime, identity: Some(identity.clone()) };
    registry::share(identity, || Ok(Arc::new(begin(builder, plan)?))).map(JwksClient::of)
}

/// The configuration, found to be one that can work.
struct Plan {
    places: Vec<Place>,
    parse: Parse,
    feed: Option<Url>,
    disk: Option<DiskCopy>,
    runtime: Option<Handle>,
    identity: Option<Identity>,
}

fn feed_url(builder: &JwksClientBuilder) -> Result<Option<Url>, BuildError> {
    let refused = |reason: endpoint::Unacceptable| BuildError::Url {
        name: "revocations URL",
        reason: reason.to_string(),
    };
    builder.feed.as_deref().map(endpoint::parse).transpose().map_err(refused)
}

/// A client that holds what is there without a fetch, and its task, which sleeps until it is woken.
fn begin(builder: JwksClientBuilder, plan: Plan) -> Result<Owner, BuildError> {
    let JwksClientBuilder { issuer, foreign, timing, clock, deny_file, instance, .. } = builder;
    let Plan { places, parse, feed, disk, runtime, identity } = plan;
    let denials = if clock.is_some() { Arc::default() } else { Denials::of(&issuer) };
    let clock = clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
    let http = http(places.iter().filter_map(Place::url).chain(&feed))?;
    let is_https = issuer.starts_with("https:");
    let (min_freshness, min_poll) =
        if is_https { (MIN_FRESHNESS, MIN_POLL) } else { (MIN_FRESHNESS_ON_LOOPBACK, MIN_POLL_ON_LOOPBACK) };
    let mut policy = Policy::new(timing, min_freshness).asleep();
    let fixed = match places.as_slice() {
        [Place::Fixed(keys)] => Some(keys.clone()),
        _ => None,
    };
    let restored = restore::from_disk(disk.as_ref(), &issuer, &places, parse, timing, clock.now());
    match &restored.kept {
        _ if fixed.is_some() => policy = policy.fixed(),
        Some(kept) => {
            policy = policy.restored(clock.monotonic(), kept.age, kept.copy.staleness(timing.staleness()));
        }
        None => {}
    }
    let names = places.iter().map(|place| place.name().into()).collect();
    let may_be_told = !foreign && places.iter().any(|place| matches!(place, Place::Discovered(_)));
    let mut works = Works {
        poller: http.clone().filter(|_| feed.is_some() || may_be_told).map(Poller::new),
        ..Works::default()
    };
    let mut source = Source::new(http, places, parse);
    let feed = FeedState::new(feed, FeedPolicy::new(timing.revocation_interval(), min_poll));
    let reporter = Reporter::new(instance.as_deref());
    let parts = Parts { issuer, places: names, foreign, clock, disk, denials, policy, feed, reporter };
    let shared = Arc::new(Shared::new(parts));
    if let Some(kept) = &restored.kept {
        source.resume(kept.place, kept.provenance(), kept.keys.clone());
    }
    shared.restore(restored);
    if let Some(path) = deny_file {
        deny_file::read_now(&shared, &path);
        works.deny_file = Some(WatchedFile::new(path));
    }
    match fixed {
        Some(keys) => shared.hold(0, &keys),
        None => works.source = Some(source),
    }
    let runtime = runtime.filter(|_| !works.is_none());
    let task = runtime.map(|runtime| runtime.spawn(refresh::run(Arc::clone(&shared), works)).abort_handle());
    Ok(Owner { shared, task, identity })
}

/// What can fetch from these, if there are any.
fn http<'u>(urls: impl Iterator<Item = &'u Url>) -> Result<Option<Http>, BuildError> {
    let schemes: Vec<&str> = urls.map(Url::scheme).collect();
    if schemes.is_empty() {
        return Ok(None);
    }
    Http::new(schemes.contains(&"https")).map(Some).map_err(|error| BuildError::Tls(Box::new(error)))
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
