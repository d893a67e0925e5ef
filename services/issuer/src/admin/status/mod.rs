//! The status page: keys on a time line, the fleet as a grid, the next step. Plain HTML and SVG.
//!
//! [`StatusView`] is what it is drawn from, a plain value; [`page`] draws it. The templates are maud's: checked and
//! escaped at compile time, beside the code that fills them, without files to be found at run time.

mod feed;
mod fleet;
mod lanes;
mod next;
mod replicas;
#[cfg(test)]
pub(crate) mod samples;
mod scale;
mod view;
mod words;

use std::sync::LazyLock;

use aws_lc_rs::digest;
use claviger_jose::NumericDate;
use http::HeaderValue;
use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(crate) use view::{FeedFacts, OwnFacts, Standing, StatusView};

const STYLE: &str = include_str!("style.css");
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%23247a72' stroke-width='2.4' stroke-linecap='round'%3E%3Ccircle cx='7.5' cy='12' r='4.5'/%3E%3Cpath d='M12 12h10M18 12v4'/%3E%3C/svg%3E";

/// What the page may load and run: its own style, by its hash, its icon, and nothing else.
pub(crate) static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = digest::digest(&digest::SHA256, STYLE.as_bytes());
    let hash = base64_simd::STANDARD.encode_to_string(hash.as_ref());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("base64 is ASCII")
});

/// Whether the page asks the browser to load it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// Every few seconds, and every second while the next step is near.
    Follow,
    /// Not at all: for reading, and for whoever is read to.
    Still,
}

/// The page as it is at `now`.
pub(crate) fn page(view: &StatusView, refresh: Refresh, now: NumericDate) -> Markup {
    let next = view.next_step(now);
    let near = next.as_ref().is_some_and(|next| next.due > now && next.due.since(now).as_secs() <= 60);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if refresh == Refresh::Follow {
                    meta http-equiv="refresh" content=(if near { 1 } else { 5 });
                }
                title { (title(view)) }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(view, refresh, now))
                main {
                    (trouble(view))
                    (next::section(view, next.as_ref(), now))
                    (lanes::section(view, now))
                    (fleet::section(view, refresh, now))
                    div.pair {
                        (replicas::section(view, now))
                        (feed::section(view, now))
                    }
                }
                (footer(view))
            }
        }
    }
}

fn title(view: &StatusView) -> String {
    let state = if view.own.refusal.is_some() { "not signing" } else { "signing" };
    format!("Claviger: {state}, {}", view.issuer)
}

fn header(view: &StatusView, refresh: Refresh, now: NumericDate) -> Markup {
    html! {
        header {
            h1 {
                svg.mark viewBox="0 0 24 24" aria-hidden="true" {
                    circle cx="7.5" cy="12" r="4.5" {}
                    path d="M12 12h10M18 12v4" {}
                }
                "Claviger"
            }
            p.issuer { (view.issuer) }
            p.asof {
                "as of " time datetime=(words::rfc3339(now)) { (words::utc(now)) }
                " from " (view.own.place) " · "
                @match refresh {
                    Refresh::Follow => a href="?still" { "hold still" },
                    Refresh::Still => a href="/" { "follow" },
                }
            }
        }
    }
}

/// What is wrong with the process that answers, above everything else.
fn trouble(view: &StatusView) -> Markup {
    let own = &view.own;
    html! {
        div.trouble role="status" {
            @if let Some(why) = &own.verify_only {
                p.bad { strong { "Verify-only." } " Keys are published, nothing is signed: " (why) "." }
            } @else if let Some(why) = &own.refusal {
                p.bad { strong { "Not signing." } " " (why) "." }
            }
            @if own.clock_is_off {
                p.bad { strong { "The clock is off." } " It differs from the database's by more than the skew allowed." }
            }
            @if own.unusable_keys > 0 {
                p.bad {
                    strong { (words::count(own.unusable_keys, "stored key")) " cannot be used." }
                    " The others work. See the log for the reason."
                }
            }
        }
    }
}

fn footer(view: &StatusView) -> Markup {
    let lifetimes = view.policy.lifetimes();
    let numbers = [
        ("token lifetime", lifetimes.token),
        ("skew", lifetimes.skew),
        ("key set fresh for", lifetimes.freshness),
        ("lease", lifetimes.lease),
        ("lead", lifetimes.lead),
        ("tail", lifetimes.tail),
        ("period", lifetimes.period),
        ("feed polled every", view.poll),
        ("used while away for", view.staleness),
    ];
    html! {
        footer {
            dl {
                @for (name, length) in numbers {
                    div { dt { (name) } dd { (words::span(length)) } }
                }
            }
            p { "claviger " (env!("CARGO_PKG_VERSION")) }
        }
    }
}

#[cfg(test)]
mod tests;
