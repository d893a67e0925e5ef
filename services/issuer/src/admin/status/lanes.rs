use claviger_jose::{Algorithm, NumericDate};
use claviger_keyring::{KeyState, ManagedKey};
use maud::{Markup, html};

use super::{scale::Scale, view::StatusView, words};

/// How many of the keys that are gone are named.
const GONE: usize = 4;

/// A part of a key's life, as it was or is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// The class that it is drawn with.
    kind: &'static str,
    from: NumericDate,
    to: NumericDate,
}

/// The life of each key that is published, on one time line.
pub(super) fn section(view: &StatusView, now: NumericDate) -> Markup {
    let mut lanes: Vec<(&ManagedKey, Vec<Span>)> =
        view.keyring.published().map(|key| (key, spans(view, key, now))).collect();
    lanes.sort_by_key(|(key, _)| (key.jwk.alg(), order(key.state), key.state.since()));
    let scale = scale(view, &lanes, now);
    html! {
        section.keys aria-labelledby="keys" {
            h2 id="keys" { "Keys" }
            (legend())
            (axis(&scale, now))
            @for alg in Algorithm::ALL {
                h3 { (alg) }
                ul.lanes {
                    @for (key, spans) in lanes.iter().filter(|(key, _)| key.jwk.alg() == alg) {
                        (lane(key, spans, &scale, now))
                    }
                }
            }
            (gone(view, now))
        }
    }
}

/// Retiring, active, prepared: in the order in which they sign.
fn order(state: KeyState) -> u8 {
    match state {
        KeyState::Retiring { .. } => 0,
        KeyState::Active { .. } => 1,
        _ => 2,
    }
}

/// What is known and what is planned of a key's life.
fn spans(view: &StatusView, key: &ManagedKey, now: NumericDate) -> Vec<Span> {
    let lifetimes = view.policy.lifetimes();
    let due = view.rotation_due(key.jwk.alg()).map(|due| due.max(now));
    let made = view.created.get(key.jwk.kid()).copied();
    let mut spans = Vec::new();
    let mut draw = |kind, from, to| spans.push(Span { kind, from, to });
    match key.state {
        KeyState::Prepared { since } => {
            draw("prepared", since, now);
            if let Some(learned) = view.end_of_lead(since).filter(|learned| now < *learned) {
                draw("lead", since, learned);
            }
            let follows = view.keyring.prepared(key.jwk.alg()).is_some_and(|next| next.jwk == key.jwk);
            if let Some(due) = due.filter(|_| follows) {
                draw("prepared planned", now, due);
                draw("active planned", due, due + lifetimes.period);
            }
        }
        KeyState::Active { since } => {
            draw("prepared", made.unwrap_or(since), since);
            draw("active", since, now);
            if let Some(due) = due {
                draw("active planned", now, due);
                draw("retiring planned", due, due + lifetimes.tail);
            }
        }
        KeyState::Retiring { since, until } => {
            draw("published", made.unwrap_or(since), since);
            draw("retiring", since, now.min(until));
            draw("retiring planned", now, until);
        }
        KeyState::Removed { .. } | KeyState::Revoked { .. } => {}
    }
    spans.retain(|span| span.from < span.to);
    spans
}

/// From the first thing that is shown to shortly after the last tail that is planned.
fn scale(view: &StatusView, lanes: &[(&ManagedKey, Vec<Span>)], now: NumericDate) -> Scale {
    let lifetimes = view.policy.lifetimes();
    let all = || lanes.iter().flat_map(|(_, spans)| spans);
    let first = all().map(|span| span.from).min().unwrap_or(now).min(now.minus(lifetimes.tail));
    let ends = all().filter(|span| span.kind.starts_with("retiring")).map(|span| span.to);
    let last = ends.max().unwrap_or(now).max(now + lifetimes.tail);
    let beyond = last + last.since(now) / 3;
    Scale::new(first, now, beyond, lifetimes.tail.min(lifetimes.lead) / 4)
}

fn lane(key: &ManagedKey, spans: &[Span], scale: &Scale, now: NumericDate) -> Markup {
    let (kid, state) = (key.jwk.kid(), key.state.name());
    html! {
        li.lane {
            p.name {
                span class={ "badge " (state) } { (state) }
                code title=(kid.as_str()) { (words::short(kid)) }
                span.told { (told(key.state, now)) }
            }
            svg.bars role="img" aria-label={ (state) " key " (words::short(kid)) ": " (told(key.state, now)) } {
                @for span in spans {
                    (bar(span, scale))
                }
                (now_line(scale, now))
            }
        }
    }
}

fn bar(span: &Span, scale: &Scale) -> Markup {
    let (from, to) = (scale.at(span.from), scale.at(span.to));
    let (x, width) = (percent(from), percent((to - from).max(0.3)));
    let (y, height) = if span.kind == "lead" { (27, 4) } else { (7, 16) };
    html! {
        rect class=(span.kind) x=(x) y=(y) width=(width) height=(height) rx="2" {
            title { (span.kind) ": " (words::utc(span.from)) " to " (words::utc(span.to)) }
        }
    }
}

fn now_line(scale: &Scale, now: NumericDate) -> Markup {
    let x = percent(scale.at(now));
    html! { line.now x1=(x) x2=(x) y1="-5" y2="41" {} }
}

fn told(state: KeyState, now: NumericDate) -> String {
    match state {
        KeyState::Prepared { since } => format!("published {}", words::relative(since, now)),
        KeyState::Active { since } => format!("has signed for {}", words::span(now.since(since))),
        KeyState::Retiring { until, .. } => format!("leaves {}", words::relative(until, now)),
        KeyState::Removed { at } | KeyState::Revoked { at } => words::relative(at, now),
    }
}

fn axis(scale: &Scale, now: NumericDate) -> Markup {
    let here = percent(scale.at(now));
    html! {
        svg.axis aria-hidden="true" {
            defs {
                pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.ground width="6" height="6" {}
                    line.stripe x1="0" y1="0" x2="0" y2="6" {}
                }
            }
            @for tick in scale.ticks() {
                g.minor[tick.minor] {
                    line.tick x1=(percent(tick.at)) x2=(percent(tick.at)) y1="20" y2="26" {}
                    text x=(percent(tick.at)) y="14" text-anchor="middle" { (tick.label) }
                }
            }
            text.here x=(here) y="14" text-anchor="middle" { "now" }
            line.now x1=(here) x2=(here) y1="19" y2="100%" {}
        }
    }
}

fn legend() -> Markup {
    let kinds = [
        ("prepared", "published, silent"),
        ("active", "signs"),
        ("retiring", "verifies only"),
        ("lead", "lead"),
        ("active planned", "planned"),
    ];
    html! {
        ul.legend {
            @for (kind, meaning) in kinds {
                li {
                    svg aria-hidden="true" {
                        @let (y, height) = if kind == "lead" { (5, 4) } else { (1, 12) };
                        rect class=(kind) x="1" y=(y) width="22" height=(height) rx="2" {}
                    }
                    (meaning)
                }
            }
            li.hint { "near now, time is drawn larger" }
        }
    }
}

fn gone(view: &StatusView, now: NumericDate) -> Markup {
    let mut gone: Vec<&ManagedKey> =
        view.keyring.keys().iter().filter(|key| !key.state.is_published()).collect();
    gone.sort_by_key(|key| std::cmp::Reverse(key.state.since()));
    html! {
        @if !gone.is_empty() {
            p.gone {
                "Gone: "
                @for (place, key) in gone.iter().take(GONE).enumerate() {
                    @if place > 0 { ", " }
                    code title=(key.jwk.kid().as_str()) { (words::short(key.jwk.kid())) }
                    " " (key.state.name()) " " (words::relative(key.state.since(), now))
                }
                @if gone.len() > GONE { ", and " (gone.len() - GONE) " before" }
                "."
            }
        }
    }
}

fn percent(value: f64) -> String {
    format!("{value:.2}%")
}
