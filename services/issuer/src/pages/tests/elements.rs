//! A page as a browser reads it, as far as tests ask.

/// An element as it opens: its name, and its attributes with their values.
pub(super) type Element = (String, Vec<(String, String)>);

/// The elements of a page, read as a browser would: quotes end at quotes, names at spaces.
pub(super) fn elements(html: &str) -> Vec<Element> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let end = after.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(after.len());
        let name = after[..end].to_owned();
        let (attributes, left) = attributes(&after[end..]);
        found.push((name, attributes));
        rest = left;
    }
    found
}

fn attributes(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with('>') {
            return (found, rest);
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '>' || c == '=').unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        rest = &rest[end..];
        let Some(value) = rest.strip_prefix("=\"") else {
            found.push((name, String::new()));
            rest = rest.trim_start_matches('=');
            continue;
        };
        let (value, after) = value.split_once('"').unwrap_or((value, ""));
        found.push((name, value.to_owned()));
        rest = after;
    }
}

/// The value of an attribute of an element.
pub(super) fn attribute<'e>((_, attributes): &'e Element, wanted: &str) -> Option<&'e str> {
    attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}
