use std::{num::NonZeroUsize, ops::RangeInclusive, time::Duration};

use super::Reader;
use crate::declared::Table;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const SHORTEST: Duration = Duration::from_secs(1);
/// Whatever lives long ends some day without anybody's doing.
const LONGEST: Duration = Duration::from_hours(8766); // a year, as the messages count them
/// What a password must at least have where nothing else proves who somebody is (NIST SP 800-63B-4).
const LEAST_PASSWORD: usize = 15;
/// Nobody may be forced to more than this: long pass phrases must stay possible, and be a choice.
const MOST_PASSWORD: usize = 64;

/// For how long people stay signed in, and what may be asked of their passwords: the section `[sign_in]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInSettings {
    /// How long an authorization code can be redeemed.
    pub code_lifetime: Duration,
    /// After how long without use a session ends.
    pub session_idle: Duration,
    /// After how long a session ends however it is used.
    pub session_lifetime: Duration,
    /// After how long without use a refresh token ends.
    pub refresh_idle: Duration,
    /// After how long all refresh tokens of one authorization end however they are used.
    pub refresh_lifetime: Duration,
    /// G: for how long a client whose answer was lost gets the same refresh token again.
    pub refresh_grace: Duration,
    /// How many characters a new password must at least have.
    pub password_min: usize,
}

impl Default for SignInSettings {
    fn default() -> Self {
        Self {
            code_lifetime: MINUTE,
            session_idle: 12 * HOUR,
            session_lifetime: 30 * DAY,
            refresh_idle: 14 * DAY,
            refresh_lifetime: 30 * DAY,
            refresh_grace: Duration::from_secs(10),
            password_min: LEAST_PASSWORD,
        }
    }
}

/// A setting, what it is, and what it may be.
type Bound = (&'static str, Duration, RangeInclusive<Duration>);

impl SignInSettings {
    /// What is wrong with each setting, and with them together.
    fn mistakes(&self) -> Vec<(&'static str, String)> {
        let bounds: [Bound; 6] = [
            // Longer, and a code from a log or a browser's history would be worth something (RFC 6749 section 4.1.2).
            ("code_lifetime", self.code_lifetime, SHORTEST..=MINUTE),
            ("session_idle", self.session_idle, SHORTEST..=self.session_lifetime),
            ("session_lifetime", self.session_lifetime, SHORTEST..=LONGEST),
            ("refresh_idle", self.refresh_idle, SHORTEST..=self.refresh_lifetime),
            ("refresh_lifetime", self.refresh_lifetime, SHORTEST..=LONGEST),
            // For so long a stolen token can be used unnoticed beside the owner's.
            ("refresh_grace", self.refresh_grace, Duration::ZERO..=MINUTE.min(self.refresh_idle)),
        ];
        let outside = bounds.into_iter().filter(|(_, found, bounds)| !bounds.contains(found));
        let said = |duration: Duration| humantime::format_duration(duration).to_string();
        let mut mistakes: Vec<_> = outside
            .map(|(name, found, bounds)| {
                let (least, most) = (said(*bounds.start()), said(*bounds.end()));
                (name, format!("`sign_in.{name}` = {} must be {least} to {most}", said(found)))
            })
            .collect();
        if !(LEAST_PASSWORD..=MOST_PASSWORD).contains(&self.password_min) {
            let message = format!("`sign_in.password_min` must be {LEAST_PASSWORD} to {MOST_PASSWORD}");
            mistakes.push(("password_min", message));
        }
        mistakes
    }
}

impl Reader<'_, '_> {
    /// Reads `[sign_in]`.
    pub(super) fn sign_in(&self, root: &Table<'_, '_>) -> SignInSettings {
        let table = root.table("sign_in");
        let defaults = SignInSettings::default();
        let duration = |name, default| self.duration(&table, name, default);
        let declared = table.count("password_min");
        let password_min = self.variable::<NonZeroUsize>(&table, "password_min").or(declared);
        let settings = SignInSettings {
            code_lifetime: duration("code_lifetime", defaults.code_lifetime),
            session_idle: duration("session_idle", defaults.session_idle),
            session_lifetime: duration("session_lifetime", defaults.session_lifetime),
            refresh_idle: duration("refresh_idle", defaults.refresh_idle),
            refresh_lifetime: duration("refresh_lifetime", defaults.refresh_lifetime),
            refresh_grace: duration("refresh_grace", defaults.refresh_grace),
            password_min: password_min.map_or(defaults.password_min, NonZeroUsize::get),
        };
        for (name, message) in settings.mistakes() {
            self.document.note(table.line_of(name), message);
        }
        table.finish();
        settings
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "`expect!` reads best in the call")]
    fn check(settings: SignInSettings, expected: Expect) {
        let mistakes: Vec<_> = settings.mistakes().into_iter().map(|(_, message)| message).collect();
        expected.assert_eq(&mistakes.join("\n"));
    }

    // S-66 S-74 S-77 S-87 S-94
    #[test]
    fn what_lives_long_has_an_end_and_what_must_be_short_is() {
        let defaults = SignInSettings::default();
        check(defaults, expect![""]);
        check(
            SignInSettings {
                code_lifetime: 2 * MINUTE,
                session_idle: 31 * DAY,
                refresh_idle: 31 * DAY,
                refresh_grace: 2 * MINUTE,
                password_min: 8,
                ..defaults
            },
            expect![[r"
                `sign_in.code_lifetime` = 2m must be 1s to 1m
                `sign_in.session_idle` = 1month 13h 26m 24s must be 1s to 30days
                `sign_in.refresh_idle` = 1month 13h 26m 24s must be 1s to 30days
                `sign_in.refresh_grace` = 2m must be 0s to 1m
                `sign_in.password_min` must be 15 to 64"]],
        );
        check(
            SignInSettings { session_lifetime: 2 * LONGEST, refresh_lifetime: Duration::ZERO, ..defaults },
            expect![[r"
                `sign_in.session_lifetime` = 2years must be 1s to 1year
                `sign_in.refresh_idle` = 14days must be 1s to 0s
                `sign_in.refresh_lifetime` = 0s must be 1s to 1year"]],
        );
    }
}
