use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Entry, Read};

/// Somebody, in one line. A password is not among it: only its hash leaves another system.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    username: String,
    #[serde(default)]
    password_hash: Option<String>,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    claims: Map<String, Value>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
}

pub(super) fn read(text: &str) -> Read {
    let (mut entries, mut mistakes) = Read::default();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        match serde_json::from_str::<Line>(text) {
            Ok(Line { username, password_hash, disabled, claims, roles, groups }) => {
                entries.push(Entry { line, username, password_hash, disabled, claims, roles, groups });
            }
            Err(error) => mistakes.push((line, format!("column {}: {}", error.column(), reason(&error)))),
        }
    }
    (entries, mistakes)
}

/// What serde says without its place, which is within the line.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}
