//! JSON as security decisions need it: one meaning per document.
//!
//! `serde_json` keeps the last of two members with one name, another parser keeps the first,
//! and an attacker lives between them (RFC 7515 section 4 and RFC 7519 section 4 require unique
//! names). Here a repeated name at any depth, however it is escaped, is an error, as are deep
//! nesting, very many members, and anything behind the document.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use smallvec::SmallVec;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: u8 = 8;
/// How many members one object may have.
pub const MAX_MEMBERS: usize = 64;

/// The document is not JSON, not of the expected shape, or ambiguous. The message may quote
/// the document: it is for tests and debugging, not for a caller or a log.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct InvalidJson(#[from] serde_json::Error);

/// Parses one whole JSON document into `T`, refusing repeated names at any depth.
///
/// `T` may use everything of serde that works on self-describing input, except enums with data.
///
/// # Errors
/// [`InvalidJson`] for malformed, ambiguous, too deep or too wide documents.
pub fn from_slice<T: DeserializeOwned>(document: &[u8]) -> Result<T, InvalidJson> {
    from_slice_seed(document, std::marker::PhantomData)
}

/// Like [`from_slice`], for values that borrow from the document or carry state.
///
/// # Errors
/// [`InvalidJson`] as for [`from_slice`].
pub fn from_slice_seed<'de, S: DeserializeSeed<'de>>(
    document: &'de [u8],
    seed: S,
) -> Result<S::Value, InvalidJson> {
    // Once for all: from bytes, each string would be checked by itself.
    let document = str::from_utf8(document).map_err(<serde_json::Error as de::Error>::custom)?;
    from_str_seed(document, seed)
}

/// Like [`from_slice`], for a text and values that borrow from it.
///
/// # Errors
/// [`InvalidJson`] as for [`from_slice`].
pub fn from_str<'de, T: de::Deserialize<'de>>(document: &'de str) -> Result<T, InvalidJson> {
    from_str_seed(document, std::marker::PhantomData)
}

fn from_str_seed<'de, S: DeserializeSeed<'de>>(document: &'de str, seed: S) -> Result<S::Value, InvalidJson> {
    let mut json = serde_json::Deserializer::from_str(document);
    let value = seed.deserialize(Strict { inner: &mut json, depth: MAX_DEPTH })?;
    json.end()?;
    Ok(value)
}

/// Wraps a deserializer, a visitor or an access of serde, and everything that comes out of it.
struct Strict<I> {
    inner: I,
    /// How many more levels may open below this one.
    depth: u8,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Strict { inner: visitor, depth: self.depth })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Strict { inner: visitor, depth: self.depth })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    /// An array is not a short way to write an object, although derived code would read one as its
    /// fields in their order: a header or a claim would have a second spelling.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(Strict { inner: visitor, depth: self.depth })
    }

    // `ignored_any` is among them: what nobody reads must be unambiguous too.
    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

macro_rules! forward_visits {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method<E: de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    forward_visits! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str,
        visit_borrowed_str: &'de str, visit_string: String,
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Strict { inner, depth: self.depth })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let depth = one_less(self.depth)?;
        self.inner.visit_seq(Strict { inner, depth })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let depth = one_less(self.depth)?;
        self.inner.visit_map(UniqueNames { inner, depth, seen: SmallVec::new() })
    }
}

fn one_less<E: de::Error>(depth: u8) -> Result<u8, E> {
    depth.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Strict { inner, depth: self.depth })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.inner.next_element_seed(Strict { inner: seed, depth: self.depth })
    }
}

/// The members of one object, with the names that were seen so far.
struct UniqueNames<'de, A> {
    inner: A,
    depth: u8,
    seen: SmallVec<[Cow<'de, str>; 16]>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for UniqueNames<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(name) = self.inner.next_key_seed(Name)? else {
            return Ok(None);
        };
        if self.seen.contains(&name) {
            return Err(de::Error::custom("a name is repeated"));
        }
        if self.seen.len() == MAX_MEMBERS {
            return Err(de::Error::custom("too many members"));
        }
        let value = match &name {
            Cow::Borrowed(name) => seed.deserialize(de::value::BorrowedStrDeserializer::new(name)),
            Cow::Owned(name) => seed.deserialize(de::value::StrDeserializer::new(name)),
        }?;
        self.seen.push(name);
        Ok(Some(value))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(Strict { inner: seed, depth: self.depth })
    }
}

/// Reads a member's name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Known {
        sub: String,
        #[serde(default)]
        age: Option<u8>,
    }

    // S-7
    #[test]
    fn repeated_names_are_refused_at_any_depth_and_in_any_spelling() {
        for json in [
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"sub":"a","\u0073ub":"b"}"#,
            r#"{"sub":"a","x":1,"x":1}"#,
            r#"{"sub":"a","x":{"y":1,"y":2}}"#,
            r#"{"sub":"a","x":[{"y":1,"\u0079":2}]}"#,
        ] {
            assert!(from_slice::<Known>(json.as_bytes()).is_err(), "{json}");
            assert!(from_slice::<Value>(json.as_bytes()).is_err(), "{json}");
        }
    }

    // S-12
    #[test]
    fn depth_and_width_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(from_slice::<Value>(nested(8).as_bytes()).is_ok());
        assert!(from_slice::<Value>(nested(9).as_bytes()).is_err());
        assert!(from_slice::<Value>(nested(10_000).as_bytes()).is_err());
        assert!(from_slice::<Value>("[".repeat(10_000).as_bytes()).is_err());
        let wide = |members: usize| {
            let members: Vec<_> = (0..members).map(|n| format!("\"m{n}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(from_slice::<Value>(wide(64).as_bytes()).is_ok());
        assert!(from_slice::<Value>(wide(65).as_bytes()).is_err());
    }

    #[test]
    fn the_document_is_whole() {
        for json in
            ["", " ", r#"{"sub":"a"}{}"#, r#"{"sub":"a"} x"#, r#"{"sub":"a"#, "[]", "null", "\u{feff}{}"]
        {
            assert!(from_slice::<Known>(json.as_bytes()).is_err(), "{json}");
        }
        assert!(from_slice::<Known>(b"{\"sub\":\"\xff\"}").is_err());
    }

    // S-7
    #[test]
    fn an_array_does_not_pass_for_an_object() {
        #[derive(Debug, serde::Deserialize)]
        struct Outer {
            #[expect(dead_code, reason = "only whether it can be read is asked")]
            known: Option<Known>,
        }
        for json in [r#"["a",3]"#, r#"["a"]"#, "[]", r#"[{"sub":"a"}]"#] {
            assert!(from_slice::<Known>(json.as_bytes()).is_err(), "{json}");
            let nested = format!(r#"{{"known":{json}}}"#);
            assert!(from_slice::<Outer>(nested.as_bytes()).is_err(), "{nested}");
            assert!(from_slice::<Vec<Known>>(format!("[{json}]").as_bytes()).is_err(), "{json}");
        }
        assert!(from_slice::<Outer>(br#"{"known":{"sub":"a"}}"#).is_ok());
    }

    #[test]
    fn ordinary_documents_are_read() {
        let known: Known = from_slice(br#" {"sub":"a\u0062","age":3,"more":{"x":[1,{"y":null}]}} "#).unwrap();
        assert_eq!((known.sub.as_str(), known.age), ("ab", Some(3)));
        let known: Known = from_slice(br#"{"sub":"a","age":null}"#).unwrap();
        assert_eq!(known.age, None);
    }
}
