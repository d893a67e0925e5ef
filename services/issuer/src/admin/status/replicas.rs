use claviger_jose::NumericDate;
use claviger_store::Replica;
use maud::{Markup, html};

use super::{view::StatusView, words};

/// The processes of the issuer: what each publishes, and why it does not sign, if so.
pub(super) fn section(view: &StatusView, now: NumericDate) -> Markup {
    let replicas = &view.witnesses.replicas;
    html! {
        section.replicas aria-labelledby="replicas" {
            h2 id="replicas" { "Replicas" }
            @if replicas.is_empty() {
                p.none { "This process alone, as far as the database knows." }
            }
            ul {
                @for replica in replicas { (row(view, replica, now)) }
            }
        }
    }
}

fn row(view: &StatusView, replica: &Replica, now: NumericDate) -> Markup {
    let said = &replica.said;
    let held = view.witnesses.keys_of(&said.keys);
    let lacks = view.keyring.published().any(|key| !held.contains(key.jwk.kid()));
    html! {
        li {
            p.place {
                @if said.refusal.is_none() {
                    span.sign.good aria-hidden="true" { "●" }
                } @else {
                    span.sign.bad aria-hidden="true" { "✕" }
                }
                strong { (said.place) }
                @if said.place == view.own.place { span.badge { "this one" } }
            }
            @match &said.refusal {
                None => {},
                Some(why) => p.bad { "does not sign: " (why) },
            }
            p {
                @if said.refusal.is_none() { "signs, " }
                @if lacks { span.warn { "publishes an older set" } } @else { "publishes every key" }
                ", feed " (said.sequence) ", heard " (words::relative(replica.seen, now))
                ", version " (said.version)
            }
        }
    }
}
