//! JSON from outside, read straight into what is expected: a name that stands twice is refused, depth is bounded.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::Problem;

/// Reads one whole JSON object; `what` names it to the client, who is told what differs and where.
pub(super) fn read<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T, Problem> {
    let object = serde_json::from_slice::<Object<T>>(json);
    object.map(|object| object.0).map_err(|error| {
        // The error may quote a whole member.
        let told: String = error.to_string().chars().take(LONGEST).collect();
        Problem::malformed(format!("{what} is not the JSON that is expected: {told}"))
    })
}

/// An object, member by name. Without this, an array of the values in the order in which this code happens to list
/// them would be read as well, and two readers of one message could differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        deserializer.deserialize_map(ByName(PhantomData))
    }
}

struct ByName<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ByName<T> {
    type Value = Object<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Object)
    }
}

/// A member that must not stand there, not even as `null`, which an `Option` takes for absent.
pub(super) fn present<'de, D: Deserializer<'de>>(member: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(member).map(|_| true)
}

const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Thing {
        #[serde(rename = "number")]
        _number: u8,
        #[serde(default, deserialize_with = "present")]
        never: bool,
    }

    #[test]
    fn even_a_null_is_present() {
        assert!(!read::<Thing>("it", br#"{"number": 1}"#).expect("a thing").never);
        assert!(read::<Thing>("it", br#"{"number": 1, "never": null}"#).expect("a thing").never);
    }

    #[test]
    fn depth_doubles_and_rests_are_refused_in_few_words() {
        let deep = "[".repeat(30_000);
        assert!(read::<Value>("it", deep.as_bytes()).is_err());
        // What is passed over is bounded as well.
        assert!(read::<Thing>("it", format!(r#"{{"number": 1, "other": {deep}"#).as_bytes()).is_err());
        for text in
            ["", "[]", "[1]", "{} {}", r#"{"number": 1e999}"#, r#"{"number": 1, "number": 1}"#, "\u{FEFF}{}"]
        {
            assert!(read::<Thing>("it", text.as_bytes()).is_err(), "{text}");
        }
        let long = format!(r#"{{"number": "{}"}}"#, "ä".repeat(10_000));
        assert!(read::<Thing>("it", long.as_bytes()).expect_err("a refusal").to_string().len() < 500);
    }
}
