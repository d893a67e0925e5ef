use std::{io, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use claviger_jose::{Kid, NumericDate, base64url};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::feed::RevocationList;

/// What the checksum is for, so that no other use of the key can make one.
const PURPOSE: &[u8] = b"claviger jwks copy: 1\n";
/// How far in the future a contact may be: clocks are a little apart.
const LEEWAY: Duration = Duration::from_mins(1);

/// What is kept over a restart: one line with the checksum, then this as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) issuer: String,
    pub(crate) denied: Vec<Kid>,
    /// Copies of earlier versions have none.
    #[serde(default, serialize_with = "write_list", deserialize_with = "read_list")]
    pub(crate) revocations: Arc<RevocationList>,
    pub(crate) set: Option<SetCopy>,
}

/// A set as it was received, and how it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetCopy {
    /// The name of the place.
    pub(crate) place: String,
    /// The URL that it was fetched from.
    pub(crate) url: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    /// The wall-clock time of the last contact.
    pub(crate) contact: NumericDate,
    /// For how long after it the set may be used, in seconds.
    pub(crate) staleness: u64,
    pub(crate) document: String,
}

/// Why a copy, or the set in it, is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("it cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    #[error("it was not written with this key, or has been changed since")]
    Checksum,
    #[error("it is of another version")]
    Version,
    #[error("it is the copy of another issuer")]
    OtherIssuer,
    #[error("it is from a place that is no longer configured")]
    OtherPlace,
    #[error("its last contact is in the future: was the clock set back?")]
    Future,
    #[error("its last contact is too long ago")]
    TooOld,
    #[error("its set is not acceptable")]
    Set,
}

impl Record {
    /// The bytes of the file.
    pub(crate) fn seal(&self, key: &hmac::Key) -> Vec<u8> {
        let body = serde_json::to_vec(self).expect("texts, numbers and lists are JSON");
        let mut sealed = base64url::encode(checksum(key, &body).as_ref()).into_bytes();
        sealed.push(b'\n');
        sealed.extend_from_slice(&body);
        sealed
    }

    /// Reads what [`seal`](Self::seal) wrote, if every byte is as it was.
    pub(crate) fn open(sealed: &[u8], key: &hmac::Key) -> Result<Self, Unfit> {
        let end = sealed.iter().position(|byte| *byte == b'\n').ok_or(Unfit::Checksum)?;
        let (tag, body) = (&sealed[..end], &sealed[end + 1..]);
        let tag =
            str::from_utf8(tag).ok().and_then(|tag| base64url::decode(tag).ok()).ok_or(Unfit::Checksum)?;
        let message = [PURPOSE, body].concat();
        hmac::verify(key, &message, &tag).map_err(|_| Unfit::Checksum)?;
        serde_json::from_slice(body).map_err(|_| Unfit::Version)
    }
}

impl SetCopy {
    /// The age of the set now, if it may still be used: for `longest` after its last contact, or less if the issuer
    /// said so. The age counts by the wall clock, across restarts.
    pub(crate) fn age(&self, now: NumericDate, longest: Duration) -> Result<Duration, Unfit> {
        if self.contact > now + LEEWAY {
            return Err(Unfit::Future);
        }
        let age = now.since(self.contact);
        if age < self.staleness(longest) { Ok(age) } else { Err(Unfit::TooOld) }
    }

    pub(crate) fn staleness(&self, longest: Duration) -> Duration {
        Duration::from_secs(self.staleness).min(longest)
    }
}

fn write_list<S: Serializer>(list: &Arc<RevocationList>, serializer: S) -> Result<S::Ok, S::Error> {
    list.as_ref().serialize(serializer)
}

fn read_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<RevocationList>, D::Error> {
    RevocationList::deserialize(deserializer).map(Arc::new)
}

fn checksum(key: &hmac::Key, body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(PURPOSE);
    context.update(body);
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[secret; 32])
    }

    fn copy() -> SetCopy {
        SetCopy {
            place: "https://id.test/jwks".to_owned(),
            url: Some("https://id.test/jwks?v=1".to_owned()),
            etag: Some("\"a\"".to_owned()),
            last_modified: None,
            contact: NumericDate::from_secs(1_000_000),
            staleness: 86_400,
            document: r#"{"keys":[]}"#.into(),
        }
    }

    fn record() -> Record {
        Record {
            issuer: "https://id.test".into(),
            denied: vec!["a".parse().unwrap()],
            revocations: Arc::default(),
            set: Some(copy()),
        }
    }

    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut sealed = base64url::encode(checksum(&key(1), body).as_ref()).into_bytes();
        sealed.push(b'\n');
        sealed.extend_from_slice(body);
        sealed
    }

    // S-28
    #[test]
    fn a_copy_with_any_byte_changed_is_not_ours() {
        let sealed = record().seal(&key(1));
        assert_eq!(Record::open(&sealed, &key(1)), Ok(record()));
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(Record::open(&changed, &key(1)), Err(Unfit::Checksum), "byte {place}");
        }
        for length in 0..sealed.len() {
            assert_eq!(Record::open(&sealed[..length], &key(1)), Err(Unfit::Checksum), "{length} bytes");
        }
        assert_eq!(Record::open(&sealed, &key(2)), Err(Unfit::Checksum));
    }

    #[test]
    fn a_copy_of_another_version_is_not_misread() {
        let body = br#"{"issuer":"https://id.test","version":2}"#;
        assert_eq!(Record::open(&sealed(body), &key(1)), Err(Unfit::Version));
    }

    #[test]
    fn a_copy_from_before_there_was_a_feed_is_read() {
        let body = br#"{"issuer":"https://id.test","denied":["a"],"set":null}"#;
        assert_eq!(Record::open(&sealed(body), &key(1)), Ok(Record { set: None, ..record() }));
    }

    // S-28 S-30
    #[test]
    fn the_age_of_a_copy_counts_by_the_wall_clock_and_is_bounded() {
        let age = |now: u64, longest: u64| {
            let age = copy().age(NumericDate::from_secs(1_000_000 + now), Duration::from_secs(longest));
            age.map(|age| age.as_secs())
        };
        assert_eq!(age(0, 86_400), Ok(0));
        assert_eq!(age(86_399, 86_400), Ok(86_399));
        assert_eq!(age(86_400, 86_400), Err(Unfit::TooOld));
        assert_eq!(age(86_400, 99_999), Err(Unfit::TooOld), "the issuer allowed no more");
        assert_eq!(age(3_600, 3_600), Err(Unfit::TooOld), "we allow no more");
        assert_eq!(age(0, 0), Err(Unfit::TooOld), "fail closed means without a copy, too");
        let early = |secs: u64| copy().age(NumericDate::from_secs(1_000_000 - secs), Duration::from_hours(1));
        assert_eq!(early(60), Ok(Duration::ZERO));
        assert_eq!(early(61), Err(Unfit::Future));
    }
}
