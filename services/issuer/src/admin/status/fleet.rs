use std::collections::BTreeMap;

use claviger_jose::NumericDate;
use claviger_store::SeenVerifier;
use maud::{Markup, html};

use super::{
    Refresh,
    view::{Standing, StatusView},
    words,
};

/// How many audiences and how many instances of each are drawn.
const AUDIENCES: usize = 100;
const INSTANCES: usize = 200;
/// How many of those that do not hold what they should are named.
const NAMED: usize = 6;

type Row<'v> = Vec<(Standing, &'v SeenVerifier)>;

/// The verifiers that name themselves: a row for each audience, a cell for each instance.
pub(super) fn section(view: &StatusView, refresh: Refresh, now: NumericDate) -> Markup {
    let mut rows: BTreeMap<&str, Row<'_>> = BTreeMap::new();
    for verifier in &view.witnesses.verifiers {
        let row = rows.entry(&verifier.said.audience).or_default();
        row.push((view.standing(verifier, now), verifier));
    }
    for row in rows.values_mut() {
        row.sort_by(|(one, a), (other, b)| (one, &a.said.instance).cmp(&(other, &b.said.instance)));
    }
    let all = view.witnesses.verifiers.len();
    html! {
        section.fleet aria-labelledby="fleet" {
            h2 id="fleet" { "Fleet" }
            @if all == 0 {
                p.none {
                    "No verifier has named itself yet. Rotations keep to the lead, so that verifiers that say nothing \
                     are served as well."
                }
            } @else {
                p.sum { (words::count(all, "verifier")) " of " (words::count(rows.len(), "service")) }
                (legend())
                @for (audience, row) in rows.iter().take(AUDIENCES) {
                    (service(view, audience, row, refresh, now))
                }
                @if rows.len() > AUDIENCES {
                    p.more { "and " (words::count(rows.len() - AUDIENCES, "more service")) }
                }
            }
            @if view.fleet(now).incomplete {
                p.bad { "Some verifiers were turned away, for there are too many: none of those is shown." }
            }
        }
    }
}

fn service(view: &StatusView, audience: &str, row: &Row<'_>, refresh: Refresh, now: NumericDate) -> Markup {
    let ready = row.iter().filter(|(standing, _)| *standing == Standing::Ready).count();
    html! {
        div.service {
            div {
                h3 { (audience) }
                p.held { (ready) " of " (row.len()) " ready" }
            }
            div {
                ul.cells aria-hidden="true" {
                    @for (standing, verifier) in row.iter().take(INSTANCES) {
                        li class=(class(*standing)) title=(describe(view, *standing, verifier, now)) { (symbol(*standing)) }
                    }
                    @if row.len() > INSTANCES { li.more { "+" (row.len() - INSTANCES) } }
                }
                (named(row, now))
                @if refresh == Refresh::Still { (table(view, row, now)) }
            }
        }
    }
}

/// Those that do not hold what they should, by name.
fn named(row: &Row<'_>, now: NumericDate) -> Markup {
    html! {
        @for standing in Standing::ALL.into_iter().filter(|standing| *standing != Standing::Ready) {
            @let those: Vec<_> = row.iter().filter(|(found, _)| *found == standing).collect();
            @if !those.is_empty() {
                p.named {
                    (name(standing)) ": "
                    @for (place, (_, verifier)) in those.iter().take(NAMED).enumerate() {
                        @if place > 0 { ", " }
                        code { (verifier.said.instance) }
                        @if standing == Standing::Silent { " (heard " (words::relative(verifier.seen, now)) ")" }
                    }
                    @if those.len() > NAMED { ", and " (those.len() - NAMED) " more" }
                }
            }
        }
    }
}

fn table(view: &StatusView, row: &Row<'_>, now: NumericDate) -> Markup {
    html! {
        details {
            summary { "All " (words::count(row.len(), "instance")) }
            div.scroll {
                table {
                    thead {
                        tr {
                            @for column in ["instance", "holds", "heard", "feed", "client"] { th scope="col" { (column) } }
                        }
                    }
                    tbody {
                        @for (standing, verifier) in row.iter().take(INSTANCES) {
                            tr {
                                th scope="row" { (verifier.said.instance) }
                                td { (symbol(*standing)) " " (name(*standing)) }
                                td { (words::relative(verifier.seen, now)) }
                                td { (feed(view, verifier)) }
                                td { (verifier.said.version) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn describe(view: &StatusView, standing: Standing, verifier: &SeenVerifier, now: NumericDate) -> String {
    let said = &verifier.said;
    let seen = words::relative(verifier.seen, now);
    format!(
        "{}: {}, heard {seen}, feed {}, client {}",
        said.instance,
        name(standing),
        feed(view, verifier),
        said.version
    )
}

fn feed(view: &StatusView, verifier: &SeenVerifier) -> String {
    match verifier.said.sequence {
        None => "not followed".to_owned(),
        Some(taken) if view.is_before_feed(verifier) => format!("{taken}, behind"),
        Some(taken) => taken.to_string(),
    }
}

fn legend() -> Markup {
    html! {
        ul.legend {
            @for standing in Standing::ALL.into_iter().rev() {
                li { span class={ "cell " (class(standing)) } aria-hidden="true" { (symbol(standing)) } (name(standing)) }
            }
        }
    }
}

fn name(standing: Standing) -> &'static str {
    match standing {
        Standing::Ready => "holds the next key",
        Standing::Learning => "lacks the next key",
        Standing::Unknown => "holds a set that is not known",
        Standing::Silent => "silent",
    }
}

fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Ready => "ready",
        Standing::Learning => "learning",
        Standing::Unknown => "unknown",
        Standing::Silent => "silent",
    }
}

fn symbol(standing: Standing) -> &'static str {
    match standing {
        Standing::Ready => "●",
        Standing::Learning => "◐",
        Standing::Unknown => "?",
        Standing::Silent => "–",
    }
}
