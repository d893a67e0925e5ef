use std::path::{Path, PathBuf};

use claviger_jose::base64url;
use claviger_keyring::KeyEncryptionKey;

use super::{SecretCommand, SecretSource};
use crate::declared::{Document, Form, Table};

/// Where the signing keys are kept, and under which key-encryption keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// The key-encryption key that new seals are made with.
    pub key_encryption_key: SecretSource,
    /// Others that open what was sealed before, until `claviger keys rewrap` has left nothing under them.
    pub previous: Vec<SecretSource>,
    /// Where new keys are made.
    pub provider: KeyProvider,
    /// The PKCS#11 token, which holds keys even where no new ones are made in it.
    pub pkcs11: Option<Pkcs11Settings>,
}

/// Where new keys are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyProvider {
    /// Here; the database holds them, sealed.
    Local,
    /// In a PKCS#11 token, which they never leave; the database holds where they are, sealed.
    Pkcs11,
}

/// A token of a PKCS#11 module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkcs11Settings {
    /// The library of the module.
    pub module: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The PIN of its user.
    pub pin: SecretSource,
}

impl KeySettings {
    /// Reads `key_encryption_key`, `previous_key_encryption_keys` and `[keys]`. `over` is a path from the environment,
    /// which goes before the first.
    pub(crate) fn read(
        document: &Document<'_>,
        root: &Table<'_, '_>,
        over: Option<PathBuf>,
        data_dir: &Path,
    ) -> Option<Self> {
        let reader = Reader { document, data_dir };
        let name = "key_encryption_key";
        let line = root.line_of(name);
        let declared = root.form(name).map(|form| reader.source(name, line, form));
        if !root.has(name) && over.is_none() {
            document.note(line, format!("`{name}` is missing"));
        }
        let over = over.map(|path| SecretSource::File(data_dir.join(path)));
        let name = "previous_key_encryption_keys";
        let line = root.line_of(name);
        let previous: Vec<_> =
            root.forms(name).into_iter().map(|form| reader.source(name, line, form)).collect();
        let (provider, pkcs11) = reader.keys(root);
        Some(Self {
            key_encryption_key: over.or(declared.flatten())?,
            previous: previous.into_iter().collect::<Option<_>>()?,
            provider,
            pkcs11,
        })
    }
}

struct Reader<'r, 't> {
    document: &'r Document<'t>,
    data_dir: &'r Path,
}

impl Reader<'_, '_> {
    /// A source of a secret; text is the path of a file.
    fn source(&self, name: &str, line: usize, form: Form<'_, '_>) -> Option<SecretSource> {
        match form {
            Form::Text(path) if is_a_key(&path) => {
                self.document.note(line, format!("`{name}` must be the path of a file, not the key itself"));
                None
            }
            Form::Text(path) => Some(SecretSource::File(self.data_dir.join(path))),
            Form::Table(table) => self.source_of(table),
        }
    }

    fn source_of(&self, table: Table<'_, '_>) -> Option<SecretSource> {
        let file = table.parsed::<PathBuf>("file").map(|path| SecretSource::File(self.data_dir.join(path)));
        let name = table.parsed::<String>("env");
        let allowed = table.boolean("allow_environment").unwrap_or(false);
        let argv = table.list::<String>("command");
        let environment = table.list::<String>("environment");
        let (line, place) = (table.line(), table.prefix().trim_end_matches('.').to_owned());
        table.finish();
        if name.is_some() && !allowed {
            let message = format!(
                "`{place}`: a secret in the environment stays in the memory of the process and reaches whatever is \
                 started beside it; use a file or a command, or say `allow_environment = true`"
            );
            self.document.note(line, message);
        }
        let command =
            (!argv.is_empty()).then_some(SecretSource::Command(SecretCommand { argv, environment }));
        let mut named = [file, name.map(SecretSource::Environment), command].into_iter().flatten();
        let one = named.next().filter(|_| named.next().is_none());
        if one.is_none() {
            let message = format!("`{place}` must have one of `file`, `env` and `command`");
            self.document.note(line, message);
        }
        one
    }

    fn keys(&self, root: &Table<'_, '_>) -> (KeyProvider, Option<Pkcs11Settings>) {
        let keys = root.table("keys");
        let line = keys.line_of("provider");
        let provider = match keys.parsed::<String>("provider").as_deref() {
            None | Some("local") => KeyProvider::Local,
            Some("pkcs11") => KeyProvider::Pkcs11,
            Some(_) => {
                self.document.note(line, "`keys.provider` must be \"local\" or \"pkcs11\"".to_owned());
                KeyProvider::Local
            }
        };
        let pkcs11 = if keys.has("pkcs11") { self.pkcs11(&keys) } else { None };
        if provider == KeyProvider::Pkcs11 && !keys.has("pkcs11") {
            self.document.note(line, "`keys.pkcs11` is missing: `module`, `token` and `pin`".to_owned());
        }
        if keys.has("pkcs11") && !cfg!(feature = "pkcs11") {
            let message = "`keys.pkcs11`: this program was built without the feature `pkcs11`";
            self.document.note(keys.line_of("pkcs11"), message.to_owned());
        }
        keys.finish();
        (provider, pkcs11)
    }

    fn pkcs11(&self, keys: &Table<'_, '_>) -> Option<Pkcs11Settings> {
        let table = keys.table("pkcs11");
        let module = table.required::<PathBuf>("module");
        let token = table.required::<String>("token");
        let line = table.line_of("pin");
        let pin = match table.form("pin") {
            Some(Form::Table(pin)) => self.source_of(pin),
            // Not quoted: it may well be the PIN.
            Some(Form::Text(_)) | None => {
                let message = "`keys.pkcs11.pin` must be a table with one of `file`, `env` and `command`";
                self.document.note(line, message.to_owned());
                None
            }
        };
        table.finish();
        // A name without a slash is looked for by the system, as any library is.
        let module =
            module.map(|path| if path.components().count() > 1 { self.data_dir.join(path) } else { path });
        Some(Pkcs11Settings { module: module?, token: token?, pin: pin? })
    }
}

/// Whether the text would be the key itself: what is wrong with a path may be written to a log.
fn is_a_key(text: &str) -> bool {
    base64url::decode(text).is_ok_and(|bytes| bytes.len() == KeyEncryptionKey::LENGTH)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: &Expect) {
        let document = Document::new("t", text);
        let root = document.root();
        let settings = KeySettings::read(&document, &root, None, Path::new("/d"));
        root.finish();
        let answer = match document.finish(settings) {
            Ok(settings) => format!("{settings:?}"),
            Err(mistakes) => mistakes.to_string(),
        };
        expected.assert_eq(&answer);
    }

    // S-48
    #[test]
    fn a_key_encryption_key_comes_from_a_file_a_command_or_reluctantly_the_environment() {
        check(
            "key_encryption_key = 'kek'",
            &expect![[
                r#"KeySettings { key_encryption_key: File("/d/kek"), previous: [], provider: Local, pkcs11: None }"#
            ]],
        );
        check(
            "key_encryption_key = { file = '/etc/kek' }",
            &expect![[
                r#"KeySettings { key_encryption_key: File("/etc/kek"), previous: [], provider: Local, pkcs11: None }"#
            ]],
        );
        check(
            "key_encryption_key = { command = ['vault', 'read', '-field=kek'], environment = ['VAULT_ADDR'] }\n\
             previous_key_encryption_keys = ['old', { env = 'KEK', allow_environment = true }]",
            &expect![[
                r#"KeySettings { key_encryption_key: Command(SecretCommand { argv: ["vault", "read", "-field=kek"], environment: ["VAULT_ADDR"] }), previous: [File("/d/old"), Environment("KEK")], provider: Local, pkcs11: None }"#
            ]],
        );
    }

    // S-48
    #[test]
    fn every_mistake_of_a_source_is_named_and_no_secret_is_quoted() {
        check("", &expect!["t:1: `key_encryption_key` is missing"]);
        check(
            "key_encryption_key = 7",
            &expect!["t:1: `key_encryption_key` must be a string or a table, not integer"],
        );
        check(
            "key_encryption_key = {}",
            &expect!["t:1: `key_encryption_key` must have one of `file`, `env` and `command`"],
        );
        check(
            "key_encryption_key = { env = 'KEK' }",
            &expect![
                "t:1: `key_encryption_key`: a secret in the environment stays in the memory of the process and reaches whatever is started beside it; use a file or a command, or say `allow_environment = true`"
            ],
        );
        check(
            "key_encryption_key = { file = 'kek', command = ['cat', 'kek'] }",
            &expect!["t:1: `key_encryption_key` must have one of `file`, `env` and `command`"],
        );
        check(
            "key_encryption_key = { command = 'cat kek' }",
            &expect![[r"
            t:1: `key_encryption_key.command` must be a list of strings, not string
            t:1: `key_encryption_key` must have one of `file`, `env` and `command`"]],
        );
        check(
            "key_encryption_key = { path = 'kek' }",
            &expect![[r"
            t:1: `key_encryption_key.path` is not known here; known are: file, env, allow_environment, command, environment
            t:1: `key_encryption_key` must have one of `file`, `env` and `command`"]],
        );
        check(
            "key_encryption_key = 'qsLWAyV3p0sJr7GkU1d9mZ2xYt6bNfHcVeQoIiKwX84'",
            &expect!["t:1: `key_encryption_key` must be the path of a file, not the key itself"],
        );
        check(
            "key_encryption_key = 'kek'\nprevious_key_encryption_keys = 'old'",
            &expect!["t:2: `previous_key_encryption_keys` must be a list, not string"],
        );
        check(
            "key_encryption_key = 'kek'\nkeys = { provider = 'kms' }",
            &expect![[r#"t:2: `keys.provider` must be "local" or "pkcs11""#]],
        );
        check(
            "key_encryption_key = 'kek'\nkeys = { provider = 'pkcs11' }",
            &expect!["t:2: `keys.pkcs11` is missing: `module`, `token` and `pin`"],
        );
    }

    // S-48
    #[cfg(feature = "pkcs11")]
    #[test]
    fn a_token_is_named_by_module_label_and_the_source_of_its_pin() {
        let with = |pkcs11: &str| {
            format!("key_encryption_key = 'kek'\n[keys]\nprovider = 'pkcs11'\n[keys.pkcs11]\n{pkcs11}")
        };
        check(
            &with("module = '/lib/m.so'\ntoken = 'a'\npin = { file = 'pin' }"),
            &expect![[
                r#"KeySettings { key_encryption_key: File("/d/kek"), previous: [], provider: Pkcs11, pkcs11: Some(Pkcs11Settings { module: "/lib/m.so", token: "a", pin: File("/d/pin") }) }"#
            ]],
        );
        check(
            &with("module = 'm.so'\npin = '1234'"),
            &expect![[r"
            t:4: `keys.pkcs11.token` is missing
            t:6: `keys.pkcs11.pin` must be a table with one of `file`, `env` and `command`"]],
        );
    }
}
