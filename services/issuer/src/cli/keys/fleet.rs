use std::{collections::BTreeMap, fmt};

use claviger_jose::{Algorithm, Kid, NumericDate};
use claviger_keyring::{Keyring, RotationPolicy};
use claviger_store::{Replica, SeenVerifier};
use comfy_table::{Table, presets::NOTHING};
use serde::Serialize;

use super::{Format, Keyroom};
use crate::{
    cli::words::{names, span},
    witnesses::Witnesses,
};

pub(super) async fn run(keyroom: &Keyroom<'_>, format: Format) -> anyhow::Result<()> {
    let opened = keyroom.opened().await?;
    let witnesses = Witnesses::load(&keyroom.store, &keyroom.config.policy).await?;
    let sequence = keyroom.store.revisions().await?.revocations;
    let at = (&keyroom.config.policy, keyroom.store.now().await?);
    let report = FleetReport::new(&witnesses, &opened.keyring, sequence, at);
    if format.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

/// Who holds what.
#[derive(Debug, Serialize)]
struct FleetReport {
    /// The number of the revocation feed.
    sequence: u64,
    /// Whether all verifiers that name themselves are in it.
    complete: bool,
    replicas: Vec<ReplicaReport>,
    audiences: BTreeMap<String, Vec<InstanceReport>>,
}

#[derive(Debug, Serialize)]
struct ReplicaReport {
    replica: String,
    place: String,
    /// Seconds since it was last heard of.
    seen: u64,
    publishes: View,
    version: String,
    /// Why it signs nothing, if so.
    refusal: Option<String>,
}

#[derive(Debug, Serialize)]
struct InstanceReport {
    instance: String,
    /// Seconds since it was last heard of.
    seen: u64,
    holds: View,
    version: String,
}

/// What somebody has, beside what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct View {
    /// Whether every key that signs is in its set; `None` if that is no set that was published lately.
    current: Option<bool>,
    /// Whether every key that will sign next is in its set.
    next: Option<bool>,
    /// The number of the last statement of the feed that it has.
    sequence: Option<u64>,
    /// Whether that is the newest.
    feed_is_current: bool,
}

impl FleetReport {
    fn new(
        witnesses: &Witnesses,
        keyring: &Keyring,
        sequence: u64,
        at: (&RotationPolicy, NumericDate),
    ) -> Self {
        let (policy, now) = at;
        let kids =
            |find: &dyn Fn(Algorithm) -> Option<Kid>| Algorithm::ALL.into_iter().filter_map(find).collect();
        let scale = Scale {
            witnesses,
            current: kids(&|alg| keyring.active(alg).map(|key| *key.jwk.kid())),
            next: kids(&|alg| keyring.prepared(alg).map(|key| *key.jwk.kid())),
            sequence,
            now,
        };
        let mut audiences: BTreeMap<String, Vec<InstanceReport>> = BTreeMap::new();
        for verifier in &witnesses.verifiers {
            audiences.entry(verifier.said.audience.clone()).or_default().push(scale.instance(verifier));
        }
        for instances in audiences.values_mut() {
            instances.sort_by(|a, b| a.instance.cmp(&b.instance));
        }
        let mut replicas: Vec<_> = witnesses.replicas.iter().map(|replica| scale.replica(replica)).collect();
        replicas.sort_by(|a, b| a.place.cmp(&b.place));
        Self { sequence, complete: !witnesses.is_incomplete(policy, now), replicas, audiences }
    }
}

/// What there is, to measure views by.
struct Scale<'w> {
    witnesses: &'w Witnesses,
    current: Vec<Kid>,
    next: Vec<Kid>,
    sequence: u64,
    now: NumericDate,
}

impl Scale<'_> {
    fn view(&self, etag: &str, sequence: Option<u64>) -> View {
        let held = self.witnesses.keys_of(etag);
        let all = |kids: &[Kid]| {
            (!held.is_empty()).then(|| !kids.is_empty() && kids.iter().all(|kid| held.contains(kid)))
        };
        View {
            current: all(&self.current),
            next: all(&self.next),
            sequence,
            feed_is_current: sequence.is_some_and(|taken| taken >= self.sequence),
        }
    }

    fn instance(&self, verifier: &SeenVerifier) -> InstanceReport {
        InstanceReport {
            instance: verifier.said.instance.clone(),
            seen: self.now.since(verifier.seen).as_secs(),
            holds: self.view(&verifier.said.keys, verifier.said.sequence),
            version: verifier.said.version.clone(),
        }
    }

    fn replica(&self, replica: &Replica) -> ReplicaReport {
        ReplicaReport {
            replica: replica.said.replica.clone(),
            place: replica.said.place.clone(),
            seen: self.now.since(replica.seen).as_secs(),
            publishes: self.view(&replica.said.keys, Some(replica.said.sequence)),
            version: replica.said.version.clone(),
            refusal: replica.said.refusal.clone(),
        }
    }
}

impl View {
    fn cells(self) -> [&'static str; 3] {
        let held = |held: Option<bool>| match held {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        let feed = match (self.feed_is_current, self.sequence) {
            (true, _) => "current",
            (false, Some(_)) => "behind",
            (false, None) => "none",
        };
        [held(self.current), held(self.next), feed]
    }
}

fn ago(secs: u64) -> String {
    format!("{} ago", span(std::time::Duration::from_secs(secs)))
}

impl fmt::Display for FleetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(["replica", "seen", "current keys", "next keys", "feed", "version", "signs"]);
        for replica in &self.replicas {
            let [current, next, feed] = replica.publishes.cells();
            let signs = replica.refusal.as_ref().map_or("yes".to_owned(), |why| format!("no: {why}"));
            let (place, seen) = (&replica.place, ago(replica.seen));
            table.add_row([place, &seen, current, next, feed, &replica.version, &signs]);
        }
        match self.replicas.len() {
            0 => writeln!(f, "no replica is running")?,
            _ => writeln!(f, "{table}")?,
        }
        if self.audiences.is_empty() {
            write!(f, "\nno verifier has named itself lately")?;
        }
        for (audience, instances) in &self.audiences {
            writeln!(f, "\n{}", summary(audience, instances))?;
            let mut table = Table::new();
            table.load_style(NOTHING);
            table.set_header(["instance", "seen", "current keys", "next keys", "feed", "version"]);
            for one in instances {
                let [current, next, feed] = one.holds.cells();
                table.add_row([&one.instance, &ago(one.seen), current, next, feed, &one.version]);
            }
            writeln!(f, "{table}")?;
        }
        if !self.complete {
            write!(f, "\nsome verifiers are not in this list: there were too many to remember")?;
        }
        Ok(())
    }
}

fn summary(audience: &str, instances: &[InstanceReport]) -> String {
    let of = instances.len();
    let current = instances.iter().filter(|one| one.holds.current == Some(true)).count();
    let next = instances.iter().filter(|one| one.holds.next == Some(true)).count();
    let oldest = instances.iter().map(|one| one.seen).max().unwrap_or_default();
    let mut line = format!(
        "{audience}: {current} of {of} hold the current keys, {next} of {of} the next; oldest view {}",
        ago(oldest)
    );
    let lacking: Vec<&str> = instances
        .iter()
        .filter(|one| one.holds.next != Some(true))
        .map(|one| one.instance.as_str())
        .collect();
    if !lacking.is_empty() {
        line = format!("{line}; without the next: {}", names(lacking));
    }
    line
}

#[cfg(test)]
mod tests {
    use claviger_jose::{Jwk, PublicKey, VerifierReport};
    use claviger_keyring::{KeyState, ManagedKey};
    use claviger_store::Heartbeat;
    use expect_test::expect;

    use super::*;

    fn key(name: u8, state: KeyState) -> ManagedKey {
        ManagedKey { jwk: Jwk::new(PublicKey::P256 { x: [name; 32], y: [name; 32] }).unwrap(), state }
    }

    fn verifier(instance: &str, keys: &str, sequence: Option<u64>, seen: u64) -> SeenVerifier {
        let (audience, version) = ("https://orders.test".to_owned(), "0.1.0".to_owned());
        let (instance, keys) = (instance.to_owned(), keys.to_owned());
        let said = VerifierReport { audience, instance, keys, sequence, version };
        let seen = NumericDate::from_secs(seen);
        SeenVerifier { said, seen }
    }

    fn report() -> FleetReport {
        report_with(None)
    }

    fn report_with(overflowed: Option<u64>) -> FleetReport {
        let since = NumericDate::from_secs(1);
        let keyring =
            Keyring::new(vec![key(1, KeyState::Active { since }), key(2, KeyState::Prepared { since })]);
        let kids: Vec<Kid> = keyring.keys().iter().map(|key| *key.jwk.kid()).collect();
        let said = Heartbeat {
            replica: "0198".to_owned(),
            place: "host:7".to_owned(),
            keys: "both".to_owned(),
            sequence: 40,
            version: "0.1.0".to_owned(),
            refusal: Some("the clock differs from the database's".to_owned()),
        };
        let witnesses = Witnesses {
            replicas: vec![Replica { said, seen: NumericDate::from_secs(999) }],
            verifiers: vec![
                verifier("b", "both", Some(40), 998),
                verifier("a", "first", Some(39), 940),
                verifier("c", "foreign", None, 999),
            ],
            overflowed: overflowed.map(NumericDate::from_secs),
            serving: None,
            key_sets: [("both".to_owned(), kids.clone().into()), ("first".to_owned(), kids[..1].into())]
                .into(),
        };
        let policy = RotationPolicy::default();
        FleetReport::new(&witnesses, &keyring, 40, (&policy, NumericDate::from_secs(1000)))
    }

    #[test]
    fn the_fleet_is_told_by_service_with_who_lacks_the_next_key() {
        let lines: Vec<String> =
            report().to_string().lines().map(|line| line.trim_end().to_owned()).collect();
        expect![[r"
             replica  seen    current keys  next keys  feed     version  signs
             host:7   1s ago  yes           yes        current  0.1.0    no: the clock differs from the database's

            https://orders.test: 2 of 3 hold the current keys, 1 of 3 the next; oldest view 1m ago; without the next: a, c
             instance  seen    current keys  next keys  feed     version
             a         1m ago  yes           no         behind   0.1.0
             b         2s ago  yes           yes        current  0.1.0
             c         1s ago  unknown       unknown    none     0.1.0"]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_fleet_is_complete_again_when_whoever_was_turned_away_has_fallen_silent() {
        assert!(report_with(None).complete);
        assert!(!report_with(Some(400)).complete);
        assert!(report_with(Some(399)).complete, "twice C ago");
    }

    #[test]
    fn the_same_is_told_to_machines() {
        let document = serde_json::to_value(report()).unwrap();
        let first = &document["audiences"]["https://orders.test"][0];
        assert_eq!(first["instance"], "a");
        assert_eq!(first["holds"]["next"], false);
        assert_eq!(document["replicas"][0]["publishes"]["feed_is_current"], true);
    }
}
