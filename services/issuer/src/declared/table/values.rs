use serde_json::{Map, Number, Value};
use toml::{Spanned, de::DeValue};

use super::Table;

impl Table<'_, '_> {
    /// An array of any values, with their lines, for a reader of JSON. Absent is empty.
    pub(crate) fn values(&self, name: &'static str) -> Vec<(usize, Value)> {
        let Some(value) = self.member(name) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.mistyped(name, "a list", value);
            return Vec::new();
        };
        let mut values = Vec::new();
        for element in array {
            match json(element.get_ref()) {
                Some(json) => values.push((self.document.line(&element.span()), json)),
                None => self.mistyped(name, "a list of what JSON has too", element),
            }
        }
        values
    }

    /// Whether a list is not there, or empty.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        self.members
            .get(name)
            .is_none_or(|value| value.get_ref().as_array().is_some_and(|list| list.is_empty()))
    }

    /// How many elements a list has, those that are mistakes included.
    pub(crate) fn elements(&self, name: &str) -> usize {
        self.members.get(name).and_then(|value| value.get_ref().as_array()).map_or(0, |list| list.len())
    }
}

/// The same value in JSON; there are no dates in it, and no infinity.
fn json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::from(&**text),
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Integer(number) => Value::from(i64::from_str_radix(number.as_str(), number.radix()).ok()?),
        DeValue::Float(number) => Number::from_f64(number.as_str().parse().ok()?)?.into(),
        DeValue::Datetime(_) => return None,
        DeValue::Array(array) => {
            array.iter().map(|element| json(element.get_ref())).collect::<Option<_>>()?
        }
        DeValue::Table(members) => {
            let member = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &str = AsRef::<str>::as_ref(key.get_ref());
                Some((key.to_owned(), json(value.get_ref())?))
            };
            members.iter().map(member).collect::<Option<Map<_, _>>>()?.into()
        }
    })
}
