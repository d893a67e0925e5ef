use std::{
    env, fs,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use claviger_issuer::keys::{Pkcs11Settings, SecretSource};

/// Where distributions put the module.
const MODULES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];
const PIN: &str = "fedcba98";
const DIRECTORY: &str = "CLAVIGER_TEST_TOKEN";

/// Runs a test with a token of its own. The module reads from the environment where its tokens are, so the test runs
/// a second time, in a process whose environment says so.
pub(crate) fn with_token(test: &str, body: impl FnOnce(Pkcs11Settings)) {
    if let Some(directory) = env::var_os(DIRECTORY) {
        return body(settings(Path::new(&directory)).expect("the module was found before"));
    }
    let directory = tempfile::tempdir().unwrap();
    if let Err(why) = make_token(directory.path()) {
        assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "no SoftHSM: {why}");
        println!("SKIPPED: no SoftHSM: {why}");
        return;
    }
    let mut again = Command::new(env::current_exe().unwrap());
    again.args([test, "--exact", "--nocapture"]).env(DIRECTORY, directory.path());
    assert!(again.env("SOFTHSM2_CONF", directory.path().join("conf")).status().unwrap().success());
}

/// The directory of the token of this process.
pub(crate) fn directory() -> PathBuf {
    env::var_os(DIRECTORY).unwrap().into()
}

fn settings(directory: &Path) -> Option<Pkcs11Settings> {
    let module = MODULES.iter().map(Path::new).find(|path| path.exists())?;
    let pin = SecretSource::File(directory.join("pin"));
    Some(Pkcs11Settings { module: module.to_owned(), token: "claviger".to_owned(), pin })
}

fn make_token(directory: &Path) -> Result<(), String> {
    settings(directory).ok_or("no libsofthsm2.so where distributions put it")?;
    let tokens = directory.join("tokens");
    fs::create_dir(&tokens).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o700)).unwrap();
    let conf = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    fs::write(directory.join("conf"), conf).unwrap();
    let mut pin =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.join("pin")).unwrap();
    std::io::Write::write_all(&mut pin, PIN.as_bytes()).unwrap();
    let output = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "claviger", "--so-pin", "abcdef01", "--pin", PIN])
        .env("SOFTHSM2_CONF", directory.join("conf"))
        .output()
        .map_err(|error| format!("softhsm2-util: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
