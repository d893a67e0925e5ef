use claviger_jose::{Algorithm, Jwk, NumericDate};
use claviger_keyring::{KeyState, Move, PURPOSE, SealedKey};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryTrait, Set};

use crate::{
    Act, Outcome, Store, StoreError, audit_log,
    entity::{revision, signing_key},
    failpoint, key_row,
    store::{advance, advance_revocations, read_revisions, secs},
    timed::Transaction,
    waiting::announce,
};

/// All keys at one moment.
#[derive(Debug, Clone)]
pub struct KeySnapshot {
    /// The number of the last change: [`Store::change_keys`] asks for it.
    pub revision: u64,
    /// The keys, tombstones included, oldest first.
    pub keys: Vec<StoredKey>,
    /// Rows that are damaged. The others are as good as ever.
    pub unreadable: Vec<UnreadableKey>,
}

/// A key as it is stored. Whether the state is the true one, its seal says; who holds the key-encryption key checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The public key.
    pub jwk: Jwk,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it was made.
    pub created_at: NumericDate,
    /// The private key; none behind a tombstone.
    pub sealed: Option<SealedKey>,
    /// Which key-encryption key has made the seals.
    pub kek_id: String,
    /// The seal over the state.
    pub state_seal: Vec<u8>,
}

/// A row that is no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableKey {
    /// What stands where the kid should be.
    pub kid: String,
    /// What stands where the algorithm should be.
    pub alg: String,
    /// What stands where the purpose should be.
    pub purpose: String,
    /// What stands where the state should be: the database goes by it, whatever the rest of the row is.
    pub state: String,
    /// What is wrong with the row, in words that hold nothing secret.
    pub reason: String,
}

/// A key that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The public key.
    pub jwk: Jwk,
    /// Its first state.
    pub state: KeyState,
    /// When it was made.
    pub created_at: NumericDate,
    /// The private key.
    pub sealed: SealedKey,
    /// The seal over the state.
    pub state_seal: Vec<u8>,
}

/// One part of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOp {
    /// A key comes into being.
    Insert(NewKey),
    /// A key goes from one state to another.
    Move {
        /// From where to where.
        change: Move,
        /// The seal over the new state.
        state_seal: Vec<u8>,
    },
    /// A row that is no key is declared dead: as an active one it would stand in the way of every successor. There is
    /// nothing that a seal could vouch for.
    Bury {
        /// What stands where the kid should be.
        kid: String,
        /// When it is declared dead.
        at: NumericDate,
    },
}

impl UnreadableKey {
    /// Whether the database takes it for the active key of an algorithm, beside which there can be no other.
    #[must_use]
    pub fn stands_for(&self, alg: Algorithm) -> bool {
        self.state == "active" && self.purpose == PURPOSE && self.alg == alg.as_str()
    }

    /// Whether it is declared dead already.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.state == "revoked"
    }
}

impl Store {
    /// All keys and the number of their last change, as of one moment.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] above all. A damaged row is no error: it is reported beside the others.
    pub async fn load_keys(&self) -> Result<KeySnapshot, StoreError> {
        let transaction = self.begin_read().await?;
        let revision = read_revisions(&transaction).await?.keyring;
        let rows = transaction.query_all(&signing_key::Entity::find().into_query()).await?;
        transaction.commit().await?;
        let mut snapshot = KeySnapshot { revision, keys: Vec::new(), unreadable: Vec::new() };
        for row in &rows {
            match key_row::parse(row) {
                Ok(key) => snapshot.keys.push(key),
                Err(unreadable) => snapshot.unreadable.push(unreadable),
            }
        }
        snapshot.keys.sort_by_key(|key| (key.created_at, *key.jwk.kid()));
        Ok(snapshot)
    }

    /// Makes the operations in their order and in one transaction, if nobody changed a key since `expected_revision`.
    /// A key that leaves the set loses its private half in the same breath; one that is revoked is news of the revocation
    /// feed as well. The acts are written with the change, or nothing is changed.
    ///
    /// # Errors
    /// Nothing is changed then. [`StoreError::KidExists`] for a new key that there is, or ever was;
    /// [`StoreError::NotInState`] for a move from a state that the key is not in; [`StoreError::Refused`] for moves that
    /// the database itself forbids, such as a second active key.
    pub async fn change_keys(
        &self,
        expected_revision: u64,
        operations: &[KeyOp],
        acts: &[Act],
    ) -> Result<Outcome, StoreError> {
        failpoint("keys.before_begin");
        let transaction = self.begin_write().await?;
        if !advance(&transaction, revision::Column::Keyring, expected_revision).await? {
            transaction.rollback().await?;
            return Ok(Outcome::AlreadyRotated);
        }
        failpoint("keys.after_version");
        for operation in operations {
            match operation {
                KeyOp::Insert(key) => {
                    insert(&transaction, key).await?;
                    failpoint("keys.after_insert");
                }
                KeyOp::Move { change, state_seal } => {
                    make(&transaction, change, state_seal).await?;
                    failpoint("keys.after_first_move");
                }
                KeyOp::Bury { kid, at } => bury(&transaction, kid, *at).await?,
            }
        }
        if operations.iter().any(revokes) {
            advance_revocations(&transaction).await?;
        }
        audit_log::append(&transaction, acts).await?;
        announce(&transaction).await?;
        failpoint("keys.before_commit");
        transaction.commit().await?;
        failpoint("keys.after_commit");
        Ok(Outcome::Applied)
    }
}

fn revokes(operation: &KeyOp) -> bool {
    match operation {
        KeyOp::Insert(_) => false,
        KeyOp::Move { change, .. } => matches!(change.to, KeyState::Revoked { .. }),
        KeyOp::Bury { .. } => true,
    }
}

async fn insert(transaction: &Transaction, key: &NewKey) -> Result<(), StoreError> {
    let kid = *key.jwk.kid();
    // Nobody can add it in between: writers of keys stand in line for the revision.
    if signing_key::Entity::find_by_id(kid.as_str()).one(transaction).await?.is_some() {
        return Err(StoreError::KidExists(kid));
    }
    let row = signing_key::ActiveModel {
        kid: Set(kid.to_string()),
        alg: Set(key.jwk.alg().to_string()),
        purpose: Set(PURPOSE.to_owned()),
        state: Set(key.state.name().to_owned()),
        since: Set(secs(key.state.since())),
        until: Set(key.state.until().map(secs)),
        created_at: Set(secs(key.created_at)),
        public_jwk: Set(serde_json::to_string(&key.jwk).expect("a public key is JSON")),
        sealed: Set(Some(key.sealed.bytes.clone())),
        kek_id: Set(key.sealed.kek_id.clone()),
        state_seal: Set(key.state_seal.clone()),
    };
    signing_key::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

async fn make(transaction: &Transaction, change: &Move, state_seal: &[u8]) -> Result<(), StoreError> {
    let Move { kid, from, to } = change;
    let mut row = signing_key::ActiveModel {
        state: Set(to.name().to_owned()),
        since: Set(secs(to.since())),
        until: Set(to.until().map(secs)),
        state_seal: Set(state_seal.to_owned()),
        ..Default::default()
    };
    if !to.is_published() {
        row.sealed = Set(None);
    }
    let update = signing_key::Entity::update_many()
        .set(row)
        .filter(signing_key::Column::Kid.eq(kid.as_str()))
        .filter(signing_key::Column::State.eq(from.name()))
        .filter(signing_key::Column::Since.eq(secs(from.since())));
    match update.exec(transaction).await?.rows_affected {
        1 => Ok(()),
        _ => Err(StoreError::NotInState(*kid)),
    }
}

async fn bury(transaction: &Transaction, kid: &str, at: NumericDate) -> Result<(), StoreError> {
    let dead = KeyState::Revoked { at };
    let row = signing_key::ActiveModel {
        state: Set(dead.name().to_owned()),
        since: Set(secs(at)),
        until: Set(None),
        sealed: Set(None),
        state_seal: Set(Vec::new()),
        ..Default::default()
    };
    let update = signing_key::Entity::update_many()
        .set(row)
        .filter(signing_key::Column::Kid.eq(kid))
        .filter(signing_key::Column::State.ne(dead.name()));
    match update.exec(transaction).await?.rows_affected {
        1 => Ok(()),
        _ => Err(StoreError::Corrupt(format!("there is no row {kid:?} that could be declared dead"))),
    }
}
