use std::time::Duration;

use claviger_jose::NumericDate;

use super::{
    FeedError,
    statement::{SKEW, is_from_future},
};

/// From when until when a statement is news, as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedFor {
    /// When it was signed.
    pub iat: NumericDate,
    /// When it is no news any more.
    pub exp: NumericDate,
}

/// How old statements are, also where the wall clock is set back: what was signed before another that has been seen is
/// as much older than it.
#[derive(Debug, Clone, Copy, Default)]
pub struct StatementAges {
    youngest: Option<Youngest>,
}

/// The youngest statement that was news, and how old it was `at` a monotonic time.
#[derive(Debug, Clone, Copy)]
struct Youngest {
    iat: NumericDate,
    at: Duration,
    age: Duration,
}

impl StatementAges {
    /// How long ago a statement was signed, by the wall clock or by the monotonic one: the longer of both.
    ///
    /// # Errors
    /// [`FeedError::FromFuture`] and [`FeedError::Expired`]: it is not news now.
    pub fn age(
        &mut self,
        statement: SignedFor,
        wall: NumericDate,
        monotonic: Duration,
    ) -> Result<Duration, FeedError> {
        let SignedFor { iat, exp } = statement;
        if is_from_future(iat, wall) {
            return Err(FeedError::FromFuture);
        }
        let seen = self.youngest.filter(|youngest| iat <= youngest.iat);
        let at_least = seen.map_or(Duration::ZERO, |youngest| {
            youngest.age + monotonic.saturating_sub(youngest.at) + youngest.iat.since(iat)
        });
        let age = wall.since(iat).max(at_least);
        if age >= exp.since(iat) + SKEW {
            return Err(FeedError::Expired);
        }
        if seen.is_none() {
            self.youngest = Some(Youngest { iat, at: monotonic, age });
        }
        Ok(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn signed(after: u64) -> SignedFor {
        let at = |secs| NumericDate::from_secs(NOW + after + secs);
        SignedFor { iat: at(0), exp: at(600) }
    }

    fn age(
        ages: &mut StatementAges,
        statement: SignedFor,
        wall: u64,
        monotonic: u64,
    ) -> Result<u64, FeedError> {
        let found = ages.age(statement, NumericDate::from_secs(wall), Duration::from_secs(monotonic));
        found.map(|age| age.as_secs())
    }

    // S-43
    #[test]
    fn a_statement_is_news_for_its_life_and_as_far_as_clocks_are_apart() {
        let ages = &mut StatementAges::default();
        assert_eq!(age(ages, signed(61), NOW, 0), Err(FeedError::FromFuture));
        assert_eq!(age(ages, signed(60), NOW, 0), Ok(0));
        let ages = &mut StatementAges::default();
        assert_eq!(age(ages, signed(0), NOW + 100, 0), Ok(100));
        assert_eq!(age(ages, signed(0), NOW + 659, 559), Ok(659));
        assert_eq!(age(ages, signed(0), NOW + 660, 560), Err(FeedError::Expired));
        assert_eq!(age(ages, signed(600), NOW + 660, 560), Ok(60), "the next one");
    }

    // S-30 S-43
    #[test]
    fn a_wall_clock_that_is_set_back_prolongs_no_statement() {
        let ages = &mut StatementAges::default();
        let day = 86_400;
        assert_eq!(age(ages, signed(0), NOW + 10, 5), Ok(10));
        assert_eq!(age(ages, signed(0), NOW + 30, 65), Ok(70));
        assert_eq!(age(ages, signed(0), NOW, 654), Ok(659), "it was set back by eleven minutes");
        assert_eq!(age(ages, signed(0), NOW, 655), Err(FeedError::Expired));
        assert_eq!(age(ages, signed(0), NOW + 5, day), Err(FeedError::Expired));
        assert_eq!(age(ages, signed(0), NOW - day, day), Err(FeedError::FromFuture));
    }

    /// Each replica signs its own.
    // S-43
    #[test]
    fn one_that_was_signed_before_another_is_older_by_that() {
        let ages = &mut StatementAges::default();
        assert_eq!(age(ages, signed(100), NOW + 100, 0), Ok(0));
        assert_eq!(age(ages, signed(40), NOW + 60, 10), Ok(70));
        assert_eq!(age(ages, signed(100), NOW + 60, 10), Ok(10));
    }
}
