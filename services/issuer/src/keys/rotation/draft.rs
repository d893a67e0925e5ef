use claviger_jose::{Jwk, NumericDate};
use claviger_keyring::{KeyState, Keyring, KnownBy, Move, RotationPolicy, Secret, Step, StepRefused};
use claviger_store::{Act, KeyOp, KeySnapshot, UnreadableKey};
use serde_json::{Value, json};

use super::{Made, Vault};
use crate::actor::Actor;

/// What is to be written into the database for some steps: the changes, and who made them.
pub(super) struct Draft<'r> {
    vault: &'r Vault,
    actor: &'r Actor,
    policy: &'r RotationPolicy,
    snapshot: &'r KeySnapshot,
    keyring: Keyring,
    pub(super) ops: Vec<KeyOp>,
    pub(super) acts: Vec<Act>,
}

impl<'r> Draft<'r> {
    pub(super) fn new(
        vault: &'r Vault,
        actor: &'r Actor,
        policy: &'r RotationPolicy,
        snapshot: &'r KeySnapshot,
        keyring: Keyring,
    ) -> Self {
        Self { vault, actor, policy, snapshot, keyring, ops: Vec::new(), acts: Vec::new() }
    }

    /// The draft with these steps, each of which takes the keys that it creates from `made`.
    pub(super) fn written(
        mut self,
        steps: &[Step],
        made: &[Made],
        now: NumericDate,
    ) -> Result<Self, StepRefused> {
        let mut unused: Vec<&Made> = made.iter().collect();
        for step in steps {
            let new = match step {
                Step::Create { alg, .. } => {
                    let found = unused.iter().position(|(_, key)| key.alg() == *alg);
                    found.map(|place| unused.swap_remove(place))
                }
                _ => None,
            };
            let created = new.map(|(_, key)| key.jwk().clone());
            for change in self.keyring.apply(step, created, self.policy, now)? {
                self.write_move(change, step)?;
            }
            if let (Step::Create { active, .. }, Some((secret, key))) = (step, new) {
                let state =
                    if *active { KeyState::Active { since: now } } else { KeyState::Prepared { since: now } };
                self.write_new(key.jwk(), secret, state, now);
            }
        }
        Ok(self)
    }

    /// The same, with rows that are declared dead although they are no keys.
    pub(super) fn burying(mut self, rows: &[&UnreadableKey], now: NumericDate) -> Self {
        for row in rows {
            let after = tell(KeyState::Revoked { at: now });
            let detail = json!({ "alg": row.alg, "before": row.state, "after": after, "damage": row.reason });
            self.acts.push(self.actor.act("key.revoke", row.kid.clone(), detail));
            self.ops.push(KeyOp::Bury { kid: row.kid.clone(), at: now });
        }
        self
    }

    fn write_move(&mut self, change: Move, step: &Step) -> Result<(), StepRefused> {
        let key = self.keyring.keys().iter().find(|key| key.jwk.kid() == &change.kid);
        let alg = key.ok_or(StepRefused::UnknownKey(change.kid))?.jwk.alg();
        let mut detail = json!({ "alg": alg, "before": tell(change.from), "after": tell(change.to) });
        if let (Step::Activate { known_by, .. }, KeyState::Active { .. }) = (step, change.to) {
            detail["known_by"] = json!(match known_by {
                KnownBy::Lead => "lead",
                KnownBy::Fleet => "fleet",
                KnownBy::Nobody => "force",
            });
        }
        self.acts.push(self.actor.act(name(change.to), change.kid.to_string(), detail));
        let state_seal = self.vault.seal_next(self.snapshot, &change.kid, alg, change.to);
        self.ops.push(KeyOp::Move { change, state_seal });
        Ok(())
    }

    fn write_new(&mut self, jwk: &Jwk, secret: &Secret, state: KeyState, now: NumericDate) {
        let detail = json!({ "alg": jwk.alg(), "before": null, "after": tell(state) });
        self.acts.push(self.actor.act("key.create", jwk.kid().to_string(), detail));
        self.ops.push(KeyOp::Insert(self.vault.seal(jwk, state, secret, now)));
    }
}

/// The act that leads to a state.
fn name(to: KeyState) -> &'static str {
    match to {
        KeyState::Prepared { .. } => "key.create",
        KeyState::Active { .. } => "key.activate",
        KeyState::Retiring { .. } => "key.retire",
        KeyState::Removed { .. } => "key.remove",
        KeyState::Revoked { .. } => "key.revoke",
    }
}

pub(super) fn tell(state: KeyState) -> Value {
    let mut told = json!({ "state": state.name(), "since": state.since() });
    if let Some(until) = state.until() {
        told["until"] = json!(until);
    }
    told
}
