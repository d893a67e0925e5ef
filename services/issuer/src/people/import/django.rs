//! What [`dumpdata`](https://docs.djangoproject.com/en/stable/ref/django-admin/#dumpdata) writes, and what Django's columns
//! mean.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{Entry, Read, lines::reason};

/// One object of a dump; of its fields those of a person or a group.
#[derive(Deserialize)]
struct Object {
    model: String,
    #[serde(default)]
    pk: Value,
    fields: Fields,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Fields {
    name: String,
    username: Option<String>,
    password: String,
    email: String,
    first_name: String,
    last_name: String,
    is_active: Option<bool>,
    is_staff: bool,
    is_superuser: bool,
    groups: Vec<Value>,
}

pub(super) fn read(text: &str) -> Read {
    let (mut entries, mut mistakes) = Read::default();
    let objects: Vec<&RawValue> = match serde_json::from_str(text) {
        Ok(objects) => objects,
        Err(error) => {
            let line = u64::try_from(error.line()).unwrap_or(1);
            return (entries, vec![(line, reason(&error))]);
        }
    };
    let mut people = Vec::new();
    let mut groups: HashMap<String, String> = HashMap::new();
    let mut lines = Lines { text, counted: 0, line: 1 };
    for object in objects {
        let line = lines.of(object.get());
        match serde_json::from_str::<Object>(object.get()) {
            // A project may have a user model of its own: it is known by its fields.
            Ok(object) if object.fields.username.is_some() => people.push((line, object.fields)),
            Ok(object) if object.model == "auth.group" => {
                groups.insert(object.pk.to_string(), object.fields.name);
            }
            Ok(_) => {}
            Err(error) => mistakes.push((line, reason(&error))),
        }
    }
    for (line, fields) in people {
        let mut named = Vec::new();
        for group in &fields.groups {
            match (groups.get(&group.to_string()), group) {
                (Some(name), _) => named.push(name.clone()),
                // With --natural-foreign a group goes by its name.
                (None, Value::Array(key)) => {
                    named.extend(key.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                (None, _) => mistakes.push((line, format!("the dump does not have the group {group}"))),
            }
        }
        entries.push(entry(line, fields, named));
    }
    (entries, mistakes)
}

fn entry(line: u64, fields: Fields, groups: Vec<String>) -> Entry {
    let mut told = Map::new();
    claims(&mut told, &fields.email, &fields.first_name, &fields.last_name);
    Entry {
        line,
        username: fields.username.unwrap_or_default(),
        password_hash: Some(fields.password),
        disabled: !fields.is_active.unwrap_or(true),
        claims: told,
        roles: roles(fields.is_staff, fields.is_superuser),
        groups,
    }
}

/// Django's columns as OpenID Connect calls them.
pub(super) fn claims(claims: &mut Map<String, Value>, email: &str, first_name: &str, last_name: &str) {
    let name = [first_name.trim(), last_name.trim()].join(" ");
    let told = [("email", email), ("given_name", first_name), ("family_name", last_name), ("name", &name)];
    for (claim, value) in told.map(|(claim, value)| (claim, value.trim())) {
        if !value.is_empty() {
            claims.insert(claim.to_owned(), value.into());
        }
    }
}

/// Django's two marks keep their names: who may do what here is not theirs to say.
pub(super) fn roles(is_staff: bool, is_superuser: bool) -> Vec<String> {
    let roles = [(is_staff, "staff"), (is_superuser, "superuser")];
    roles.into_iter().filter(|(has, _)| *has).map(|(_, role)| role.to_owned()).collect()
}

/// Which line parts of a text begin on, asked for in their order.
struct Lines<'t> {
    text: &'t str,
    counted: usize,
    line: u64,
}

impl Lines<'_> {
    fn of(&mut self, part: &str) -> u64 {
        let start = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let passed = self.text.as_bytes().get(self.counted..start).unwrap_or_default();
        self.line += passed.split(|byte| *byte == b'\n').skip(1).count() as u64;
        self.counted = start.max(self.counted);
        self.line
    }
}
