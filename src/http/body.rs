//! Bodies of requests: bounded, JSON, and read strictly.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::actors::error::ErrorCode;
use crate::http::problem::Problem;

/// The most members that the object of a body may have.
const MAX_MEMBERS: usize = 32;

/// Reads a body of at most `limit` bytes; a longer one is refused by its announced length, before it is read.
///
/// # Errors
/// `too_large`, or `bad_request` if the connection breaks off.
pub async fn read(request: &HttpRequest, payload: web::Payload, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(ErrorCode::TooLarge, format!("a body here has at most {limit} bytes"));
    if announced(request.headers()).is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let read = payload.to_bytes_limited(limit).await.map_err(|_| too_large())?;
    read.map_err(|error| Problem::bad_request(format!("the body broke off: {error}")))
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The members of a JSON object, their values unread. None is there twice; `null` stands for absent.
///
/// Members that nobody asks for are ignored, as unknown fields of a frame are (protocol section 2). The `Content-Type`
/// is not looked at: what it would protect from, a form on a foreign page, is refused by its `Origin`.
#[derive(Debug)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads an object; an empty body is an empty one.
    ///
    /// # Errors
    /// `bad_request`: not UTF-8, not JSON, not an object, a member twice.
    pub fn read(body: &'a [u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self(Vec::new()));
        }
        serde_json::from_slice(body)
            .map_err(|error| Problem::bad_request(format!("the body cannot be read: {error}")))
    }

    /// Tells whether a member is there, be it `null`: where that means something.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Returns a value as it is written.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value.get()).filter(|text| *text != "null")
    }

    /// Reads a value.
    ///
    /// # Errors
    /// `bad_request` if it is there and not of this kind.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Problem> {
        let read = |text| serde_json::from_str(text);
        self.raw(name).map(read).transpose().map_err(|error| Problem::bad_request(format!("{name}: {error}")))
    }
}

impl<'de> de::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            if members.iter().any(|(other, _)| *other == name) {
                return Err(de::Error::custom(format_args!("{:.40} is named twice", name.escape_debug())));
            }
            if members.len() == MAX_MEMBERS {
                return Err(de::Error::custom(format_args!("more than {MAX_MEMBERS} members")));
            }
            members.push((name, map.next_value()?));
        }
        Ok(Members(members))
    }
}

/// A name, borrowed from the body unless it has escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_by_name() {
        let members = Members::read(br#"{"title":"a","x":[1],"\u0062":{"k":1},"none":null}"#).unwrap();
        assert_eq!(members.get::<String>("title").unwrap().as_deref(), Some("a"));
        assert_eq!(members.raw("b"), Some("{\"k\":1}"));
        assert_eq!(members.raw("none"), None);
        assert!(members.get::<bool>("title").is_err());
        assert!(Members::read(b"").unwrap().0.is_empty());
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        let many = (0..33).map(|i| format!("\"{i}\":1,")).collect::<Vec<_>>().concat();
        let bad = [
            "[]",
            "1",
            "{",
            "{\"a\":1}x",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"\\u0061\":2}",
            &format!("{{{many}\"z\":1}}"),
            &"{\"a\":".repeat(100_000),
        ];
        for text in bad {
            assert!(Members::read(text.as_bytes()).is_err(), "{text:.40}");
        }
        assert!(Members::read(b"{\"a\":\"\xff\"}").is_err());
    }
}
