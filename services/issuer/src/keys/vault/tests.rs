use std::time::Duration;

use claviger_jose::NumericDate;
use claviger_keyring::{KnownBy, generate};

use super::*;
use crate::{keys::KeyView, rng::SystemRng};

fn kek(seed: u8) -> KeyEncryptionKey {
    let raw: Vec<u8> = (0..32_u8).map(|n| n.wrapping_mul(seed) ^ (n << 3) ^ seed).collect();
    KeyEncryptionKey::new(&raw).unwrap()
}

fn vault(seed: u8) -> Vault {
    Vault::new("https://id.example.test".parse().unwrap(), kek(seed))
}

fn row(vault: &Vault, state: KeyState) -> StoredKey {
    let (pkcs8, key) = generate(Algorithm::Es256, &mut SystemRng).unwrap();
    let context = vault.context(key.kid(), key.alg());
    let sealed = SealedKey::seal(&pkcs8.into(), context, &vault.kek, &mut SystemRng);
    StoredKey {
        jwk: key.jwk().clone(),
        state,
        created_at: state.since(),
        kek_id: sealed.kek_id.clone(),
        sealed: Some(sealed),
        state_seal: vault.kek.seal_state(context, state),
    }
}

fn snapshot(vault: &Vault) -> KeySnapshot {
    let since = NumericDate::from_secs(1000);
    let keys = vec![row(vault, KeyState::Active { since }), row(vault, KeyState::Prepared { since })];
    KeySnapshot { revision: 1, keys, unreadable: Vec::new() }
}

#[test]
fn the_right_key_opens_what_it_has_sealed() {
    let vault = vault(7);
    let opened = vault.open(&snapshot(&vault), &[]);
    assert_eq!((opened.signers.len(), opened.keyring.keys().len()), (1, 2));
    assert!(opened.verify_only.is_none() && opened.unvouched.is_empty());
}

// S-49
#[test]
fn under_another_key_everything_is_published_and_nothing_signs() {
    let opened = vault(11).open(&snapshot(&vault(7)), &[]);
    assert_eq!((opened.signers.len(), opened.keyring.published().count()), (0, 2));
    assert!(opened.verify_only.unwrap().contains("does not open the stored keys"));
}

// S-53
#[test]
fn a_row_of_somebody_who_lacks_the_key_is_never_published() {
    let vault = vault(7);
    let mut forged = snapshot(&vault);
    let before = view(vault.open(&forged, &[]));
    for row in &mut forged.keys {
        row.state_seal = vec![0; 32];
    }
    forged.revision = 2;
    let opened = vault.open(&forged, &[]);
    assert!(opened.verify_only.is_some());
    assert_eq!(opened.keyring.published().count(), 0);

    // Even rows that claim to be under another key do not replace what was vouched for.
    for row in &mut forged.keys {
        row.kek_id = "somebody's".to_owned();
    }
    let opened = vault.open(&forged, &[]);
    assert_eq!(opened.keyring.published().count(), 2, "at a cold start that is all there is");
    let published = before.published.body.clone();
    let after = before.followed_by(view(opened));
    assert_eq!(after.published.body, published);
    assert!(after.signer(Algorithm::Es256).is_none() && after.verify_only.is_some());

    // Nor does a key of his own beside them, a moment later.
    let mut own = row(&self::vault(11), prepared());
    own.kek_id = "somebody's".to_owned();
    forged.keys.push(own);
    let later = after.followed_by(view(vault.open(&forged, &[])));
    assert_eq!(later.published.body, published);
    assert!(later.verify_only.is_some() && later.keyring.published().count() == 2);

    // The right key makes the set follow again.
    let right = later.followed_by(view(vault.open(&snapshot(&vault), &[])));
    assert_ne!(right.published.body, published);
}

// S-49 S-53
#[test]
fn before_any_set_was_vouched_for_each_look_is_followed() {
    let (ours, theirs) = (vault(11), vault(7));
    let cold = KeyView::empty().followed_by(view(ours.open(&snapshot(&theirs), &[])));
    assert_eq!((cold.keyring.published().count(), cold.vouched), (2, false));
    let again = snapshot(&theirs);
    let next = cold.followed_by(view(ours.open(&again, &[])));
    assert!(next.published_kids().contains(again.keys[0].jwk.kid()));
}

// S-50
#[test]
fn who_lacks_one_of_two_key_encryption_keys_publishes_all_keys_and_signs_with_none() {
    let (old, new) = (vault(7), vault(11).accepting(kek(7)));
    let before = snapshot(&old);
    let held = view(old.open(&before, &[]));
    let mut half = before.clone();
    let moved = &mut half.keys[0];
    let context = new.context(moved.jwk.kid(), moved.jwk.alg());
    moved.kek_id = new.kek.id().to_owned();
    moved.state_seal = new.kek.seal_state(context, moved.state);
    half.revision = 2;
    let opened = old.open(&half, &[]);
    assert_eq!((opened.signers.len(), opened.keyring.published().count()), (0, 2), "at a cold start too");
    assert!(opened.verify_only.as_ref().unwrap().contains("does not open all"));
    let next = held.followed_by(view(opened));
    assert_eq!(next.published.body, held.published.body);
    assert!(new.open(&half, &[]).verify_only.is_none(), "who has both goes on");

    // A tombstone is in no set: it makes nothing incomplete.
    half.keys[0].state = KeyState::Revoked { at: NumericDate::from_secs(2000) };
    half.keys[0].sealed = None;
    assert!(old.open(&half, &[]).verify_only.is_none());
}

fn prepared() -> KeyState {
    KeyState::Prepared { since: NumericDate::from_secs(1000) }
}

fn view(opened: Opened) -> KeyView {
    KeyView::new(opened, Duration::ZERO, Duration::ZERO, Duration::ZERO)
}

// S-53
#[test]
fn a_damaged_active_key_blocks_its_own_algorithm_and_no_other() {
    let vault = vault(7);
    let mut damaged = snapshot(&vault);
    damaged.keys[0].state_seal[5] ^= 1;
    let opened = vault.open(&damaged, &[]);
    assert_eq!((opened.signers.len(), opened.unvouched.len()), (0, 1));
    let next = *damaged.keys[1].jwk.kid();
    assert!(opened.blocks(&Step::Activate { kid: next, known_by: KnownBy::Lead }));
    assert!(opened.blocks(&Step::Create { alg: Algorithm::Es256, active: false }));
    assert!(!opened.blocks(&Step::Create { alg: Algorithm::Rs256, active: true }));
    assert!(!opened.blocks(&Step::Remove { kid: next }));
}

fn active(vault: &Vault) -> StoredKey {
    row(vault, KeyState::Active { since: NumericDate::from_secs(1000) })
}

fn snapshot_of(keys: Vec<StoredKey>) -> KeySnapshot {
    KeySnapshot { revision: 1, keys, unreadable: Vec::new() }
}

/// Which of the rows sign, by their position. Each signs as itself, or there is a signature that is wrong.
fn signing(vault: &Vault, snapshot: &KeySnapshot, kids: &[Kid]) -> Vec<usize> {
    let opened = vault.open(snapshot, &[]);
    for key in &opened.signers {
        key.test().expect("a wrong signature");
    }
    (0..kids.len())
        .filter(|position| opened.signers.iter().any(|key| *key.kid() == kids[*position]))
        .collect()
}

/// Two rows and what is done to the first of them, or to both: the third always signs.
fn check_damage(
    rows: &[StoredKey; 3],
    damage: impl FnOnce(&mut StoredKey, &mut StoredKey),
    expected: &[usize],
) {
    let kids = rows.each_ref().map(|row| *row.jwk.kid());
    let mut damaged = rows.clone();
    let [first, second, _] = &mut damaged;
    damage(first, second);
    let vault = vault(7).accepting(kek(11));
    assert_eq!(signing(&vault, &snapshot_of(damaged.into()), &kids), expected);
}

// S-47
#[test]
fn two_hundred_damaged_bytes_of_a_row_cost_that_key_and_no_other() {
    let vault = vault(7);
    let rows = [active(&vault), active(&vault), active(&vault)];
    let mut random: u64 = 50;
    for _ in 0..200 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (at, bit) = (usize::try_from(random >> 40).unwrap(), u8::try_from(random >> 32 & 7).unwrap());
        let flip = |row: &mut StoredKey| {
            let sealed = &mut row.sealed.as_mut().unwrap().bytes;
            let (of_key, of_state) = (sealed.len(), row.state_seal.len());
            match at % (of_key + of_state + 8) {
                position if position < of_key => sealed[position] ^= 1 << bit,
                position if position < of_key + of_state => row.state_seal[position - of_key] ^= 1 << bit,
                position => {
                    let secs = row.state.since().as_secs() ^ 1 << (8 * (position - of_key - of_state)) << bit;
                    row.state = KeyState::Active { since: NumericDate::from_secs(secs) };
                }
            }
        };
        check_damage(&rows, |row, _| flip(row), &[1, 2]);
    }
}

// S-47
#[test]
fn a_row_cut_off_exchanged_or_renamed_costs_itself_and_no_other() {
    let vault = vault(7).accepting(kek(11));
    let rows = [active(&vault), active(&vault), active(&vault)];
    let length = rows[0].sealed.as_ref().unwrap().bytes.len();
    for left in (0..length).step_by(7) {
        check_damage(&rows, |row, _| row.sealed.as_mut().unwrap().bytes.truncate(left), &[1, 2]);
    }
    check_damage(&rows, |row, _| row.state_seal.truncate(31), &[1, 2]);
    check_damage(&rows, |row, _| row.state_seal.clear(), &[1, 2]);
    check_damage(&rows, |row, _| row.sealed = None, &[1, 2]);
    check_damage(&rows, |one, other| std::mem::swap(&mut one.sealed, &mut other.sealed), &[2]);
    check_damage(&rows, |one, other| std::mem::swap(&mut one.state_seal, &mut other.state_seal), &[2]);
    check_damage(&rows, |one, other| std::mem::swap(&mut one.jwk, &mut other.jwk), &[2]);
    // The whole row under another place in the table is the same row.
    check_damage(&rows, std::mem::swap, &[0, 1, 2]);
    for id in ["", "another", kek(11).id()] {
        let rename = |row: &mut StoredKey, _: &mut StoredKey| {
            row.kek_id = id.to_owned();
            row.sealed.as_mut().unwrap().kek_id = id.to_owned();
        };
        check_damage(&rows, rename, &[1, 2]);
    }
}

// S-50
#[test]
fn keys_under_either_of_two_key_encryption_keys_sign() {
    let (old, new) = (vault(7), vault(11).accepting(kek(7)));
    let rows = vec![active(&old), active(&new)];
    let kids: Vec<Kid> = rows.iter().map(|row| *row.jwk.kid()).collect();
    assert_eq!(signing(&new, &snapshot_of(rows), &kids), [0, 1]);
}

// S-50 S-53
#[test]
fn a_key_under_the_old_key_encryption_key_moves_under_its_seal() {
    let (old, new) = (vault(7), vault(11).accepting(kek(7)));
    let mut row = active(&old);
    let before = snapshot_of(vec![row.clone()]);
    let next =
        KeyState::Retiring { since: NumericDate::from_secs(2000), until: NumericDate::from_secs(3000) };
    row.state_seal = new.seal_next(&before, row.jwk.kid(), row.jwk.alg(), next);
    row.state = next;
    for vault in [old, new] {
        assert!(vault.open(&snapshot_of(vec![row.clone()]), &[]).unvouched.is_empty());
    }
}

// S-49
#[test]
fn a_key_that_is_kept_where_nobody_can_reach_does_not_sign_and_the_others_do() {
    let vault = vault(7);
    let mut rows = [active(&vault), active(&vault)];
    let elsewhere = Secret::Reference(claviger_keyring::Reference("pkcs11:type=private;id=%01".to_owned()));
    let context = vault.context(rows[0].jwk.kid(), Algorithm::Es256);
    rows[0].sealed = Some(SealedKey::seal(&elsewhere, context, &vault.kek, &mut SystemRng));
    let kids = rows.each_ref().map(|row| *row.jwk.kid());
    assert_eq!(signing(&vault, &snapshot_of(rows.into()), &kids), [1]);
}
