use claviger_jose::NumericDate;
use claviger_keyring::{Keyring, ManagedKey, Serving, Step};
use comfy_table::{Table, presets::NOTHING};
use serde_json::{Value, json};

use super::{Format, Keyroom};
use crate::{
    cli::words::span,
    keys::Opened,
    witnesses::{last_served, serving},
};

pub(super) async fn run(keyroom: &Keyroom<'_>, format: Format) -> anyhow::Result<()> {
    let opened = keyroom.opened().await?;
    let policy = &keyroom.config.policy;
    let (served, now) = keyroom.served().await?;
    let next = opened.keyring.next_due(policy, last_served(served));
    if format.json {
        println!("{:#}", document(&opened, next, now));
        return Ok(());
    }
    println!("{}", table(&opened.keyring, now));
    let secrets = keyroom.vault.stale_secrets(&keyroom.store).await?;
    let stale = keyroom.vault.stale_rows(&keyroom.store.load_keys().await?) + secrets;
    if stale > 0 {
        println!("stale_rows={stale}: under a previous key-encryption key, see `keys rewrap`");
    }
    for key in &opened.unvouched {
        println!("damaged, or changed by hand, and not used: {} ({})", key.jwk.kid(), key.state.name());
    }
    for row in &opened.unreadable {
        println!("damaged, and no key: {} ({}; {})", row.kid, row.state, row.reason);
    }
    match opened.verify_only {
        Some(why) => println!("verify-only: {why}"),
        None => println!("{}", next_step(next, now, serving(served, policy, now))),
    }
    Ok(())
}

fn sorted(keyring: &Keyring) -> Vec<&ManagedKey> {
    let mut keys: Vec<_> = keyring.keys().iter().collect();
    keys.sort_by_key(|key| (key.jwk.alg(), key.state.since()));
    keys
}

fn document(opened: &Opened, next: Option<(NumericDate, Step)>, now: NumericDate) -> Value {
    let keys = sorted(&opened.keyring).into_iter().map(|key| {
        json!({
            "kid": key.jwk.kid(),
            "alg": key.jwk.alg(),
            "state": key.state.name(),
            "since": key.state.since(),
            "until": key.state.until(),
            "published": key.state.is_published(),
        })
    });
    let next = next.filter(|_| opened.verify_only.is_none());
    json!({
        "revision": opened.revision,
        "now": now,
        "keys": keys.collect::<Vec<_>>(),
        "unvouched": opened.unvouched.iter().map(|key| key.jwk.kid()).collect::<Vec<_>>(),
        "unreadable": opened.unreadable.iter().map(|row| row.kid.as_str()).collect::<Vec<_>>(),
        "verify_only": opened.verify_only,
        "next": next.map(|(at, step)| json!({ "at": at, "step": announce(&step) })),
    })
}

fn table(keyring: &Keyring, now: NumericDate) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["kid", "alg", "state", "for", "until"]);
    for key in sorted(keyring) {
        let left = key.state.until().map(|until| format!("in {}", span(until.since(now))));
        table.add_row([
            key.jwk.kid().to_string(),
            key.jwk.alg().to_string(),
            key.state.name().to_owned(),
            span(now.since(key.state.since())),
            left.unwrap_or_default(),
        ]);
    }
    table
}

fn next_step(next: Option<(NumericDate, Step)>, now: NumericDate, serving: Serving) -> String {
    match next {
        Some((at, step @ Step::Activate { .. })) if at <= now && serving == Serving::Nobody => {
            format!("next: {}, when a replica is ready and has served it for long enough", announce(&step))
        }
        Some((at, step)) if at > now => format!("next: {} in {}", announce(&step), span(at.since(now))),
        Some((_, step)) => {
            format!("next: {}, due now: a running issuer does it within a second", announce(&step))
        }
        None => "nothing will be due".to_owned(),
    }
}

fn announce(step: &Step) -> String {
    match step {
        Step::Create { alg, .. } => format!("a new {alg} key"),
        Step::Activate { kid, .. } => format!("{kid} begins to sign"),
        Step::Remove { kid } => format!("{kid} leaves the set"),
        Step::Revoke { kid } => format!("{kid} is revoked"),
    }
}
