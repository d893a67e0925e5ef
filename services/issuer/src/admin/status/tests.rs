use std::time::Duration;

use claviger_keyring::KeyState;
use claviger_store::ServingTime;

use super::{
    samples::{
        CURRENT, DAY, FOREIGN, HOUR, NOW, OLDER, ago, calm, ec, replica, rotating, rsa, verifier, view,
    },
    *,
};

fn follow(view: &StatusView) -> String {
    page(view, Refresh::Follow, NOW).into_string()
}

/// The text of a page without its elements, with single spaces.
fn text(html: &str) -> String {
    let body = html.split_once("<body>").map_or(html, |(_, body)| body);
    let bare: String =
        body.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text).collect();
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(view: &StatusView, facts: &[&str]) {
    let shown = text(&follow(view));
    for fact in facts {
        assert!(shown.contains(fact), "{fact:?} is not in {shown}");
    }
}

#[test]
fn a_calm_fleet_shows_its_next_rotation_and_that_everybody_is_ready() {
    check(
        &calm(),
        &[
            "RS256 key",
            "begins to sign in 6 d 20 h",
            "24 verifiers of 3 services",
            "12 of 12 ready",
            "24 of 24 verifiers hold it, 3 of 3 replicas publish it",
            "its lead is over",
            "24 of 24 verifiers have taken it",
            "1 key, 17 tokens",
            "removed 10 d 23 h ago",
        ],
    );
}

#[test]
fn during_a_rotation_it_is_told_who_lacks_the_next_key() {
    check(
        &rotating(46),
        &[
            "leaves the set in 52 min",
            "32 of 46 verifiers hold it",
            "its lead ends in 23 h 52 min",
            "lacks the next key: ledger-017, ledger-041",
            "holds a set that is not known: ledger-021",
            "silent: ledger-045 (heard 6 min 40 s ago)",
            "36 of 41 verifiers have taken it; 5 do not follow it",
            "revoked 3 d ago",
        ],
    );
}

#[test]
fn what_a_verifier_holds_is_told_by_colour_symbol_and_words() {
    let orders = "https://orders.example.com";
    let cases = [
        ("a", CURRENT, 3, "ready"),
        ("b", OLDER, 3, "learning"),
        ("c", FOREIGN, 3, "unknown"),
        ("d", CURRENT, 301, "silent"),
    ];
    let verifiers = cases.map(|(name, keys, heard, _)| verifier(orders, name, keys, heard)).to_vec();
    let html = follow(&view(rotating(0).keyring.keys().to_vec(), verifiers));
    for ((name, _, _, class), (symbol, words)) in cases.into_iter().zip([
        ("●", "holds the next key"),
        ("◐", "lacks the next key"),
        ("?", "holds a set that is not known"),
        ("–", "silent"),
    ]) {
        let start = format!(r#"<li class="{class}" title="{name}: {words}, heard "#);
        let cell = html.split_once(&start).map(|(_, rest)| rest.split("</li>").next().unwrap_or_default());
        assert!(cell.is_some_and(|cell| cell.ends_with(&format!(">{symbol}"))), "{start} {cell:?}");
    }
    assert!(text(&html).contains("1 of 4 ready"));
}

// S-96
#[test]
fn what_others_say_of_themselves_is_text_and_nothing_else() {
    let attack = r#"</code><script>alert(1)</script>"'><img src=x onerror=alert(2)>"#;
    let mut view = rotating(0);
    let mut named = verifier(attack, attack, attack, 400);
    named.said.version = attack.to_owned();
    view.witnesses.verifiers.push(named);
    view.witnesses.replicas.push(replica(attack, attack, Some(attack)));
    view.own.verify_only = Some(attack.to_owned());
    attack.clone_into(&mut view.own.place);
    attack.clone_into(&mut view.issuer);
    for refresh in [Refresh::Follow, Refresh::Still] {
        let html = page(&view, refresh, NOW).into_string();
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)"));
        let attributes_are_quoted = !html.contains(r#""'><"#) && html.contains("&quot;'&gt;&lt;img");
        assert!(attributes_are_quoted, "{html}");
    }
}

// S-96
#[test]
fn the_page_needs_nothing_that_its_policy_forbids() {
    let html = page(&rotating(46), Refresh::Still, NOW).into_string();
    for forbidden in
        ["<script", " style=", " onclick", "javascript:", "<iframe", "<form", "@import", "//fonts"]
    {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert_eq!(html.matches("<style>").count(), 1, "one style, and its hash is in the policy");
    let policy = CONTENT_SECURITY_POLICY.to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
}

#[test]
fn what_is_wrong_stands_above_all_else() {
    let mut view = calm();
    assert!(!follow(&view).contains("class=\"bad\""));
    view.own.refusal = Some("the database has not confirmed the keys within the lease".to_owned());
    view.own.clock_is_off = true;
    view.own.unusable_keys = 2;
    check(&view, &["Not signing. the database", "The clock is off.", "2 stored keys cannot be used."]);
    assert!(follow(&view).contains("<title>Claviger: not signing"));
    view.own.verify_only = Some("another key".to_owned());
    check(
        &view,
        &["Verify-only. Keys are published, nothing is signed: another key.", "It is not taken while"],
    );
}

/// A fleet whose next ES256 key should have signed since yesterday.
fn overdue() -> StatusView {
    let keys = vec![
        rsa(1, KeyState::Active { since: ago(10 * DAY) }),
        rsa(2, KeyState::Prepared { since: ago(10 * DAY) }),
        ec(3, KeyState::Active { since: ago(31 * DAY) }),
        ec(4, KeyState::Prepared { since: ago(31 * DAY) }),
    ];
    view(keys, Vec::new())
}

// S-36
#[test]
fn a_step_that_waits_for_a_replica_names_it() {
    let mut view = overdue();
    view.witnesses.replicas[1] = replica("id-b 97", OLDER, None);
    check(
        &view,
        &[
            "begins to sign now",
            "It waits for a replica that does not publish the key yet: id-b 97",
            "publishes an older set",
            "No verifier has named itself",
        ],
    );
}

#[test]
fn a_step_that_is_due_while_nobody_is_ready_waits_for_somebody() {
    let mut view = overdue();
    view.witnesses.serving = Some(ServingTime { since: ago(90 * DAY), seen: ago(HOUR) });
    check(&view, &["begins to sign now", "It waits until a replica is ready and has served the key"]);
}

#[test]
fn an_issuer_without_keys_or_a_feed_has_a_page_as_well() {
    let mut view = view(Vec::new(), Vec::new());
    view.feed = None;
    view.witnesses.replicas.clear();
    check(
        &view,
        &[
            "No key signs.",
            "No key is ready to follow.",
            "No statement has been signed yet.",
            "This process alone",
        ],
    );
}

#[test]
fn the_page_follows_until_it_is_held_and_faster_when_the_step_is_near() {
    let mut view = calm();
    assert!(follow(&view).contains(r#"http-equiv="refresh" content="5""#));
    assert!(!page(&view, Refresh::Still, NOW).into_string().contains("http-equiv"));
    let mut keys = view.keyring.keys().to_vec();
    keys[0].state = KeyState::Active { since: ago(30 * DAY - 59) };
    keys[1].state = KeyState::Prepared { since: ago(30 * DAY - 59) };
    view.keyring = claviger_keyring::Keyring::new(keys);
    assert!(follow(&view).contains(r#"http-equiv="refresh" content="1""#));
}

#[test]
fn a_fleet_beyond_measure_is_drawn_in_part_and_says_so() {
    let audience = |n: u32| format!("https://{n:03}.example.com");
    let crowd = |n: u32| verifier(&audience(n % 120), &format!("i-{n:05}"), CURRENT, 3);
    let one = |n: u32| verifier("https://big.example.com", &format!("big-{n:05}"), CURRENT, 3);
    let mut view = view(calm().keyring.keys().to_vec(), (0..5_000).map(crowd).collect());
    check(&view, &["5000 verifiers of 120 services", "and 20 more services"]);
    view.witnesses.verifiers = (0..2_000).map(one).collect();
    check(&view, &["2000 of 2000 ready", "+1800"]);
    view.witnesses.overflowed = Some(ago(HOUR / 60));
    check(&view, &["Some verifiers were turned away"]);
    assert!(follow(&view).len() < 1_000_000);
}

#[test]
fn a_key_that_is_overdue_or_from_the_future_still_has_a_lane() {
    let keys = vec![
        ec(1, KeyState::Retiring { since: ago(2 * HOUR), until: ago(HOUR) }),
        ec(2, KeyState::Active { since: NOW + Duration::from_mins(1) }),
        ec(3, KeyState::Prepared { since: ago(0) }),
    ];
    let html = follow(&view(keys, Vec::new()));
    assert_eq!(html.matches("<li class=\"lane\">").count(), 3);
    assert!(!html.contains("NaN") && !html.contains(" width=\"-"), "no width below zero");
}
