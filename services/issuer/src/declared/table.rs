use std::{cell::RefCell, fmt::Display, num::NonZeroUsize, ops::Range, str::FromStr, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Mistake, Mistakes};

mod values;

/// A TOML document and the mistakes that were found in it so far.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    name: &'t str,
    text: &'t str,
    found: RefCell<Vec<(usize, Mistake)>>,
}

/// One table of a document. Each member that is asked for is known; [`Table::finish`] reports the others.
pub(crate) struct Table<'d, 't> {
    document: &'d Document<'t>,
    prefix: String,
    line: usize,
    members: DeTable<'t>,
    known: RefCell<Vec<&'static str>>,
}

/// A member that may be written as a string or as a table.
pub(crate) enum Form<'d, 't> {
    /// As a string.
    Text(String),
    /// As a table.
    Table(Table<'d, 't>),
}

impl<'t> Document<'t> {
    pub(crate) fn new(name: &'t str, text: &'t str) -> Self {
        Self { name, text, found: RefCell::default() }
    }

    /// The top-level table; what is not TOML at all is noted and read as far as possible.
    pub(crate) fn root(&self) -> Table<'_, 't> {
        let (members, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = error.span().map_or(1, |span| self.line(&span));
            self.note(line, error.message().to_owned());
        }
        self.table(String::new(), 1, members.into_inner())
    }

    /// Notes a mistake at a line of the file.
    pub(crate) fn note(&self, line: usize, message: String) {
        let place = format!("{}:{line}", self.name);
        self.found.borrow_mut().push((line, Mistake { place, message }));
    }

    /// Notes a mistake in an environment variable.
    pub(crate) fn note_variable(&self, name: String, message: String) {
        self.found.borrow_mut().push((0, Mistake { place: name, message }));
    }

    /// The value, if there were no mistakes.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Mistakes> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(line, _)| *line);
        match value {
            Some(value) if found.is_empty() => Ok(value),
            _ => Err(Mistakes(found.into_iter().map(|(_, mistake)| mistake).collect())),
        }
    }

    fn table(&self, prefix: String, line: usize, members: DeTable<'t>) -> Table<'_, 't> {
        Table { document: self, prefix, line, members, known: RefCell::default() }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count() + 1
    }
}

impl<'d, 't> Table<'d, 't> {
    /// The table's name with a dot; empty for the top level.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where the table begins.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    /// The line of a member, or else of the table.
    pub(crate) fn line_of(&self, name: &str) -> usize {
        self.members.get(name).map_or(self.line, |value| self.document.line(&value.span()))
    }

    /// A string, parsed. Absent is `None` without a mistake.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, name: &'static str) -> Option<T> {
        let value = self.member(name)?;
        let Some(text) = value.get_ref().as_str() else {
            self.mistyped(name, "a string", value);
            return None;
        };
        self.parse_text(name, text, value)
    }

    /// As [`parsed`](Self::parsed); absent is a mistake.
    pub(crate) fn required<T: FromStr<Err: Display>>(&self, name: &'static str) -> Option<T> {
        if !self.members.contains_key(name) {
            self.document.note(self.line, format!("`{}{name}` is missing", self.prefix));
        }
        self.parsed(name)
    }

    /// A duration such as `"30d"` or `"5m 30s"`.
    pub(crate) fn duration(&self, name: &'static str) -> Option<Duration> {
        self.parsed::<humantime::Duration>(name).map(Into::into)
    }

    pub(crate) fn boolean(&self, name: &'static str) -> Option<bool> {
        let value = self.member(name)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.mistyped(name, "true or false", value);
        }
        boolean
    }

    /// A whole number of at least one.
    pub(crate) fn count(&self, name: &'static str) -> Option<NonZeroUsize> {
        let value = self.member(name)?;
        let number = value.get_ref().as_integer();
        let count = number.and_then(|number| usize::from_str_radix(number.as_str(), number.radix()).ok());
        let count = count.and_then(NonZeroUsize::new);
        if count.is_none() {
            self.mistyped(name, "a whole number of at least 1", value);
        }
        count
    }

    /// An array of strings, each parsed. Absent is empty.
    pub(crate) fn list<T: FromStr<Err: Display>>(&self, name: &'static str) -> Vec<T> {
        let Some(value) = self.member(name) else {
            return Vec::new();
        };
        self.list_of(name, value)
    }

    /// All members of a table whose names are free, as lists of strings.
    pub(crate) fn map_of_lists<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
    ) -> Vec<(String, usize, Vec<T>)> {
        let Some(value) = self.member(name) else {
            return Vec::new();
        };
        let Some(members) = value.get_ref().as_table() else {
            self.mistyped(name, "a table", value);
            return Vec::new();
        };
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'t>>)| {
            let key = AsRef::<str>::as_ref(key.get_ref()).to_owned();
            let list = self.list_of(&format!("{name}.\"{key}\""), value);
            (key, self.document.line(&value.span()), list)
        };
        members.iter().map(entry).collect()
    }

    /// A table inside this one; absent is an empty one.
    pub(crate) fn table(&self, name: &'static str) -> Table<'d, 't> {
        let prefix = format!("{}{name}.", self.prefix);
        let Some(value) = self.member(name) else {
            return self.document.table(prefix, self.line, DeTable::new());
        };
        let line = self.document.line(&value.span());
        let members = value.get_ref().as_table().cloned().unwrap_or_else(|| {
            self.mistyped(name, "a table", value);
            DeTable::new()
        });
        self.document.table(prefix, line, members)
    }

    /// Whether there is a member of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A member that may be a string or a table. Absent is `None` without a mistake.
    pub(crate) fn form(&self, name: &'static str) -> Option<Form<'d, 't>> {
        let value = self.member(name)?;
        self.form_of(name, value)
    }

    /// A list of such. Absent is empty.
    pub(crate) fn forms(&self, name: &'static str) -> Vec<Form<'d, 't>> {
        let Some(value) = self.member(name) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.mistyped(name, "a list", value);
            return Vec::new();
        };
        array.iter().filter_map(|element| self.form_of(name, element)).collect()
    }

    fn form_of(&self, name: &str, value: &Spanned<DeValue<'t>>) -> Option<Form<'d, 't>> {
        if let Some(text) = value.get_ref().as_str() {
            return Some(Form::Text(text.to_owned()));
        }
        let Some(members) = value.get_ref().as_table() else {
            self.mistyped(name, "a string or a table", value);
            return None;
        };
        let (prefix, line) = (format!("{}{name}.", self.prefix), self.document.line(&value.span()));
        Some(Form::Table(self.document.table(prefix, line, members.clone())))
    }

    /// The tables of an array `[[name]]`.
    pub(crate) fn tables(&self, name: &'static str) -> Vec<Table<'d, 't>> {
        let Some(value) = self.member(name) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.mistyped(name, "an array of tables", value);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for element in array {
            match element.get_ref().as_table() {
                Some(members) => {
                    let line = self.document.line(&element.span());
                    tables.push(self.document.table(String::new(), line, members.clone()));
                }
                None => self.mistyped(name, "an array of tables", element),
            }
        }
        tables
    }

    /// Reports the members that nobody asked for: a misspelt name must not be a silent default.
    pub(crate) fn finish(self) {
        let known = self.known.borrow();
        for (key, _) in &self.members {
            let name: &str = key.get_ref().as_ref();
            if !known.contains(&name) {
                let line = self.document.line(&key.span());
                let names = known.join(", ");
                self.document
                    .note(line, format!("`{}{name}` is not known here; known are: {names}", self.prefix));
            }
        }
    }

    fn member(&self, name: &'static str) -> Option<&Spanned<DeValue<'t>>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&name) {
            known.push(name);
        }
        self.members.get(name)
    }

    fn list_of<T: FromStr<Err: Display>>(&self, name: &str, value: &Spanned<DeValue<'t>>) -> Vec<T> {
        let Some(array) = value.get_ref().as_array() else {
            self.mistyped(name, "a list of strings", value);
            return Vec::new();
        };
        let mut list = Vec::new();
        for element in array {
            match element.get_ref().as_str() {
                Some(text) => list.extend(self.parse_text(name, text, element)),
                None => self.mistyped(name, "a list of strings", element),
            }
        }
        list
    }

    fn parse_text<T: FromStr<Err: Display>>(
        &self,
        name: &str,
        text: &str,
        at: &Spanned<DeValue<'t>>,
    ) -> Option<T> {
        let problem = match text.parse() {
            Ok(value) => return Some(value),
            Err(problem) => problem,
        };
        let line = self.document.line(&at.span());
        self.document.note(line, format!("`{}{name}` = {text:?}: {problem}", self.prefix));
        None
    }

    fn mistyped(&self, name: &str, expected: &str, found: &Spanned<DeValue<'t>>) {
        let line = self.document.line(&found.span());
        let found = found.get_ref().type_str();
        self.document.note(line, format!("`{}{name}` must be {expected}, not {found}", self.prefix));
    }
}
