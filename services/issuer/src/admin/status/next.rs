use claviger_jose::{Algorithm, NumericDate};
use claviger_keyring::{KeyState, ManagedKey, Step};
use maud::{Markup, html};

use super::{
    view::{NextStep, StatusView},
    words,
};

/// The next step with its countdown, and for each algorithm who has learned the next key.
pub(super) fn section(view: &StatusView, next: Option<&NextStep>, now: NumericDate) -> Markup {
    html! {
        section.next aria-labelledby="next" {
            h2 id="next" { "Next step" }
            @match next {
                None => p.step { "Nothing will be due." },
                Some(next) => (step(view, next, now)),
            }
            div.algs { @for alg in Algorithm::ALL { (readiness(view, alg, now)) } }
        }
    }
}

fn step(view: &StatusView, next: &NextStep, now: NumericDate) -> Markup {
    let overdue = next.due <= now;
    html! {
        p.step {
            (announce(view, &next.step)) " "
            time.countdown datetime=(words::rfc3339(next.due)) {
                @if overdue { "now" } @else { (words::relative(next.due, now)) }
            }
        }
        @if view.own.verify_only.is_some() {
            p.waits { "It is not taken while nothing can be signed." }
        } @else if !next.waits_for.is_empty() {
            p.waits { "It waits for a replica that does not publish the key yet: " (next.waits_for.join(", ")) }
        } @else if next.is_unserved {
            p.waits { "It waits until a replica is ready and has served the key for long enough." }
        } @else if next.due.as_secs() > 0 {
            p.when { (words::utc(next.due)) }
        }
    }
}

/// What a step does, as a sentence without its time.
fn announce(view: &StatusView, step: &Step) -> String {
    let (kid, verb) = match step {
        Step::Create { alg, .. } => return format!("A new {alg} key is made"),
        Step::Activate { kid, .. } => (kid, "begins to sign"),
        Step::Remove { kid } => (kid, "leaves the set"),
        Step::Revoke { kid } => (kid, "is revoked"),
    };
    let key = view.keyring.keys().iter().find(|key| key.jwk.kid() == kid);
    let alg = key.map(|key| format!("{} key ", key.jwk.alg())).unwrap_or_default();
    format!("{alg}{} {verb}", words::short(kid))
}

fn readiness(view: &StatusView, alg: Algorithm, now: NumericDate) -> Markup {
    html! {
        div.alg {
            h3 { (alg) }
            @match view.keyring.active(alg) {
                Some(active) => p { (kid(active)) " has signed for " (words::span(now.since(active.state.since()))) },
                None => p.bad { "No key signs." },
            }
            @match view.keyring.prepared(alg) {
                Some(next) => (learned(view, next, now)),
                None => p.bad { "No key is ready to follow." },
            }
        }
    }
}

/// How far the fleet has learned the key that follows.
fn learned(view: &StatusView, next: &ManagedKey, now: NumericDate) -> Markup {
    let fleet = view.fleet(now);
    let (policy, key) = (&view.policy, *next.jwk.kid());
    let verifiers = fleet.verifiers.len();
    let known = verifiers - fleet.verifiers_without(key, policy, now).count();
    let replicas = fleet.replicas.len();
    let publishing = replicas - fleet.replicas_without(key, policy, now).count();
    let KeyState::Prepared { since } = next.state else { return html! {} };
    let Some(safe) = view.end_of_lead(since) else { return html! {} };
    html! {
        p {
            (kid(next)) " follows; published " (words::relative(since, now))
            @if now < safe { ", its lead ends " (words::relative(safe, now)) } @else { ", its lead is over" }
        }
        p.learned {
            @if verifiers > 0 {
                progress max=(verifiers) value=(known) aria-label="verifiers that hold the next key" {}
                " " strong { (known) " of " (words::count(verifiers, "verifier")) } " hold it"
            } @else {
                "No verifier has named itself"
            }
            ", " (publishing) " of " (words::count(replicas, "replica")) " publish it"
        }
    }
}

fn kid(key: &ManagedKey) -> Markup {
    html! { code title=(key.jwk.kid().as_str()) { (words::short(key.jwk.kid())) } }
}
