//! What a verification is worth: which forged tokens each contestant lets in, as it is configured here.

use anyhow::ensure;
use claviger_testkit::{TestKey, TestToken};
use comfy_table::{Table, presets::ASCII_MARKDOWN};
use serde_json::{Value, json};

use crate::{
    contestants::Contestant,
    stage::{AUDIENCE, Presented, Stage},
};

/// The table's name, for the filter.
pub(crate) const NAME: &str = "forged tokens";

/// The one that nobody may accept: else it is the bench that is wrong.
const OTHER_KEY: &str = "another key's signature";

fn tokens(stage: &Stage) -> Vec<(&'static str, String)> {
    let key = TestKey::es256();
    let token = || stage.issuer.token(AUDIENCE);
    let now = token().claims()["iat"].as_u64().unwrap_or_default();
    let header = |typ: &str| json!({ "alg": "ES256", "kid": key.kid(), "typ": typ });
    let signed = |token: TestToken| token.sign_with(key);
    let repeated =
        format!(r#"{{"iss":"https://evil.test",{}"#, token().claims().to_string().trim_start_matches('{'));
    let critical = json!({ "alg": "ES256", "kid": key.kid(), "typ": "at+jwt", "crit": ["exp2"], "exp2": 1 });
    vec![
        (OTHER_KEY, TestKey::es256_other().jws(header("at+jwt"), &token().claims().to_string())),
        ("another issuer", signed(token().claim("iss", "https://evil.test"))),
        ("no issuer", signed(token().without("iss"))),
        ("another audience", signed(token().claim("aud", "https://ledger.fleet.test"))),
        ("no audience", signed(token().without("aud"))),
        ("expired", signed(token().claim("iat", now - 900).claim("exp", now - 600))),
        ("no end", signed(token().without("exp"))),
        ("ten years of life", signed(token().expires_in(315_360_000))),
        ("issued tomorrow", signed(token().claim("iat", now + 86_400).claim("exp", now + 86_700))),
        ("not before tomorrow", signed(token().claim("nbf", now + 86_400))),
        ("typ of an ID token", key.jws(header("JWT"), &token().claims().to_string())),
        ("an unknown critical header", key.jws(critical, &token().claims().to_string())),
        ("issuer twice", key.jws(header("at+jwt"), &repeated)),
        ("sender-constrained, without proof", signed(token().claim("cnf", json!({ "jkt": "a" }) as Value))),
    ]
}

pub(crate) fn table(judges: Vec<Contestant>, stage: &Stage) -> anyhow::Result<Table> {
    let forged = tokens(stage);
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([&format!("of {} {NAME}", forged.len()), "accepts", "which"]);
    for Contestant { name, check } in judges {
        let accepted = match check {
            Ok(mut check) => {
                let mut accepted = Vec::new();
                for (what, token) in &forged {
                    if check(&Presented::new(token.clone())?).is_ok() {
                        accepted.push(*what);
                    }
                }
                accepted
            }
            Err(reason) => vec![reason],
        };
        ensure!(!accepted.contains(&OTHER_KEY), "{name} does not look at signatures: it is set up wrongly");
        table.add_row([name, accepted.len().to_string(), accepted.join(", ")]);
    }
    Ok(table)
}
