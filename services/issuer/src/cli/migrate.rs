use anyhow::{Context, bail};
use clap::Args;
use claviger_jose::{Algorithm, NumericDate};
use claviger_keyring::{KeyState, RotationPolicy};
use claviger_oauth::Audience;
use claviger_store::{Outcome, RegistrySnapshot, SeenVerifier, Store, StoredKey};
use serde_json::json;

use super::words::span;
use crate::{
    actor::Actor,
    config::Config,
    keys::{Opened, Vault},
    witnesses::Witnesses,
};

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// The resource server, by its audience.
    #[arg(long)]
    audience: Audience,
    /// The algorithm that its tokens are to be signed with: RS256 or ES256.
    #[arg(long)]
    to: Algorithm,
    /// Go on although some verifiers are not ready: they refuse good tokens until they have learned the key.
    #[arg(long)]
    force: bool,
}

impl Migrate {
    pub(super) async fn run(self, config: &Config, store: &Store, vault: &Vault) -> anyhow::Result<()> {
        let Self { audience, to, force } = self;
        let RegistrySnapshot { revision, mut registry } = store.load_registry().await?;
        let server = registry.resource_servers.iter_mut().find(|server| server.audience == audience);
        let server = server.with_context(|| format!("there is no resource server {audience}"))?;
        let from = server.alg;
        if from == to {
            println!("tokens for {audience} are signed with {to} already");
            return Ok(());
        }
        let keys = store.load_keys().await?;
        let key = signer(&vault.open(&keys, &[]), &keys.keys, to)?;
        let now = store.now().await?;
        let witnesses = Witnesses::load(store, &config.policy).await?;
        let readiness = Readiness::of(&audience, &key, &witnesses, &config.policy, now);
        readiness.print(&audience, &key);
        if !readiness.not_ready.is_empty() && !force {
            let detail = json!({ "asked": "migrate", "to": to, "reason": readiness.not_ready });
            store.note(&[Actor::operator().act("keys.refused", audience.to_string(), detail)]).await?;
            bail!(
                "nothing was changed: some would refuse good tokens until they have learned the key; wait for them, \
                 or see --force"
            );
        }
        server.alg = to;
        let detail =
            json!({ "before": from, "after": to, "kid": key.jwk.kid(), "not_ready": readiness.not_ready });
        let act = Actor::operator().act("registry.migrate", audience.to_string(), detail);
        match store.replace_registry(revision, &registry, &[act]).await? {
            Outcome::Applied => {}
            Outcome::AlreadyRotated => {
                bail!("somebody else changed the fleet at the same time; nothing was changed: try again")
            }
        }
        println!(
            "tokens for {audience} are signed with {to} from now on; a running issuer learns it within a second"
        );
        println!("say algorithm = \"{to}\" in the fleet file too: the next `claviger apply` would undo this");
        Ok(())
    }
}

/// The key that signs with an algorithm.
fn signer(opened: &Opened, rows: &[StoredKey], alg: Algorithm) -> anyhow::Result<StoredKey> {
    if let Some(why) = &opened.verify_only {
        bail!("verify-only: {why}");
    }
    let key = opened.keyring.active(alg).with_context(|| format!("no {alg} key signs: see `keys list`"))?;
    let row = rows.iter().find(|row| row.jwk.kid() == key.jwk.kid());
    row.cloned().context("the keys have changed: try again")
}

/// Who could verify a token that is signed with another key.
#[derive(Debug, PartialEq, Eq)]
struct Readiness {
    /// How many verifiers of the audience are known.
    known: usize,
    /// Those who could not, or why it is not known.
    not_ready: Vec<String>,
    /// For how long the key has been published.
    published: std::time::Duration,
}

impl Readiness {
    fn of(
        audience: &Audience,
        key: &StoredKey,
        witnesses: &Witnesses,
        policy: &RotationPolicy,
        now: NumericDate,
    ) -> Self {
        let is_live = |verifier: &&SeenVerifier| now.since(verifier.seen) <= policy.verifier_silence();
        let of_audience = |verifier: &&SeenVerifier| verifier.said.audience == audience.as_str();
        let live: Vec<&SeenVerifier> =
            witnesses.verifiers.iter().filter(of_audience).filter(is_live).collect();
        let holds = |verifier: &SeenVerifier| witnesses.keys_of(&verifier.said.keys).contains(key.jwk.kid());
        let mut not_ready: Vec<String> = live
            .iter()
            .filter(|verifier| !holds(verifier))
            .map(|verifier| {
                let (said, seen) = (&verifier.said, span(now.since(verifier.seen)));
                format!("{} (version {}, seen {seen} ago) does not hold the key", said.instance, said.version)
            })
            .collect();
        not_ready.sort();
        let overflowed = witnesses.overflowed.is_some_and(|at| now.since(at) <= policy.verifier_silence());
        if overflowed {
            not_ready.push("there are more verifiers than the issuer remembers".to_owned());
        }
        let published = now.since(key.created_at);
        if live.is_empty() && published < policy.lifetimes().lead {
            not_ready.push(format!(
                "no verifier of the audience has named itself lately, and the key has not been published for the lead, {}",
                span(policy.lifetimes().lead)
            ));
        }
        Self { known: live.len(), not_ready, published }
    }

    fn print(&self, audience: &Audience, key: &StoredKey) {
        let (alg, kid) = (key.jwk.alg(), key.jwk.kid());
        let since =
            if let KeyState::Active { since } = key.state { since.to_string() } else { String::new() };
        println!(
            "the {alg} key {kid} signs since {since} and has been published for {}",
            span(self.published)
        );
        println!("{} verifiers of {audience} have named themselves lately", self.known);
        println!("verifiers of other products do not: see that theirs accept {alg}");
        for one in &self.not_ready {
            println!("not ready: {one}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use claviger_jose::{Jwk, PublicKey, VerifierReport};

    use super::*;

    const NOW: u64 = 1_000_000;

    fn key(created_at: u64) -> StoredKey {
        let created_at = NumericDate::from_secs(created_at);
        StoredKey {
            jwk: Jwk::new(PublicKey::P256 { x: [1; 32], y: [2; 32] }).unwrap(),
            state: KeyState::Active { since: created_at },
            created_at,
            sealed: None,
            kek_id: String::new(),
            state_seal: Vec::new(),
        }
    }

    /// A verifier of a service, the set that it holds, and how long ago it was heard of.
    fn verifier((service, keys, ago): (&str, &str, u64)) -> SeenVerifier {
        let said = VerifierReport {
            audience: format!("https://{service}.test"),
            instance: format!("{service}-{ago}"),
            keys: keys.to_owned(),
            sequence: None,
            version: "0.1.0".to_owned(),
        };
        let seen = NumericDate::from_secs(NOW - ago);
        SeenVerifier { said, first_seen: seen, seen }
    }

    fn check(verifiers: &[(&str, &str, u64)], overflowed: bool, published: Duration, expected: &[&str]) {
        let (key, now) = (key(NOW - published.as_secs()), NumericDate::from_secs(NOW));
        let witnesses = Witnesses {
            verifiers: verifiers.iter().copied().map(verifier).collect(),
            overflowed: overflowed.then_some(now),
            key_sets: [("new".to_owned(), [*key.jwk.kid()].into()), ("old".to_owned(), [].into())].into(),
            ..Witnesses::default()
        };
        let audience = "https://orders.test".parse().unwrap();
        let readiness = Readiness::of(&audience, &key, &witnesses, &RotationPolicy::default(), now);
        let found: Vec<bool> = readiness.not_ready.iter().zip(expected).map(|(a, b)| a.contains(b)).collect();
        assert!(
            found.len() == expected.len() && readiness.not_ready.len() == expected.len(),
            "{readiness:?}"
        );
        assert!(!found.contains(&false), "{readiness:?}");
    }

    #[test]
    fn an_audience_may_go_when_each_of_its_live_verifiers_holds_the_key() {
        let (hour, week) = (Duration::from_hours(1), Duration::from_hours(168));
        check(&[("orders", "new", 3), ("orders", "new", 9)], false, hour, &[]);
        check(
            &[("orders", "new", 3), ("orders", "old", 9)],
            false,
            week,
            &["orders-9 (version 0.1.0, seen 9s"],
        );
        check(&[("orders", "unknown", 3)], false, week, &["orders-3"]);
        check(&[("orders", "new", 3), ("ledger", "old", 4)], false, hour, &[]);
        check(&[("orders", "new", 3), ("orders", "old", 9000)], false, hour, &[]);
        check(&[("orders", "new", 3)], true, week, &["more verifiers than"]);
    }

    #[test]
    fn an_audience_of_which_nobody_is_known_waits_for_the_lead() {
        let lead = RotationPolicy::default().lifetimes().lead;
        check(&[], false, lead, &[]);
        check(
            &[],
            false,
            lead.checked_sub(Duration::from_secs(1)).unwrap(),
            &["has not been published for the lead"],
        );
        check(&[("ledger", "new", 3)], false, Duration::ZERO, &["no verifier of the audience"]);
    }
}
