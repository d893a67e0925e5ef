use std::collections::HashMap;

use serde_json::Map;

use super::{
    Entry, Read,
    django::{claims, roles},
};

/// Columns that are understood, and those of Django's table that say nothing to us.
const KNOWN: [&str; 10] = [
    "username",
    "password",
    "password_hash",
    "email",
    "first_name",
    "last_name",
    "is_active",
    "is_staff",
    "is_superuser",
    "groups",
];
const IGNORED: [&str; 3] = ["id", "last_login", "date_joined"];

pub(super) fn read(text: &str) -> Read {
    let (mut entries, mut mistakes) = Read::default();
    let mut reader = csv::ReaderBuilder::new().has_headers(true).flexible(false).from_reader(text.as_bytes());
    let columns = match reader.headers() {
        Ok(headers) => match columns(headers) {
            Ok(columns) => columns,
            Err(wrong) => return (entries, wrong.into_iter().map(|wrong| (1, wrong)).collect()),
        },
        Err(error) => return (entries, vec![(line_of(&error), reason(&error))]),
    };
    for record in reader.records() {
        match record {
            Ok(record) => match entry(&record, &columns) {
                Ok(entry) => entries.push(entry),
                Err(wrong) => mistakes.push(wrong),
            },
            Err(error) => mistakes.push((line_of(&error), reason(&error))),
        }
    }
    (entries, mistakes)
}

fn columns(headers: &csv::StringRecord) -> Result<HashMap<String, usize>, Vec<String>> {
    let mut mistakes = Vec::new();
    let mut columns = HashMap::new();
    for (position, name) in headers.iter().enumerate() {
        let name = name.trim();
        if !KNOWN.contains(&name) && !IGNORED.contains(&name) {
            mistakes.push(format!("the column {name:?} is not one of {}", KNOWN.join(", ")));
        } else if columns.insert(name.to_owned(), position).is_some() {
            mistakes.push(format!("the column {name} is there twice"));
        }
    }
    if !columns.contains_key("username") {
        mistakes.push("the first line names the columns, and there is none called username".to_owned());
    }
    if mistakes.is_empty() { Ok(columns) } else { Err(mistakes) }
}

fn entry(record: &csv::StringRecord, columns: &HashMap<String, usize>) -> Result<Entry, (u64, String)> {
    let line = record.position().map_or(0, csv::Position::line);
    let field = |name: &str| columns.get(name).and_then(|position| record.get(*position)).unwrap_or("");
    let truth = |name: &str, absent: bool| {
        truth(field(name), absent).map_err(|wrong| (line, format!("{name}: {wrong}")))
    };
    let groups = field("groups").split(';').map(str::trim).filter(|group| !group.is_empty());
    let hash = [field("password_hash"), field("password")].into_iter().find(|hash| !hash.is_empty());
    let mut told = Map::new();
    claims(&mut told, field("email"), field("first_name"), field("last_name"));
    Ok(Entry {
        line,
        username: field("username").to_owned(),
        password_hash: hash.map(str::to_owned),
        disabled: !truth("is_active", true)?,
        claims: told,
        roles: roles(truth("is_staff", false)?, truth("is_superuser", false)?),
        groups: groups.map(str::to_owned).collect(),
    })
}

/// As PostgreSQL, SQLite, Python and people write it.
fn truth(text: &str, absent: bool) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" => Ok(absent),
        "t" | "true" | "1" | "yes" => Ok(true),
        "f" | "false" | "0" | "no" => Ok(false),
        _ => Err("neither true nor false".to_owned()),
    }
}

fn line_of(error: &csv::Error) -> u64 {
    error.position().map_or(1, csv::Position::line)
}

fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the first line names {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => "this cannot be read as a table".to_owned(),
    }
}
