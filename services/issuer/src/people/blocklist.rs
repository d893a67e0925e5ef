//! Passwords that are guessed first.

use std::{collections::HashSet, sync::LazyLock};

/// Common passwords, in lower case: where they are from stands beside them.
static LIST: &str = include_str!("common-passwords.txt");

static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| LIST.lines().collect());

/// The longest word of the list, in characters: all are ASCII.
static LONGEST: LazyLock<usize> = LazyLock::new(|| LIST.lines().map(str::len).max().unwrap_or(0));

/// What pieces of a password cost: three words are fewer combinations than ten random letters.
const WORD: u32 = 2;
const SIGNS: u32 = 1;
const LAST_DIGITS: u32 = 1;
/// A password that costs no more is common.
const CHEAP: u32 = 3 * WORD;
/// What is no longer than this is not made a password by saying it again.
const SHORT: usize = 7;
/// A shorter word of the context is in too many good passwords.
const LEAST_CONTEXT: usize = 3;
/// So many characters that follow on each other are one piece.
const LEAST_RUN: usize = 3;
/// The most digits, or other signs, that are one piece.
const MOST_DIGITS: usize = 4;
const MOST_SIGNS: usize = 2;

/// Whether a password is made of few common pieces: words of the list or of its context, runs, repetitions, a year at the end.
/// It is seen through capitals, and through digits and signs in the place of letters. `context` are names that everybody
/// would think of: the person's, the service's.
pub(super) fn is_common(password: &str, context: &[&str]) -> bool {
    let lower: Vec<char> = password.to_lowercase().chars().collect();
    let context: Vec<Vec<char>> = context
        .iter()
        .flat_map(|name| name.split(|char: char| !char.is_alphanumeric()).chain([*name]))
        .map(|word| word.to_lowercase().chars().collect::<Vec<char>>())
        .filter(|word| word.len() >= LEAST_CONTEXT)
        .collect();
    let repeated = period(&lower);
    let is_short = repeated.len() < lower.len() && repeated.len() <= SHORT;
    is_short || [lower.as_slice(), repeated].into_iter().any(|text| cost(text, &context) <= CHEAP)
}

/// What is repeated, of a text that is nothing but repetition; else the text.
fn period(text: &[char]) -> &[char] {
    let repeats = |length: &usize| {
        text.len().is_multiple_of(*length) && text.chunks(*length).all(|chunk| chunk == &text[..*length])
    };
    let length = (1..=text.len() / 2).find(repeats).unwrap_or(text.len());
    &text[..length]
}

/// The least that the pieces of a text can cost. A character that belongs to none is one by itself.
fn cost(text: &[char], context: &[Vec<char>]) -> u32 {
    let dresses = [text.to_vec(), undressed(text, 'i'), undressed(text, 'l')];
    let mut least = vec![u32::MAX; text.len() + 1];
    least[0] = 0;
    for start in 0..text.len() {
        let so_far = least[start];
        let mut reach = |length: usize, cost: u32| {
            let end = &mut least[start + length];
            *end = (*end).min(so_far.saturating_add(cost));
        };
        reach(1, WORD);
        for (length, cost) in simple(&text[start..]) {
            reach(length, cost);
        }
        for dress in &dresses {
            let rest = &dress[start..];
            let mut word = String::new();
            for (position, char) in rest.iter().take(*LONGEST).enumerate() {
                word.push(*char);
                if WORDS.contains(word.as_str()) {
                    reach(position + 1, WORD);
                }
            }
            for word in context.iter().filter(|word| rest.starts_with(word)) {
                reach(word.len(), WORD);
            }
        }
    }
    least[text.len()]
}

/// The text with letters for the digits and signs that stand for them.
fn undressed(text: &[char], one: char) -> Vec<char> {
    let letter = |char: &char| match char {
        '0' => 'o',
        '1' | '!' | '|' => one,
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        '8' => 'b',
        char => *char,
    };
    text.iter().map(letter).collect()
}

/// The pieces at the start of a text that need no list: their lengths, and what they cost.
fn simple(text: &[char]) -> impl Iterator<Item = (usize, u32)> {
    let digits = text.iter().take(MOST_DIGITS).take_while(|char| char.is_ascii_digit()).count();
    let digits_cost = if digits == text.len() { LAST_DIGITS } else { WORD };
    let signs = text.iter().take(MOST_SIGNS).take_while(|char| !char.is_alphanumeric()).count();
    let run = |step: i64| {
        let code = |char: char| i64::from(u32::from(char));
        let follows = |pair: &&[char]| code(pair[1]) - code(pair[0]) == step;
        let length = 1 + text.windows(2).take_while(follows).count();
        if length >= LEAST_RUN { length } else { 0 }
    };
    let pieces = [(digits, digits_cost), (signs, SIGNS), (run(0), WORD), (run(1), WORD), (run(-1), WORD)];
    pieces.into_iter().filter(|(length, _)| *length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-87
    #[test]
    fn every_common_password_is_found_in_whatever_dress() {
        assert!(WORDS.len() > 15_000, "{}", WORDS.len());
        for word in LIST.lines() {
            for dressed in
                [word.to_owned(), word.to_uppercase(), format!("{word}2026"), format!("{word}{word}")]
            {
                assert!(is_common(&dressed, &[]), "{dressed}");
            }
        }
    }

    // S-87
    #[test]
    fn of_the_length_that_is_asked_for_there_are_many_thousands_more() {
        let words: Vec<&str> = LIST.lines().filter(|word| (8..=10).contains(&word.len())).collect();
        let pairs = words.windows(2).map(<[&str]>::concat).filter(|pair| pair.len() >= 15);
        let refused = pairs.filter(|pair| is_common(pair, &[])).count();
        assert!(refused >= 3_000, "{refused}");
    }

    // S-87
    #[test]
    fn words_runs_and_repetitions_are_common_and_what_nobody_thinks_of_is_not() {
        for common in [
            "aaaaaaaaaaaaaaaa",
            "abcdefghijklmnopqrs",
            "1234567890123456789",
            "987654321987654321",
            "qwertyuiopasdfghjkl",
            "Passw0rd!Passw0rd!",
            "P@ssw0rd2024!!",
            "iloveyou iloveyou",
            "correctcorrectcorrect",
            "xkxkxkxkxkxkxkxk",
            "monkey-dragon!",
        ] {
            assert!(is_common(common, &[]), "{common}");
        }
        for good in [
            "correct horse battery staple",
            "vJ3-qF8 pz!Lw0kT",
            "나는 매일 아침 커피를 마신다",
            "the fog hums over Tartu",
            "Zwölf Boxkämpfer jagen Viktor",
        ] {
            assert!(!is_common(good, &[]), "{good}");
        }
    }

    // S-87
    #[test]
    fn names_that_everybody_would_think_of_are_common() {
        let context = ["ada.lovelace", "ada@example.org", "Claviger", "김민준"];
        for common in [
            "lovelace-claviger",
            "Ada.Lovelace2026",
            "ClavigerClaviger1",
            "3x@mpl3-l0v3l@c3",
            "김민준김민준2026",
        ] {
            assert!(is_common(common, &context), "{common}");
        }
        assert!(!is_common("lovelace-claviger", &[]));
        assert!(!is_common("adamant kiwis vote early", &context));
    }

    #[test]
    fn every_text_has_an_answer() {
        for text in
            ["", "\u{1f511}", "é", "\u{301}", "İİİ", "ﬀ", &"z9".repeat(512), &"\u{10ffff}".repeat(256)]
        {
            let _ = is_common(text, &["", " ", "é"]);
        }
    }
}
