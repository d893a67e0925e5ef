//! The hash chain of the audit log: each record's hash covers the one before.

use aws_lc_rs::digest::{Context, SHA256};

use crate::{AuditVerdict, entity::audit::Model};

/// What the first record follows.
pub(crate) const START: [u8; 32] = [0; 32];

/// SHA-256 over the hash before, the place, the time and each text. A text goes with its length before it, so that no letter
/// can move from one to the next; the hash of a record is not part of itself.
pub(crate) fn hash(before: &[u8; 32], record: &Model) -> [u8; 32] {
    let Model { sequence, at, actor, origin, act, subject, detail, request_id, hash: _ } = record;
    let mut context = Context::new(&SHA256);
    context.update(before);
    context.update(&sequence.to_be_bytes());
    context.update(&at.to_be_bytes());
    for text in [actor, origin, act, subject, detail] {
        add(&mut context, text);
    }
    context.update(&[u8::from(request_id.is_some())]);
    add(&mut context, request_id.as_deref().unwrap_or_default());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn add(context: &mut Context, text: &str) {
    context.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(text.as_bytes());
}

/// The part of the log that was read and found whole.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) records: i64,
    pub(crate) head: [u8; 32],
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self { records: 0, head: START }
    }

    /// Goes on to the record that was found next, in the order of their places.
    pub(crate) fn follow(&mut self, record: &Model) -> Result<(), AuditVerdict> {
        let expected = self.records + 1;
        if record.sequence > expected {
            return Err(broken(expected, "it is missing".to_owned()));
        }
        if record.sequence < expected {
            return Err(broken(record.sequence, "it was put in".to_owned()));
        }
        let hash = hash(&self.head, record);
        if record.hash != hash {
            return Err(broken(
                expected,
                "its hash does not follow from it and the record before".to_owned(),
            ));
        }
        (self.records, self.head) = (expected, hash);
        Ok(())
    }

    /// The log has no more records; so many were written.
    pub(crate) fn end(&self, written: i64) -> AuditVerdict {
        if self.records < written {
            return broken(self.records + 1, format!("it is missing, and {written} records were written"));
        }
        if self.records > written {
            return broken(written + 1, format!("it was put in, only {written} records were written"));
        }
        AuditVerdict::Whole { records: u64::try_from(self.records).unwrap_or(0), head: self.head }
    }
}

fn broken(sequence: i64, reason: String) -> AuditVerdict {
    AuditVerdict::Broken { sequence: u64::try_from(sequence).unwrap_or(0), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(length: i64) -> Vec<Model> {
        let mut head = START;
        let mut record = |sequence: i64| {
            let mut record = Model {
                sequence,
                at: 1000 + sequence,
                actor: "operator:ada".to_owned(),
                origin: "cli host".to_owned(),
                act: "key.create".to_owned(),
                subject: format!("key-{sequence}"),
                detail: "{}".to_owned(),
                request_id: None,
                hash: Vec::new(),
            };
            head = hash(&head, &record);
            record.hash = head.to_vec();
            record
        };
        (1..=length).map(&mut record).collect()
    }

    fn verdict(log: &[Model], written: i64) -> AuditVerdict {
        let mut chain = Chain::new();
        log.iter().try_for_each(|record| chain.follow(record)).err().unwrap_or_else(|| chain.end(written))
    }

    fn check_broken(log: &[Model], written: i64, sequence: u64, reason: &str) {
        match verdict(log, written) {
            AuditVerdict::Broken { sequence: found, reason: why } => {
                assert_eq!(found, sequence, "{why}");
                assert!(why.contains(reason), "{why}");
            }
            whole @ AuditVerdict::Whole { .. } => panic!("{whole:?}"),
        }
    }

    // S-100
    #[test]
    fn a_log_that_nobody_touched_is_whole() {
        assert_eq!(verdict(&[], 0), AuditVerdict::Whole { records: 0, head: START });
        let log = log(5);
        let head = log[4].hash.clone().try_into().unwrap();
        assert_eq!(verdict(&log, 5), AuditVerdict::Whole { records: 5, head });
    }

    // S-100
    #[test]
    fn an_altered_field_is_named_by_its_record() {
        let alterations: [fn(&mut Model); 9] = [
            |record| record.at += 1,
            |record| record.actor.push('x'),
            |record| record.origin.clear(),
            |record| record.act = "key.revoke".to_owned(),
            |record| record.subject = "key-1".to_owned(),
            |record| record.detail = "{ }".to_owned(),
            |record| record.request_id = Some(String::new()),
            |record| record.hash[0] ^= 1,
            |record| record.hash.clear(),
        ];
        for alter in alterations {
            let mut log = log(5);
            alter(&mut log[2]);
            check_broken(&log, 5, 3, "hash");
        }
    }

    // S-100
    #[test]
    fn a_letter_that_moves_to_the_next_field_is_noticed() {
        let mut log = log(2);
        let moved = log[1].actor.pop().unwrap();
        log[1].origin.insert(0, moved);
        check_broken(&log, 2, 2, "hash");
    }

    // S-100
    #[test]
    fn a_record_that_was_altered_and_hashed_again_breaks_the_next_one() {
        let mut log = log(5);
        log[2].actor = "operator:eve".to_owned();
        let before = log[1].hash.clone().try_into().unwrap();
        log[2].hash = hash(&before, &log[2]).to_vec();
        check_broken(&log, 5, 4, "hash");
    }

    // S-100
    #[test]
    fn a_missing_record_is_named_wherever_it_was() {
        for gone in 0..5 {
            let mut log = log(5);
            log.remove(gone);
            check_broken(&log, 5, gone as u64 + 1, "missing");
        }
    }

    // S-100
    #[test]
    fn two_records_that_changed_places_are_noticed() {
        let mut log = log(5);
        log.swap(1, 3);
        (log[1].sequence, log[3].sequence) = (2, 4);
        check_broken(&log, 5, 2, "hash");
    }

    // S-100
    #[test]
    fn a_record_that_was_put_in_is_noticed() {
        let mut more = log(6);
        check_broken(&more, 5, 6, "put in");
        more.insert(2, more[2].clone());
        check_broken(&more, 7, 3, "put in");
    }
}
