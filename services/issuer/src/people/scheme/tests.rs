use super::*;

const PASSWORD: &str = "correct horse battery staple, Zo\u{eb}";

fn scheme(text: &str) -> Result<Scheme, SchemeError> {
    Scheme::parse(&text.parse().unwrap())
}

fn password(text: &str) -> Password {
    Password::parse(&text.into()).unwrap()
}

/// The hash is of this password and of no other, and will be made anew.
fn check(hash: &str, right: &str) {
    let scheme = scheme(hash).unwrap_or_else(|error| panic!("{hash}: {error}"));
    assert!(scheme.verify(&password(right)), "{hash}");
    for wrong in [&format!("{right} "), &right[1..], "", "x"] {
        if let Ok(wrong) = Password::parse(&wrong.into()) {
            assert!(!scheme.verify(&wrong), "{hash} of {wrong:?}");
        }
    }
    assert!(!scheme.is_current(), "{hash}");
}

// S-88
#[test]
fn what_is_written_today_is_argon2id_of_nineteen_mebibytes() {
    let hash = Scheme::hash(&password(PASSWORD)).unwrap();
    assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
    let read = Scheme::parse(&hash).unwrap();
    assert!(read.is_current());
    assert!(read.verify(&password(PASSWORD)));
    assert!(!read.verify(&password("correct horse battery staple")));
    assert_ne!(hash.expose(), Scheme::hash(&password(PASSWORD)).unwrap().expose(), "each has a salt of its own");
}

// S-87
#[test]
fn nothing_of_a_long_password_is_left_out() {
    let long = "x".repeat(1_000);
    let hash = Scheme::hash(&password(&format!("{long}a"))).unwrap();
    let read = Scheme::parse(&hash).unwrap();
    assert!(read.verify(&password(&format!("{long}a"))));
    assert!(!read.verify(&password(&format!("{long}b"))));
}

// S-87
#[test]
fn a_password_is_the_same_however_it_was_typed() {
    let hash = Scheme::hash(&password("zoe\u{308} drinks tea at dawn")).unwrap();
    assert!(Scheme::parse(&hash).unwrap().verify(&password("zo\u{eb} drinks tea at dawn")));
}
