//! The metrics, computed anew for each scrape from what is in memory: no series outlives what it counts.
//!
//! A label is an algorithm, a state, a step, a code, or an audience of the registry; never an instance, a client or a
//! person.

use std::{collections::HashMap, time::Duration};

use claviger_jose::{Algorithm, NumericDate};
use claviger_keyring::{KeyState, Step};
use metrics::{counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;

use super::status::{Standing, StatusView};
use crate::counters::{Counters, Tally};

/// Every state by its name, for a state without keys counts none.
const STATES: [&str; 5] = ["prepared", "active", "retiring", "removed", "revoked"];

/// The metrics in the text format of Prometheus.
pub(crate) fn render(view: &StatusView, counters: &Counters, now: NumericDate) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || {
        describe();
        keys(view, now);
        next_step(view, now);
        policy(view);
        replicas(view, now);
        verifiers(view, now);
        feed(view, now);
        own(view);
        count(counters);
    });
    recorder.handle().render()
}

fn keys(view: &StatusView, now: NumericDate) {
    for alg in Algorithm::ALL {
        let of_alg = || view.keyring.keys().iter().filter(move |key| key.jwk.alg() == alg);
        for state in STATES {
            let keys = of_alg().filter(|key| key.state.name() == state).count();
            gauge!("claviger_keys", "alg" => alg.as_str(), "state" => state).set(number(keys));
        }
        if let Some(KeyState::Active { since }) = view.keyring.active(alg).map(|key| key.state) {
            gauge!("claviger_key_age_seconds", "alg" => alg.as_str()).set(now.since(since).as_secs_f64());
        }
    }
}

/// Below zero: for so long the step is overdue. What is due from the beginning of time on is due now.
fn next_step(view: &StatusView, now: NumericDate) {
    let Some(next) = view.next_step(now) else { return };
    let step = match next.step {
        Step::Create { .. } => "create",
        Step::Activate { .. } => "activate",
        Step::Remove { .. } => "remove",
        Step::Revoke { .. } => "revoke",
    };
    let seconds = match next.due.as_secs() {
        0 => 0.0,
        _ if next.due >= now => next.due.since(now).as_secs_f64(),
        _ => -now.since(next.due).as_secs_f64(),
    };
    gauge!("claviger_next_step_seconds", "step" => step).set(seconds);
}

fn policy(view: &StatusView) {
    let lifetimes = view.policy.lifetimes();
    for (name, duration) in [
        ("token", lifetimes.token),
        ("skew", lifetimes.skew),
        ("freshness", lifetimes.freshness),
        ("lease", lifetimes.lease),
        ("lead", lifetimes.lead),
        ("tail", lifetimes.tail),
        ("period", lifetimes.period),
        ("poll", view.poll),
        ("staleness", view.staleness),
    ] {
        gauge!("claviger_policy_seconds", "duration" => name).set(duration.as_secs_f64());
    }
}

fn replicas(view: &StatusView, now: NumericDate) {
    let fleet = view.fleet(now);
    let published: Vec<_> = view.keyring.published().map(|key| *key.jwk.kid()).collect();
    let behind =
        fleet.replicas.iter().filter(|replica| published.iter().any(|kid| !replica.kids.contains(kid)));
    gauge!("claviger_replicas_behind").set(number(behind.count()));
    gauge!("claviger_replicas").set(number(fleet.replicas.len()));
    gauge!("claviger_verifiers_turned_away").set(flag(fleet.incomplete));
}

fn verifiers(view: &StatusView, now: NumericDate) {
    let mut standings: HashMap<(&str, Standing), usize> = HashMap::new();
    for verifier in &view.witnesses.verifiers {
        *standings.entry((&verifier.said.audience, view.standing(verifier, now))).or_default() += 1;
    }
    for audience in &view.audiences {
        let standing = |standing| standings.get(&(audience.as_str(), standing)).copied().unwrap_or_default();
        let all = Standing::ALL.into_iter().map(standing).sum();
        let behind = standing(Standing::Learning) + standing(Standing::Unknown);
        gauge!("claviger_verifiers", "audience" => audience.clone()).set(number(all));
        gauge!("claviger_verifiers_behind", "audience" => audience.clone()).set(number(behind));
        gauge!("claviger_verifiers_silent", "audience" => audience.clone())
            .set(number(standing(Standing::Silent)));
    }
    let oldest = view.witnesses.verifiers.iter().map(|verifier| now.since(verifier.seen)).max();
    gauge!("claviger_oldest_verifier_view_seconds").set(oldest.unwrap_or_default().as_secs_f64());
}

fn feed(view: &StatusView, now: NumericDate) {
    let Some(feed) = view.feed else { return };
    gauge!("claviger_feed_sequence").set(Duration::from_secs(feed.sequence).as_secs_f64());
    gauge!("claviger_feed_age_seconds").set(now.since(feed.signed).as_secs_f64());
    gauge!("claviger_revocations", "of" => "keys").set(number(feed.keys));
    gauge!("claviger_revocations", "of" => "others").set(number(feed.others));
    let follow = || view.witnesses.verifiers.iter().filter(|verifier| verifier.said.sequence.is_some());
    gauge!("claviger_feed_followers").set(number(follow().count()));
    let behind = follow()
        .filter(|verifier| view.standing(verifier, now) != Standing::Silent && view.is_before_feed(verifier));
    gauge!("claviger_feed_behind_verifiers").set(number(behind.count()));
}

fn own(view: &StatusView) {
    let own = &view.own;
    gauge!("claviger_signing").set(flag(own.refusal.is_none()));
    gauge!("claviger_verify_only").set(flag(own.verify_only.is_some()));
    gauge!("claviger_clock_off").set(flag(own.clock_is_off));
    gauge!("claviger_unusable_keys").set(number(own.unusable_keys));
    if let Some(age) = own.lease_age {
        gauge!("claviger_lease_age_seconds").set(age.as_secs_f64());
    }
    if let Some(age) = own.upkeep_age {
        gauge!("claviger_upkeep_age_seconds").set(age.as_secs_f64());
    }
}

fn count(counters: &Counters) {
    tally("claviger_tokens_issued_total", "alg", &counters.tokens);
    tally("claviger_token_requests_refused_total", "error", &counters.refusals);
    tally("claviger_steps_refused_total", "reason", &counters.steps);
    tally("claviger_key_set_answers_total", "status", &counters.key_set);
    tally("claviger_feed_answers_total", "status", &counters.feed);
    tally("claviger_looks_total", "outcome", &counters.looks);
    tally("claviger_external_signatures_total", "outcome", &counters.external);
}

fn tally<const N: usize>(name: &'static str, label: &'static str, tally: &Tally<N>) {
    for (value, count) in tally.read() {
        counter!(name, label => value).absolute(count);
    }
}

fn describe() {
    for (name, about) in GAUGES {
        describe_gauge!(*name, *about);
    }
    for (name, about) in COUNTERS {
        describe_counter!(*name, *about);
    }
}

const GAUGES: &[(&str, &str)] = &[
    ("claviger_keys", "Keys by algorithm and state."),
    ("claviger_key_age_seconds", "For how long the active key has signed."),
    ("claviger_next_step_seconds", "Until the next step of the keys; below zero it is overdue."),
    ("claviger_policy_seconds", "The durations that rotation follows from."),
    ("claviger_replicas", "Replicas that are alive."),
    ("claviger_replicas_behind", "Replicas that do not publish every key."),
    ("claviger_verifiers", "Verifiers that name themselves."),
    ("claviger_verifiers_behind", "Verifiers that lack a key that signs or will sign next."),
    ("claviger_verifiers_silent", "Verifiers that have not asked for longer than a key set stays fresh."),
    ("claviger_verifiers_turned_away", "Whether some verifiers are not remembered, for there are too many."),
    ("claviger_oldest_verifier_view_seconds", "The time since the longest silent verifier was heard of."),
    ("claviger_feed_sequence", "The number of the revocation feed's statement."),
    ("claviger_feed_age_seconds", "The age of the revocation feed's statement."),
    ("claviger_feed_followers", "Verifiers that follow the revocation feed."),
    ("claviger_feed_behind_verifiers", "Verifiers that follow the feed and have not taken its statement."),
    ("claviger_revocations", "What the revocation feed lists."),
    ("claviger_signing", "Whether this replica signs tokens."),
    ("claviger_verify_only", "Whether the key-encryption key does not open the keys."),
    ("claviger_clock_off", "Whether the clock differs from the database's."),
    ("claviger_unusable_keys", "Stored keys that cannot be used."),
    ("claviger_lease_age_seconds", "The time since the database confirmed the keys."),
    ("claviger_upkeep_age_seconds", "The time since the database was tidied, by the replica on duty."),
];

const COUNTERS: &[(&str, &str)] = &[
    ("claviger_tokens_issued_total", "Tokens issued, by algorithm."),
    ("claviger_token_requests_refused_total", "Token requests refused, by the code of the answer."),
    ("claviger_key_set_answers_total", "Answers with the key set, by status."),
    ("claviger_feed_answers_total", "Answers with the revocation feed, by status."),
    ("claviger_looks_total", "Looks into the database, by outcome."),
    ("claviger_external_signatures_total", "Signatures by keys that are kept elsewhere, by outcome."),
    ("claviger_steps_refused_total", "Steps of the keys that were refused, by reason."),
];

/// A count as Prometheus wants it. Beyond 4 billion it says 4 billion.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::status::samples::{NOW, calm, rotating, verifier, view};

    fn rendered(view: &StatusView) -> String {
        render(view, &Counters::default(), NOW)
    }

    #[track_caller]
    fn check(view: &StatusView, lines: &[&str]) {
        let text = rendered(view);
        for line in lines {
            assert!(text.lines().any(|found| found == *line), "{line} is not in\n{text}");
        }
    }

    // S-46
    #[test]
    fn key_age_next_step_feed_and_the_oldest_view_are_told() {
        check(
            &rotating(46),
            &[
                r#"claviger_key_age_seconds{alg="ES256"} 480"#,
                r#"claviger_keys{alg="ES256",state="retiring"} 1"#,
                r#"claviger_keys{alg="RS256",state="retiring"} 0"#,
                r#"claviger_next_step_seconds{step="remove"} 3120"#,
                r#"claviger_policy_seconds{duration="lead"} 86400"#,
                "claviger_replicas 3",
                "claviger_replicas_behind 0",
                r#"claviger_verifiers{audience="https://orders.example.com"} 12"#,
                r#"claviger_verifiers_behind{audience="https://orders.example.com"} 4"#,
                "claviger_oldest_verifier_view_seconds 400",
                "claviger_feed_sequence 41",
                "claviger_feed_age_seconds 40",
                "claviger_feed_followers 41",
                "claviger_feed_behind_verifiers 4",
                r#"claviger_revocations{of="others"} 17"#,
                "claviger_signing 1",
                r#"claviger_token_requests_refused_total{error="invalid_client"} 0"#,
            ],
        );
    }

    #[test]
    fn what_nobody_knows_has_no_series() {
        let mut view = view(Vec::new(), Vec::new());
        view.feed = None;
        let text = rendered(&view);
        for absent in [
            "claviger_key_age_seconds{",
            "claviger_feed_age_seconds ",
            "claviger_lease_age_seconds ",
            "claviger_upkeep_age_seconds ",
        ] {
            assert!(!text.contains(absent), "{absent}");
        }
        view.own.upkeep_age = Some(Duration::from_mins(2));
        check(&view, &["claviger_upkeep_age_seconds 120"]);
        check(
            &view,
            &[
                r#"claviger_keys{alg="ES256",state="active"} 0"#,
                r#"claviger_next_step_seconds{step="create"} 0"#,
            ],
        );
    }

    #[test]
    fn an_overdue_step_counts_below_zero() {
        let view = calm();
        let text = render(&view, &Counters::default(), NOW + Duration::from_hours(7 * 24));
        let line = text.lines().find(|line| line.starts_with("claviger_next_step_seconds"));
        assert_eq!(line, Some(r#"claviger_next_step_seconds{step="activate"} -14400"#));
    }

    // S-13 S-103
    #[test]
    fn no_label_comes_from_outside() {
        let named =
            |n: u32| verifier(&format!("https://{n}.attacker.test"), &format!("victim-{n}"), "tag", 3);
        let crowd = view(calm().keyring.keys().to_vec(), (0..5_000).map(named).collect());
        let quiet = view(calm().keyring.keys().to_vec(), Vec::new());
        let text = rendered(&crowd);
        assert_eq!(text.lines().count(), rendered(&quiet).lines().count());
        assert!(!text.contains("attacker") && !text.contains("victim") && !text.contains("id-a"));
    }

    #[test]
    fn every_metric_is_described() {
        let text = rendered(&rotating(4));
        for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
            let name = line.split(' ').nth(2).unwrap();
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        }
    }
}
