/// In which order `count` places are tried, of which `last_good` answered last.
///
/// The first comes first, whatever the attempt is for: only it can tell what the issuer lacks.
pub(super) fn of_attempt(count: usize, last_good: usize) -> impl Iterator<Item = usize> {
    let second = (last_good != 0 && last_good < count).then_some(last_good);
    let rest = (1..count).filter(move |place| Some(*place) != second);
    (0..count.min(1)).chain(second).chain(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_place_is_first_and_then_the_last_good_one() {
        let order = |count, last_good| of_attempt(count, last_good).collect::<Vec<_>>();
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [0, 1, 2]);
        assert_eq!(order(3, 2), [0, 2, 1]);
        assert_eq!(order(1, 0), [0]);
        assert_eq!(order(1, 2), [0], "a place behind the one in use is not tried");
        assert!(order(0, 0).is_empty());
    }
}
