use std::path::Path;

use claviger_jose::base64url;
use claviger_keyring::{KeyEncryptionKey, rand_core::RngCore};
use zeroize::Zeroizing;

use super::secret::{SecretError, SecretSource, create};
use crate::rng::SystemRng;

/// Makes a new key-encryption key: 32 random bytes in base64url, readable by its owner alone.
///
/// # Errors
/// [`SecretError`]; also if the file exists, for it may be the only copy of a key in use.
pub fn create_kek(path: &Path) -> Result<(), SecretError> {
    let mut raw = Zeroizing::new([0; KeyEncryptionKey::LENGTH]);
    SystemRng.fill_bytes(&mut *raw);
    // One allocation of the right size: what is moved to a larger one stays behind.
    let mut text = Zeroizing::new(String::with_capacity(64));
    base64url::encode_into(&*raw, &mut text);
    text.push('\n');
    create(path, &text).map_err(|error| SecretSource::File(path.to_owned()).error(error.to_string()))
}

/// Reads a key-encryption key: 32 bytes in base64url, with or without padding.
///
/// # Errors
/// [`SecretError`] if it cannot be had, or is no acceptable key.
pub fn read_kek(source: &SecretSource) -> Result<KeyEncryptionKey, SecretError> {
    let text = source.read()?;
    let raw = base64url::decode(text.trim_end_matches('='))
        .map(Zeroizing::new)
        .map_err(|_| source.error("32 bytes in base64url are expected".to_owned()))?;
    KeyEncryptionKey::new(&raw).map_err(|weak| source.error(weak.to_string()))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{MetadataExt, PermissionsExt},
    };

    use super::{super::secret::SecretCommand, *};

    const GOOD: &str = "qsLWAyV3p0sJr7GkU1d9mZ2xYt6bNfHcVeQoIiKwX84";

    fn refusal(text: &str, mode: u32) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kek");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let message = refusal_of(&SecretSource::File(path.clone()));
        message.replace(&path.display().to_string(), "kek")
    }

    fn refusal_of(source: &SecretSource) -> String {
        read_kek(source).map_or_else(|error| error.to_string(), |_| String::new())
    }

    // S-48
    #[test]
    fn a_weak_or_exposed_key_is_refused() {
        let zero = base64url::encode(&[0; 32]);
        let counting = base64url::encode(&std::array::from_fn::<u8, 32, _>(|n| u8::try_from(n).unwrap()));
        let short = base64url::encode(&[7, 1, 9, 4]);
        assert_eq!(refusal(GOOD, 0o600), "");
        assert_eq!(refusal(&format!("{GOOD}\n"), 0o400), "");
        assert_eq!(refusal(&format!("{GOOD}=\n"), 0o400), "", "as basenc writes it");
        assert!(refusal(GOOD, 0o640).contains("can be read by others"));
        assert!(refusal(GOOD, 0o604).contains("can be read by others"));
        assert!(refusal(&zero, 0o600).contains("a pattern"));
        assert!(refusal(&counting, 0o600).contains("a pattern"));
        assert!(refusal(&short, 0o600).contains("has 32 bytes, this one has 4"));
        assert_eq!(refusal("", 0o600), "kek: it is empty");
        assert!(refusal("not base64url!", 0o600).contains("base64url are expected"));
        assert!(refusal(&"A".repeat(1025), 0o600).contains("longer than 1024 bytes"));
        let directory = tempfile::tempdir().unwrap();
        assert!(refusal_of(&SecretSource::File(directory.path().to_owned())).ends_with("it is no file"));
        assert!(refusal_of(&SecretSource::File(directory.path().join("kek"))).contains("No such file"));
    }

    // S-48
    #[test]
    fn a_key_from_a_command_or_the_environment_meets_the_same_questions() {
        let command = |argv: &[&str]| {
            let argv = argv.iter().map(|&word| word.to_owned()).collect();
            refusal_of(&SecretSource::Command(SecretCommand { argv, environment: Vec::new() }))
        };
        assert_eq!(command(&["/bin/echo", GOOD]), "");
        assert_eq!(
            command(&["/bin/echo", "c2hvcnQ"]),
            "command /bin/echo: a key-encryption key has 32 bytes, this one has 5"
        );
        assert_eq!(command(&["/bin/true"]), "command /bin/true: it is empty");
        assert_eq!(command(&["/bin/false"]), "command /bin/false: exit status: 1");
        let variable = |name: &str| refusal_of(&SecretSource::Environment(name.to_owned()));
        assert_eq!(variable("CLAVIGER_NO_SUCH"), "environment variable CLAVIGER_NO_SUCH: it is not set");
        assert!(variable("CARGO_PKG_NAME").contains("CARGO_PKG_NAME: "), "it is set, and no key");
    }

    #[test]
    fn a_new_key_is_private_and_never_overwrites_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kek");
        create_kek(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let source = SecretSource::File(path.clone());
        let id = read_kek(&source).unwrap().id().to_owned();
        assert!(create_kek(&path).unwrap_err().to_string().contains("exists"));
        assert_eq!(read_kek(&source).unwrap().id(), id);
    }
}
