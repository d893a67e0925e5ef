use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use claviger_jose::{Kid, NumericDate};
use claviger_keyring::{FleetView, RotationPolicy, Witness};

use super::{Keyroom, patiently};
use crate::cli::{
    horizons::Horizons,
    progress::Progress,
    words::{names, span},
};

/// How often the fleet is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Which verifiers have dropped revoked keys, and when they said so.
#[derive(Debug)]
struct Following {
    dead: Vec<Kid>,
    sequence: u64,
    /// By name; the time from the command to the report that it has dropped them.
    dropped: BTreeMap<String, Option<Duration>>,
    /// Those of them that are alive and have not.
    open: Vec<String>,
    /// Whether some verifiers could not be noted, and may hold the keys unseen.
    incomplete: bool,
}

impl Following {
    fn new(dead: Vec<Kid>, sequence: u64) -> Self {
        Self { dead, sequence, dropped: BTreeMap::new(), open: Vec::new(), incomplete: false }
    }

    fn observe(&mut self, fleet: &FleetView, policy: &RotationPolicy, now: NumericDate, elapsed: Duration) {
        let first = self.dropped.is_empty();
        self.incomplete |= fleet.incomplete;
        let open: Vec<&Witness> = fleet
            .verifiers_before(self.sequence, policy, now)
            .filter(|verifier| {
                verifier.kids.is_empty() || verifier.kids.iter().any(|kid| self.dead.contains(kid))
            })
            .collect();
        for verifier in fleet.live_verifiers(policy, now) {
            let is_open = open.iter().any(|open| open.name == verifier.name);
            match self.dropped.get_mut(&verifier.name) {
                Some(dropped) if !is_open => {
                    dropped.get_or_insert(elapsed);
                }
                // One that came later and never held the keys says nothing about how long it took.
                None if is_open || first => {
                    self.dropped.insert(verifier.name.clone(), (!is_open).then_some(elapsed));
                }
                _ => {}
            }
        }
        self.open = open.into_iter().map(|verifier| verifier.name.clone()).collect();
    }

    /// Those that had not dropped the keys when they were last heard of, and are silent since.
    fn silent(&self) -> Vec<&str> {
        let open = |name: &String| self.open.contains(name);
        let silent = self.dropped.iter().filter(|(name, dropped)| dropped.is_none() && !open(name));
        silent.map(|(name, _)| name.as_str()).collect()
    }

    fn distribution(&self) -> Option<Distribution> {
        Distribution::of(self.dropped.values().copied().flatten().collect())
    }
}

/// How long it took, over many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Distribution {
    count: usize,
    p50: Duration,
    p99: Duration,
    max: Duration,
}

impl Distribution {
    /// `None` of nothing. The quantiles are the values of which at least so many are no greater.
    fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let count = times.len();
        let quantile = |percent: usize| times.get((count * percent).div_ceil(100).max(1) - 1).copied();
        Some(Self { count, p50: quantile(50)?, p99: quantile(99)?, max: quantile(100)? })
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, p50, p99, max } = self;
        let seconds = Duration::as_secs_f64;
        write!(
            f,
            "dropped by {count} verifiers: p50 {:.1} s, p99 {:.1} s, max {:.1} s from the command to their report",
            seconds(p50),
            seconds(p99),
            seconds(max)
        )
    }
}

/// Follows the fleet until no live verifier accepts these keys any more, or the time is over.
pub(super) async fn follow(
    keyroom: &Keyroom<'_>,
    dead: Vec<Kid>,
    start: Instant,
    timeout: Option<Duration>,
) -> anyhow::Result<()> {
    let horizons = Horizons::of(keyroom.config);
    let timeout = timeout.unwrap_or(horizons.key_set + horizons.feed);
    let following = watch(keyroom, dead, start, timeout).await?;
    match following.distribution() {
        Some(distribution) => println!("{distribution}"),
        None => println!("no verifier has named itself lately: there is nobody to follow"),
    }
    println!("{}", horizons.of_a_key());
    let silent = following.silent();
    if !silent.is_empty() {
        println!("silent, so perhaps cut off: {}", names(silent));
    }
    if !following.open.is_empty() {
        let open = names(following.open.iter().map(String::as_str));
        bail!(
            "revoked, but after {} {} of {} verifiers had not dropped it: {open}; look at them, or give them a deny file",
            span(start.elapsed()),
            following.open.len(),
            following.dropped.len()
        );
    }
    ensure!(
        !following.incomplete,
        "revoked, but there are more verifiers than are remembered: those that were not noted may still hold it"
    );
    Ok(())
}

/// Looks until no live verifier accepts the keys any more, or the time is over.
async fn watch(
    keyroom: &Keyroom<'_>,
    dead: Vec<Kid>,
    start: Instant,
    timeout: Duration,
) -> anyhow::Result<Following> {
    let policy = &keyroom.config.policy;
    let mut looked = None;
    let mut progress = Progress::new("verifiers that have dropped it");
    loop {
        // The statement is there already: the number is that of the revocation, or of a later one.
        let sequence = keyroom.store.revisions().await.map(|revisions| revisions.revocations);
        let fleet = patiently(keyroom.fleet().await)?;
        if let (Some(sequence), Some((fleet, now))) = (patiently(sequence.map_err(Into::into))?, fleet) {
            let following = looked.get_or_insert_with(|| Following::new(dead.clone(), sequence));
            following.observe(&fleet, policy, now, start.elapsed());
            let (of, open) = (following.dropped.len(), following.open.len());
            progress.show(of - open, of, &note(following, &fleet, (policy, now)));
        }
        let done = looked.as_ref().is_some_and(|following: &Following| following.open.is_empty());
        if done || start.elapsed() >= timeout {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    looked.context("revoked, but the database did not answer who has dropped it: see `keys fleet`")
}

/// Who is waited for: the first suspect is a replica that still publishes what was.
fn note(following: &Following, fleet: &FleetView, at: (&RotationPolicy, NumericDate)) -> String {
    let stale = fleet.live_replicas(at.0, at.1).filter(|replica| replica.sequence < Some(following.sequence));
    let stale: Vec<&str> = stale.map(|replica| replica.name.as_str()).collect();
    if !stale.is_empty() {
        return format!("not yet told by the replicas {}", names(stale));
    }
    match following.open.len() {
        0 => String::new(),
        1..=3 => format!("waiting for {}", names(following.open.iter().map(String::as_str))),
        more => format!("waiting for {more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    const NEXT: &str = "1ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn verifier(name: &str, seen: u64, kids: &[&str], sequence: Option<u64>) -> Witness {
        let kids = kids.iter().map(|kid| kid.parse().unwrap()).collect();
        let seen = NumericDate::from_secs(seen);
        Witness { name: name.to_owned(), seen, kids, sequence }
    }

    fn observe(following: &mut Following, secs: u64, verifiers: Vec<Witness>) {
        let fleet = FleetView { verifiers, ..FleetView::default() };
        let now = NumericDate::from_secs(10_000 + secs);
        following.observe(&fleet, &RotationPolicy::default(), now, Duration::from_secs(secs));
    }

    // S-42
    #[test]
    fn a_verifier_has_dropped_a_key_when_it_has_the_statement_or_a_set_without_the_key() {
        let mut following = Following::new(vec![DEAD.parse().unwrap()], 7);
        let both = &[DEAD, NEXT][..];
        let before = vec![
            verifier("feed", 10_000, both, Some(6)),
            verifier("set", 10_000, both, None),
            verifier("frozen", 10_000, both, Some(6)),
            verifier("unknown", 10_000, &[], None),
        ];
        observe(&mut following, 0, before);
        assert_eq!((following.open.len(), following.distribution()), (4, None));
        let after = vec![
            verifier("feed", 10_004, both, Some(7)),
            verifier("set", 10_004, &[NEXT], None),
            verifier("frozen", 10_000, both, Some(6)),
            verifier("unknown", 10_000, &[], None),
            verifier("late", 10_004, &[NEXT], Some(7)),
        ];
        observe(&mut following, 4, after);
        assert_eq!(following.open, ["frozen", "unknown"]);
        let four = Duration::from_secs(4);
        let expected = Distribution { count: 2, p50: four, p99: four, max: four };
        assert_eq!(following.distribution(), Some(expected));
        assert_eq!(following.silent(), [""; 0]);

        // Twice C later the frozen one is no longer counted among the living.
        observe(&mut following, 601, vec![verifier("frozen", 10_000, both, Some(6))]);
        assert_eq!(following.open, [""; 0]);
        assert_eq!(following.silent(), ["frozen", "unknown"]);
        assert_eq!(following.distribution(), Some(expected), "a time that was told stays");
    }

    #[test]
    fn a_distribution_names_the_times_of_half_of_nearly_all_and_of_all() {
        assert_eq!(Distribution::of(Vec::new()), None);
        let times = (1..=200).map(Duration::from_secs).collect();
        let distribution = Distribution::of(times).unwrap();
        assert_eq!(
            distribution.to_string(),
            "dropped by 200 verifiers: p50 100.0 s, p99 198.0 s, max 200.0 s from the command to their report"
        );
        let one = Distribution::of(vec![Duration::from_millis(1_500)]).unwrap();
        assert_eq!((one.p50, one.p99, one.max), (one.max, one.max, Duration::from_millis(1_500)));
    }
}
