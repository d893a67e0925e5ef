use std::{sync::Arc, time::Duration};

use claviger_jose::NumericDate;
use reqwest::header::HeaderValue;

use crate::{
    Timing,
    denied::Denied,
    disk::{DiskCopy, Record, SetCopy, Unfit},
    feed::RevocationList,
    held::PreparedKeys,
    http_cache::Validators,
    source::{Parse, Place, Provenance},
};

/// What an earlier process left.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    pub(crate) denied: Denied,
    pub(crate) revocations: Arc<RevocationList>,
    pub(crate) kept: Option<Kept>,
}

/// A set that an earlier process left, fit to be used again.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Which of the configured places it is from.
    pub(crate) place: usize,
    pub(crate) age: Duration,
    pub(crate) copy: SetCopy,
    pub(crate) keys: PreparedKeys,
}

impl Kept {
    /// What makes the first request of this process conditional.
    pub(super) fn provenance(&self) -> Provenance {
        let value = |text: &Option<String>| HeaderValue::from_str(text.as_deref()?).ok();
        let (etag, last_modified) = (value(&self.copy.etag), value(&self.copy.last_modified));
        Provenance { url: self.copy.url.clone(), validators: Validators { etag, last_modified } }
    }
}

/// Reads the copy. Whatever is wrong with it is told and not fatal: the next fetch writes a new one. One that cannot be
/// read is put aside.
pub(super) fn from_disk(
    disk: Option<&DiskCopy>,
    issuer: &str,
    places: &[Place],
    parse: Parse,
    timing: Timing,
    now: NumericDate,
) -> Restored {
    let Some((disk, loaded)) = disk.and_then(|disk| Some((disk, disk.load()?))) else {
        return Restored::default();
    };
    let ignored = |reason: Unfit| {
        let path = disk.path().display();
        tracing::warn!(%issuer, %path, %reason, "the copy of the key set is ignored");
    };
    let record = loaded
        .and_then(|record| if *record.issuer == *issuer { Ok(record) } else { Err(Unfit::OtherIssuer) });
    match record {
        Ok(Record { denied, revocations, set, .. }) => {
            let kept = set.map(|copy| judge(copy, places, parse, timing, now));
            // What was denied or revoked stays so, however old the set beside it is.
            let kept = kept.and_then(|kept| kept.map_err(ignored).ok());
            Restored { denied: denied.into_iter().collect(), revocations, kept }
        }
        Err(reason) => {
            ignored(reason);
            if reason != Unfit::OtherIssuer {
                report_lost_denials(disk, issuer);
            }
            Restored::default()
        }
    }
}

/// Nobody but the operator knows whether there were any.
fn report_lost_denials(disk: &DiskCopy, issuer: &str) {
    let remedy = "put the copy and its key back if they were exchanged, or deny the kids again";
    match disk.set_aside() {
        Ok(aside) => {
            let kept = aside.display();
            tracing::error!(
                %issuer, %kept, remedy,
                "kids that were denied before are accepted again, and older statements of the feed"
            );
        }
        Err(error) => {
            let path = disk.path().display();
            tracing::error!(
                %issuer, %path, %error, remedy,
                "kids that were denied before are accepted again, and the copy cannot be put aside"
            );
        }
    }
}

fn judge(
    copy: SetCopy,
    places: &[Place],
    parse: Parse,
    timing: Timing,
    now: NumericDate,
) -> Result<Kept, Unfit> {
    let place = places.iter().position(|place| place.is_origin(&copy.place, copy.url.as_deref()));
    let place = place.ok_or(Unfit::OtherPlace)?;
    let age = copy.age(now, timing.staleness())?;
    let set = parse(copy.document.as_bytes()).map_err(|_| Unfit::Set)?;
    let keys = PreparedKeys::of(&set).ok_or(Unfit::Set)?;
    Ok(Kept { place, age, copy, keys })
}
