//! People from elsewhere: all of a file, or nobody.

mod django;
mod lines;
mod table;

use std::collections::HashMap;

use claviger_store::{NewUser, PasswordHash, Username};
use serde_json::{Map, Value};

use super::{new_user_id, profile, scheme::Scheme};
use crate::declared::{Mistake, Mistakes};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// One JSON object per line: username, `password_hash`, disabled, claims, roles, groups.
    JsonLines,
    /// A table with a line of names at its head, as `auth_user` of Django: username, password, email, `first_name`, ...
    Csv,
    /// What `manage.py dumpdata auth` writes.
    Dumpdata,
}

/// Somebody as a file has them, and where.
#[derive(Debug, Default)]
struct Entry {
    line: u64,
    username: String,
    password_hash: Option<String>,
    disabled: bool,
    claims: Map<String, Value>,
    roles: Vec<String>,
    groups: Vec<String>,
}

/// What one format makes of a text: people, and what is wrong where.
type Read = (Vec<Entry>, Vec<(u64, String)>);

impl Format {
    /// The format of a text, by its first character.
    pub(crate) fn of(text: &str) -> Self {
        match text.trim_start_matches('\u{feff}').trim_start().chars().next() {
            Some('{') => Self::JsonLines,
            Some('[') => Self::Dumpdata,
            _ => Self::Csv,
        }
    }

    fn read(self, text: &str) -> Read {
        let text = text.trim_start_matches('\u{feff}');
        match self {
            Self::JsonLines => lines::read(text),
            Self::Csv => table::read(text),
            Self::Dumpdata => django::read(text),
        }
    }
}

/// The people of a file, with their lines.
///
/// # Errors
/// All [`Mistakes`], by line; nobody is imported then.
pub(crate) fn parse(file: &str, text: &str, format: Format) -> Result<Vec<(u64, NewUser)>, Mistakes> {
    let (entries, mut mistakes) = format.read(text);
    let mut first_of: HashMap<String, u64> = HashMap::with_capacity(entries.len());
    let mut people = Vec::with_capacity(entries.len());
    for entry in entries {
        let line = entry.line;
        match check(entry) {
            Ok(new) => {
                if let Some(first) = first_of.get(new.username.key()) {
                    mistakes.push((line, format!("the name of line {first} again")));
                } else {
                    first_of.insert(new.username.key().to_owned(), line);
                    people.push((line, new));
                }
            }
            Err(wrong) => mistakes.extend(wrong.into_iter().map(|wrong| (line, wrong))),
        }
    }
    if people.is_empty() && mistakes.is_empty() {
        mistakes.push((1, "there is nobody in it".to_owned()));
    }
    if mistakes.is_empty() {
        return Ok(people);
    }
    mistakes.sort_by_key(|(line, _)| *line);
    let place = |line: u64| format!("{file}:{line}");
    Err(Mistakes(
        mistakes.into_iter().map(|(line, message)| Mistake { place: place(line), message }).collect(),
    ))
}

fn check(entry: Entry) -> Result<NewUser, Vec<String>> {
    let mut mistakes = Vec::new();
    let mut note = |mistake: String| mistakes.push(mistake);
    let username: Option<Username> = entry.username.parse().map_err(|error| note(format!("{error}"))).ok();
    let hash = entry.password_hash.as_deref().and_then(|hash| hash_of(hash).map_err(&mut note).transpose());
    let profile = profile::checked(entry.claims, entry.roles, entry.groups);
    let profile = profile.map_err(|wrong| mistakes.extend(wrong)).ok();
    match (username, profile) {
        (Some(username), Some(profile)) if mistakes.is_empty() => Ok(NewUser {
            id: new_user_id(),
            username,
            password_hash: hash.and_then(Result::ok),
            disabled: entry.disabled,
            profile,
        }),
        _ => Err(mistakes),
    }
}

/// The hash, if it can be verified. `!` and what follows it is Django's "nobody can log in", an empty text anybody's.
fn hash_of(text: &str) -> Result<Option<PasswordHash>, String> {
    if text.is_empty() || text.starts_with('!') {
        return Ok(None);
    }
    let hash: PasswordHash = text.parse().map_err(|error| format!("{error}"))?;
    Scheme::parse(&hash).map_err(|error| error.to_string())?;
    Ok(Some(hash))
}

#[cfg(test)]
mod tests;
