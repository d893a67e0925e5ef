//! All that the pages say, in each language: a field for a sentence. A language that lacks one does not compile, and a
//! test says when one is left in another's words.

mod english;
mod korean;

use std::time::{Duration, UNIX_EPOCH};

use claviger_jose::NumericDate;

use super::Language;

/// A sentence with a name in it, as what stands before and after the name: where that is depends on the language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
}

const fn around(before: &'static str, after: &'static str) -> Around {
    Around { before, after }
}

/// What several pages say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// Before the title of a page on which something has to be put right.
    pub(super) problem: &'static str,
    pub(super) username: &'static str,
    pub(super) password: &'static str,
    pub(super) sign_in: &'static str,
    pub(super) sign_out: &'static str,
    pub(super) cancel: &'static str,
    pub(super) signed_in_as: Around,
    /// How long to wait, given a length of time in words.
    pub(super) too_many: fn(&str) -> String,
    /// A length of time, rounded up.
    pub(super) length: fn(Duration) -> String,
    /// How long ago something was, rounded down.
    pub(super) ago: fn(Duration) -> String,
    pub(super) log_in: LogInWords,
    pub(super) consent: ConsentWords,
    pub(super) log_out: LogOutWords,
    pub(super) signed_out: SignedOutWords,
    pub(super) sessions: SessionWords,
    pub(super) first_administrator: FirstAdministratorWords,
    pub(super) form_post: FormPostWords,
    pub(super) errors: ErrorWords,
}

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &english::WORDS,
            Language::Korean => &korean::WORDS,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct LogInWords {
    pub(super) purpose: Around,
    /// The purpose where no application asks.
    pub(super) own: &'static str,
    pub(super) again_title: &'static str,
    pub(super) again_for: Around,
    pub(super) wrong: &'static str,
    pub(super) stopped: &'static str,
    pub(super) busy: &'static str,
    pub(super) unavailable: &'static str,
    pub(super) stale: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ConsentWords {
    pub(super) title: &'static str,
    pub(super) asks: Around,
    pub(super) will: &'static str,
    pub(super) openid: &'static str,
    pub(super) profile: &'static str,
    pub(super) email: &'static str,
    pub(super) roles: &'static str,
    pub(super) groups: &'static str,
    pub(super) offline_access: &'static str,
    pub(super) acts: Around,
    pub(super) allow: &'static str,
    pub(super) deny: &'static str,
    pub(super) returns: Around,
    pub(super) ends: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct LogOutWords {
    pub(super) title: &'static str,
    pub(super) clients: &'static str,
    pub(super) stay: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct SignedOutWords {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    pub(super) next: &'static str,
    pub(super) go: Around,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct SessionWords {
    pub(super) title: &'static str,
    pub(super) advice: &'static str,
    pub(super) current: &'static str,
    pub(super) unknown_device: &'static str,
    pub(super) used: Around,
    pub(super) signed_in: Around,
    pub(super) clients: &'static str,
    pub(super) end: &'static str,
    pub(super) end_others: &'static str,
    pub(super) alone: &'static str,
    pub(super) ended: &'static str,
    pub(super) others_ended: &'static str,
    pub(super) allowed: &'static str,
    pub(super) allowed_since: Around,
    pub(super) take_back: &'static str,
    pub(super) taken_back: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct FirstAdministratorWords {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    /// The rule, given the least length of a password.
    pub(super) hint: fn(usize) -> String,
    pub(super) again: &'static str,
    pub(super) create: &'static str,
    pub(super) username: &'static str,
    pub(super) username_taken: &'static str,
    pub(super) password_short: fn(usize) -> String,
    pub(super) password_long: &'static str,
    pub(super) password_common: &'static str,
    pub(super) password_characters: &'static str,
    pub(super) different: &'static str,
    pub(super) unavailable: &'static str,
    pub(super) made_title: &'static str,
    pub(super) made: &'static str,
    pub(super) made_name: Around,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct FormPostWords {
    pub(super) title: &'static str,
    pub(super) text: Around,
    pub(super) go: &'static str,
    pub(super) hint: &'static str,
}

/// What an error page says: what happened, and what to do next.
#[derive(Debug, Clone, Copy)]
pub(super) struct ErrorText {
    pub(super) title: &'static str,
    pub(super) happened: &'static str,
    pub(super) next: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ErrorWords {
    pub(super) code: &'static str,
    pub(super) reference: &'static str,
    pub(super) unknown_client: ErrorText,
    pub(super) redirect_uri: ErrorText,
    pub(super) post_logout_redirect_uri: ErrorText,
    pub(super) malformed: ErrorText,
    pub(super) expired: ErrorText,
    pub(super) forged: ErrorText,
    pub(super) link: ErrorText,
    pub(super) not_found: ErrorText,
    pub(super) unavailable: ErrorText,
    pub(super) internal: ErrorText,
}

/// A unit of time that people count in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
}

impl Unit {
    const DOWN: [Self; 4] = [Self::Day, Self::Hour, Self::Minute, Self::Second];

    fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }
}

/// A length of time in one unit, rounded up, and at least one second: who comes back then is not too early.
fn rounded_up(length: Duration) -> (u64, Unit) {
    let seconds = length.as_secs() + u64::from(length.subsec_nanos() > 0);
    let unit = Unit::DOWN.into_iter().find(|unit| seconds >= unit.seconds()).unwrap_or(Unit::Second);
    (seconds.div_ceil(unit.seconds()).max(1), unit)
}

/// A length of time in its largest unit, rounded down; `None` below a minute.
fn rounded_down(length: Duration) -> Option<(u64, Unit)> {
    let seconds = length.as_secs();
    let unit = Unit::DOWN.into_iter().find(|unit| *unit != Unit::Second && seconds >= unit.seconds())?;
    Some((seconds / unit.seconds(), unit))
}

/// A moment: `2026-11-21 18:22:56 UTC`. The server does not know where the person is.
pub(super) fn utc(at: NumericDate) -> String {
    let at = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(at.as_secs())).to_string();
    at.replace('T', " ").replace('Z', " UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_length(millis: u64, english: &str, korean: &str) {
        let length = Duration::from_millis(millis);
        assert_eq!((english::WORDS.length)(length), english);
        assert_eq!((korean::WORDS.length)(length), korean);
    }

    #[test]
    fn who_waits_as_long_as_is_said_does_not_come_too_early() {
        check_length(0, "1 second", "1초");
        check_length(1_001, "2 seconds", "2초");
        check_length(59_000, "59 seconds", "59초");
        check_length(60_000, "1 minute", "1분");
        check_length(61_000, "2 minutes", "2분");
        check_length(3_599_000, "60 minutes", "60분");
        check_length(3_601_000, "2 hours", "2시간");
        check_length(86_400_000, "1 day", "1일");
    }

    #[track_caller]
    fn check_ago(secs: u64, english: &str, korean: &str) {
        let length = Duration::from_secs(secs);
        assert_eq!((english::WORDS.ago)(length), english);
        assert_eq!((korean::WORDS.ago)(length), korean);
    }

    #[test]
    fn what_was_is_told_in_one_unit() {
        check_ago(0, "just now", "방금 전");
        check_ago(59, "just now", "방금 전");
        check_ago(60, "1 minute ago", "1분 전");
        check_ago(7_199, "1 hour ago", "1시간 전");
        check_ago(7_200, "2 hours ago", "2시간 전");
        check_ago(3 * 86_400, "3 days ago", "3일 전");
    }

    #[test]
    fn a_moment_is_told_in_utc() {
        assert_eq!(utc(NumericDate::from_secs(0)), "1970-01-01 00:00:00 UTC");
    }

    /// What the derived `Debug` says, without what is a function and not a text.
    fn sentences(words: &Words) -> Vec<String> {
        format!("{words:#?}").split('"').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_sentence_is_said_in_each_language() {
        let (english, korean) = (sentences(&english::WORDS), sentences(&korean::WORDS));
        assert_eq!(english.len(), korean.len());
        assert!(english.len() > 80, "{}", english.len());
        let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
        for (english, korean) in english.iter().zip(&korean) {
            assert!(!hangul(english), "{english}");
            assert!(hangul(korean) || korean.is_empty(), "{english} is left as {korean}");
        }
    }
}
