use crate::policy::Cause;

/// In which order `count` places are tried, of which `last_good` answered last.
///
/// When a refresh is due the first comes first, for it is preferred. In between nothing is risked: the one that
/// answered last is asked, for a request waits 2 s and not longer. A fixed set has no news for such a request, so it is
/// passed over (`fixed`: the one that answered last is such a set).
pub(super) fn of_attempt(
    count: usize,
    last_good: usize,
    fixed: bool,
    cause: Cause,
) -> impl Iterator<Item = usize> {
    let first = if cause == Cause::Due || fixed { 0 } else { last_good };
    let second = if fixed { 0 } else { last_good };
    let rest = (0..count).filter(move |place| *place != first && *place != second);
    std::iter::once(first).chain((second != first).then_some(second)).chain(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_place_is_first_at_each_refresh_and_the_last_good_one_in_between() {
        let order = |last_good, fixed, cause| of_attempt(3, last_good, fixed, cause).collect::<Vec<_>>();
        assert_eq!(order(0, false, Cause::Due), [0, 1, 2]);
        assert_eq!(order(1, false, Cause::Due), [0, 1, 2]);
        assert_eq!(order(2, false, Cause::Due), [0, 2, 1]);
        assert_eq!(order(2, false, Cause::Wanted), [2, 0, 1]);
        assert_eq!(order(1, false, Cause::Retry), [1, 0, 2]);
        assert_eq!(order(2, true, Cause::Wanted), [0, 1, 2]);
        assert_eq!(of_attempt(1, 0, false, Cause::Wanted).collect::<Vec<_>>(), [0]);
    }
}
