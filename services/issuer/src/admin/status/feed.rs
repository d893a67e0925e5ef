use claviger_jose::NumericDate;
use claviger_store::SeenVerifier;
use maud::{Markup, html};

use super::{
    view::{FeedFacts, StatusView},
    words,
};

/// How many verifiers that are behind are named.
const NAMED: usize = 8;

/// The revocation feed, and who has not taken its last statement.
pub(super) fn section(view: &StatusView, now: NumericDate) -> Markup {
    html! {
        section.feed aria-labelledby="feed" {
            h2 id="feed" { "Revocation feed" }
            @match view.feed {
                None => p.none { "No statement has been signed yet." },
                Some(feed) => {
                    (facts(feed, now))
                    (taken(view))
                },
            }
        }
    }
}

fn facts(feed: FeedFacts, now: NumericDate) -> Markup {
    let expired = feed.expires <= now;
    html! {
        dl {
            div { dt { "sequence" } dd { (feed.sequence) } }
            div {
                dt { "signed" }
                dd.bad[expired] {
                    (words::relative(feed.signed, now)) ", "
                    @if expired { "expired " } @else { "expires " } (words::relative(feed.expires, now))
                }
            }
            div { dt { "revoked" } dd { (words::count(feed.keys, "key")) ", " (feed.others) " tokens, sessions, subjects or clients" } }
        }
    }
}

fn taken(view: &StatusView) -> Markup {
    let all = &view.witnesses.verifiers;
    let follows = |verifier: &&SeenVerifier| verifier.said.sequence.is_some();
    let following = all.iter().filter(follows).count();
    let behind: Vec<_> =
        all.iter().filter(follows).filter(|verifier| view.is_before_feed(verifier)).collect();
    html! {
        @if all.is_empty() {
            p { "Nobody is known to follow it." }
        } @else {
            p.learned {
                progress max=(following.max(1)) value=(following - behind.len()) aria-label="verifiers that have taken the last statement" {}
                " " strong { (following - behind.len()) " of " (words::count(following, "verifier")) } " have taken it"
                @if all.len() > following { "; " (all.len() - following) " do not follow it" }
            }
        }
        @if !behind.is_empty() {
            p.named {
                "Not yet: "
                @for (place, verifier) in behind.iter().take(NAMED).enumerate() {
                    @if place > 0 { ", " }
                    code { (verifier.said.instance) }
                }
                @if behind.len() > NAMED { ", and " (behind.len() - NAMED) " more" }
            }
        }
    }
}
