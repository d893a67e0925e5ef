use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON document with nothing lost: repeated names are both there, in their order.
///
/// It is how reasons are proven, so it shares no code with the reader that it judges.
#[derive(Debug, PartialEq)]
pub(crate) enum Tree {
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
    /// A number, a truth value or null.
    Other,
}

impl Tree {
    /// The document, if it is one of JSON at all, however deep. For documents within our caps.
    pub(crate) fn read(document: &[u8]) -> Option<Self> {
        let mut json = serde_json::Deserializer::from_slice(document);
        json.disable_recursion_limit();
        let tree = Self::deserialize(&mut json).ok()?;
        json.end().ok()?;
        Some(tree)
    }

    /// Every value of this name at the top.
    pub(crate) fn all<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t Self> {
        let members = if let Self::Object(members) = self { members.as_slice() } else { &[] };
        members.iter().filter(move |(held, _)| held == name).map(|(_, value)| value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    pub(crate) fn is_whole_media_type(&self) -> bool {
        matches!(self, Self::Text(text) if text.to_ascii_lowercase().starts_with("application/"))
    }

    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Text(_) | Self::Other => 0,
            _ => 1 + self.children().map(Self::depth).max().unwrap_or(0),
        }
    }

    /// The most members of one object.
    pub(crate) fn width(&self) -> usize {
        let own = if let Self::Object(members) = self { members.len() } else { 0 };
        self.children().map(Self::width).fold(own, usize::max)
    }

    /// Whether a name is repeated in any object.
    pub(crate) fn repeats(&self) -> bool {
        let own = if let Self::Object(members) = self {
            members
                .iter()
                .enumerate()
                .any(|(at, (name, _))| members[..at].iter().any(|(held, _)| held == name))
        } else {
            false
        };
        own || self.children().any(Self::repeats)
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::Text(_) | Self::Other => Box::new(std::iter::empty()),
            Self::List(items) => Box::new(items.iter()),
            Self::Object(members) => Box::new(members.iter().map(|(_, value)| value)),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        let tree = Tree::read(br#"{"a":1,"\u0061":["x",{"b":null}],"c":{"d":1,"d":2}}"#).unwrap();
        assert_eq!((tree.depth(), tree.width(), tree.repeats()), (3, 3, true));
        assert_eq!(tree.all("a").count(), 2);
        let Tree::Object(members) = &tree else { panic!("an object") };
        assert!(!members[1].1.repeats() && members[2].1.repeats());
        assert_eq!(Tree::read(b"{"), None);
    }
}
