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
    assert_ne!(
        hash.expose(),
        Scheme::hash(&password(PASSWORD)).unwrap().expose(),
        "each has a salt of its own"
    );
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

/// Hashes of one password as Django 5.2, Werkzeug 3, passlib, bcrypt and argon2-cffi have written them.
const OTHERS: [&str; 12] = [
    "pbkdf2_sha256$1000$seasalt1$8jBMdJO2YrB8kt5BiUQjkABCCdjO0BtNhgZB9SGSwAc=",
    "argon2$argon2id$v=19$m=1024,t=2,p=2$YzI5dFpYTmhiSFE$Ym+U8LPxzroM5zKx40h80bS5u/Mtu3a9pbp1+CQZMLc",
    "bcrypt_sha256$$2b$04$1sZ08Q0vEFOjaAVkS.LyO.fLdeejtp64IIrEllLqq0qledrIeouxi",
    "bcrypt$$2b$04$k.t4o0b.G0XB9V9s1TIi/eDl/di3zxolqwMYjBIxVghdHDb4ARt8G",
    "$2b$04$d2N1nzdIARwfYB4L0KUKwueYDXgFw2slZBu2i7bJYkM/MVYdz9o6i",
    "$2a$04$XRqmTDx/pdSf4xBmYfpujO7aMca20hDThdTszHzu80QqtoJ1HsTkS",
    "scrypt$1024$seasalt2$8$5$LUKcsPdpTy/ORRaAzKUVn9jqXr+w4K8PbNzivcdUWoWTO5mV4+A/aKbprF9ut1OyCnFkl3TX0gfvCsBWxgQx1w==",
    "scrypt:1024:8:1$HPQ3XUCiTEAr2zN5$3d769ed4543d70a5f4ca79365bec25b1ef41344e298885729961b7de6db0940ab9326c82dcd7eae6479d359c6698ef650b71597babd9bec0aba828cab2bfe642",
    "pbkdf2:sha256:1000$Gw6VGtJGUZPdRdk0$77084494410edf32f20f8cd9defde40dc17d6edf1329c528080940d4a4255bbb",
    "$scrypt$ln=10,r=8,p=1$WMs5ByDk3Fvr3bs3xnhPiQ$IVNRjdJf+SwtO3JEbhQGf0ySVGs9UKjC/m71DcWLhEw",
    "$argon2i$v=19$m=512,t=3,p=1$0gnjoP8Ttck0qLEgPkZikg$5fdbNpJyWGGKAuMxpch6t+mOZqnMq/3ZvWgQyn8eFAQ",
    "$argon2id$v=19$m=512,t=3,p=1$sOjj9k6iqTlXkxEDmsqbJg$RbRixz0DtVBeM+s7qjRQK0rVRXgZTP5VPX0yhwq8BNA",
];

// S-88
#[test]
fn hashes_of_others_are_known_and_made_anew() {
    for hash in OTHERS {
        check(hash, PASSWORD);
    }
}

// S-87
#[test]
fn what_bcrypt_leaves_out_is_not_left_out() {
    let of_72 = scheme("$2b$04$KUwmuoh9PN0xTPM1HmNNsOshWCebFIwDtRU4UU57S2whHWbbCT5BG").unwrap();
    let seventy_two = "x".repeat(72);
    assert!(of_72.verify(&password(&seventy_two)));
    assert!(!of_72.verify(&password(&format!("{seventy_two}suffix"))));
    let of_sha256 =
        scheme("bcrypt_sha256$$2b$04$ISz/sNaFx0Iczyc9i8DUler6NN198iK6nOHAjEmk9u2nUbmmTZMQi").unwrap();
    assert!(of_sha256.verify(&password(&format!("{seventy_two}suffix"))));
    assert!(!of_sha256.verify(&password(&format!("{seventy_two}Suffix"))));
}

// S-87
#[test]
fn what_others_have_not_normalised_is_verified_as_it_was_typed() {
    let decomposed = "pbkdf2_sha256$1000$seasalt1$7HfZOqb1xWkuVwa5nHTRdyn5b+D4aG4Z7mQwy6y5jVQ=";
    let scheme = scheme(decomposed).unwrap();
    assert!(scheme.verify(&password("zoe\u{308} nfd")));
    assert!(!scheme.verify(&password("zo\u{eb} nfd")));
}

#[test]
fn what_is_no_hash_is_refused() {
    for unknown in [
        "x",
        "password",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$salt$hash",
        "$6$rounds=5000$salt$hash",
    ] {
        let refused = scheme(unknown).err();
        assert!(
            matches!(refused, Some(SchemeError::Unknown | SchemeError::Malformed)),
            "{unknown}: {refused:?}"
        );
    }
    for hash in OTHERS {
        for cut in 1..hash.len() {
            let _ = scheme(&hash[..cut]);
        }
        let (start, end) = (&hash[..hash.len() - 30], "$x");
        assert!(scheme(&format!("{start}{end}")).is_err(), "{hash}");
    }
}

// S-88
#[test]
fn what_would_keep_every_core_busy_is_refused() {
    let tag = "RbRixz0DtVBeM+s7qjRQK0rVRXgZTP5VPX0yhwq8BNA";
    for costly in [
        format!("$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ${tag}"),
        format!("$argon2id$v=19$m=65536,t=1000,p=1$c29tZXNhbHQ${tag}"),
        format!("$argon2id$v=19$m=65536,t=1,p=255$c29tZXNhbHQ${tag}"),
        format!("$scrypt$ln=22,r=8,p=1$c29tZXNhbHQ${tag}"),
        format!("$scrypt$ln=63,r=8,p=1$c29tZXNhbHQ${tag}"),
        format!("$scrypt$ln=99,r=8,p=1$c29tZXNhbHQ${tag}"),
        format!("$scrypt$ln=10,r=8,p=1000$c29tZXNhbHQ${tag}"),
        format!("pbkdf2_sha256$5000001$salt${tag}="),
        "$2b$16$d2N1nzdIARwfYB4L0KUKwueYDXgFw2slZBu2i7bJYkM/MVYdz9o6i".to_owned(),
    ] {
        assert_eq!(scheme(&costly).err(), Some(SchemeError::TooCostly), "{costly}");
    }
    for weak in ["$scrypt$ln=10,r=8,p=1$c29tZXNhbHQ$AAAA", "pbkdf2_sha256$1000$salt$AAAA"] {
        assert_eq!(scheme(weak).err(), Some(SchemeError::Malformed), "{weak}: a hash of many passwords");
    }
}
