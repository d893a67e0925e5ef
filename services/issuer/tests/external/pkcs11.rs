use std::{fs, path::Path, process::Command, thread};

use claviger_issuer::{
    config::Config,
    keys::{KeyModule, Pkcs11Module, Pkcs11Settings, SecretSource, Vault},
};
use claviger_jose::{Algorithm, Payload, Typ, UnverifiedJws};
use claviger_keyring::{Reference, SignError, SigningKey};
use claviger_store::Store;
use migrations::Migrator;
use serde_json::json;

use crate::{
    bounded::withstands_faults,
    faulty::Faulty,
    softhsm::{directory, with_token},
};

#[derive(serde::Deserialize)]
struct Claims {
    n: usize,
}

impl Payload for Claims {
    const TYP: Typ = Typ::AtJwt;
}

fn new_key(module: &Pkcs11Module, alg: Algorithm) -> (Reference, SigningKey) {
    let (reference, jwk) = module.generate(alg).unwrap();
    let signer = module.signer(alg, &reference).unwrap();
    (reference, SigningKey::external(jwk, signer).unwrap())
}

fn check(key: &SigningKey, n: usize) {
    let token = key.sign(Typ::AtJwt, &json!({ "n": n })).unwrap();
    let claims = key.jwk().verifying_key().unwrap().verify::<Claims>(&UnverifiedJws::parse(&token).unwrap());
    assert_eq!(claims.unwrap().into_inner().n, n);
}

// S-54
#[test]
fn what_is_signed_in_a_token_verifies_here_until_the_key_is_destroyed() {
    with_token("pkcs11::what_is_signed_in_a_token_verifies_here_until_the_key_is_destroyed", |settings| {
        for alg in Algorithm::ALL {
            let module = Pkcs11Module::open(&settings).unwrap();
            let (reference, key) = new_key(&module, alg);
            assert_eq!(key.alg(), alg);
            thread::scope(|scope| {
                let signing = |_| scope.spawn(|| (0..25).for_each(|n| check(&key, n)));
                let threads: Vec<_> = (0..8).map(signing).collect();
                for thread in threads {
                    thread.join().unwrap();
                }
            });
            // Another process, or this one after a restart, finds it by its reference.
            let again = Pkcs11Module::open(&settings).unwrap();
            let signer = again.signer(alg, &reference).unwrap();
            check(&SigningKey::external(key.jwk().clone(), signer).unwrap(), 1);
            module.destroy(&reference).unwrap();
            let refused = key.sign(Typ::AtJwt, &json!({}));
            assert!(matches!(refused, Err(SignError::Unavailable(_))), "{refused:?}");
            module.destroy(&reference).expect("that it is gone is no error");
        }
    });
}

// S-54
#[test]
fn a_token_that_fails_and_hangs_costs_nobody_more_than_a_quarter_of_a_second() {
    with_token(
        "pkcs11::a_token_that_fails_and_hangs_costs_nobody_more_than_a_quarter_of_a_second",
        |settings| {
            let module = Pkcs11Module::open(&settings).unwrap();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            for alg in Algorithm::ALL {
                println!("{alg}");
                let (reference, jwk) = module.generate(alg).unwrap();
                let keeper = Faulty::new(module.signer(alg, &reference).unwrap());
                runtime.block_on(withstands_faults(jwk, keeper));
            }
        },
    );
}

// S-48
#[test]
fn a_token_that_cannot_be_used_is_refused_in_words() {
    with_token("pkcs11::a_token_that_cannot_be_used_is_refused_in_words", |settings| {
        let refusal = |settings: Pkcs11Settings| Pkcs11Module::open(&settings).unwrap_err().to_string();
        let other = Pkcs11Settings { token: "other".to_owned(), ..settings.clone() };
        assert!(refusal(other).contains("it has no token with the label \"other\""));
        let module = "/nowhere/module.so".into();
        assert!(refusal(Pkcs11Settings { module, ..settings.clone() }).contains("/nowhere/module.so"));
        let pin = SecretSource::File(directory().join("none"));
        assert!(refusal(Pkcs11Settings { pin, ..settings.clone() }).contains("the PIN: "));
        let pin = directory().join("wrong");
        fs::write(&pin, "00000000").unwrap();
        fs::set_permissions(&pin, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let wrong = refusal(Pkcs11Settings { pin: SecretSource::File(pin), ..settings });
        assert!(wrong.contains("token \"claviger\"") && !wrong.contains("00000000"), "{wrong}");
    });
}

// S-39 S-54
#[test]
fn an_issuer_makes_its_keys_in_the_token_and_has_revoked_ones_destroyed() {
    with_token("pkcs11::an_issuer_makes_its_keys_in_the_token_and_has_revoked_ones_destroyed", |settings| {
        let home = directory().join("issuer");
        claviger(&home, &["init"]);
        let file = home.join("claviger.toml");
        let section = format!(
            "[keys]\nprovider = \"pkcs11\"\n[keys.pkcs11]\nmodule = {:?}\ntoken = \"claviger\"\npin = {{ file = {:?} }}\n",
            settings.module,
            directory().join("pin"),
        );
        fs::write(&file, fs::read_to_string(&file).unwrap() + &section).unwrap();
        claviger(&home, &["keys", "rotate"]);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let before = runtime.block_on(signers(&home));
        assert_eq!(before.len(), 2, "one per algorithm");
        for key in &before {
            assert!(key.is_external());
            check(key, 7);
        }
        claviger(&home, &["keys", "revoke", before[0].kid().as_str()]);
        assert!(before[0].sign(Typ::AtJwt, &json!({})).is_err(), "it was destroyed with its row");
        let after = runtime.block_on(signers(&home));
        assert_eq!(after.len(), 2, "the prepared one has taken over");
        for key in &after {
            check(key, 8);
        }
    });
}

async fn signers(home: &Path) -> Vec<std::sync::Arc<SigningKey>> {
    let config = Config::load(home, |_| None).unwrap();
    let store = Store::open_existing::<Migrator>(&config.database).await.unwrap();
    let opened = Vault::unlock(&config).await.unwrap().open(&store.load_keys().await.unwrap(), &[]);
    assert!(opened.unvouched.is_empty() && opened.verify_only.is_none());
    store.close().await.unwrap();
    opened.signers
}

fn claviger(home: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    let output = command.arg("--data-dir").arg(home).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
