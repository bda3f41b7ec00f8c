//! Bodies of requests: bounded in length, time and number, JSON, and read strictly. None is unpacked: what is compressed
//! cannot be read, and so cannot grow.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::actors::error::{ErrorCode, Refusal};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::metrics::METRICS;

/// The most members that the object of a body may have.
const MAX_MEMBERS: usize = 32;

/// What bodies may take of memory together, and of time each.
#[derive(Clone)]
pub struct Bodies {
    /// In KiB.
    room: Arc<Semaphore>,
    within: Duration,
}

impl Bodies {
    /// Bodies of so many bytes together, each of which arrives in this time.
    pub fn new(bytes: u64, within: Duration) -> Self {
        let kib = usize::try_from(bytes >> 10).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(kib)), within }
    }
}

/// A body, and the room that it takes until it is dropped.
pub struct Body {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of at most `limit` bytes; a longer one is refused by its announced length, before it is read.
///
/// # Errors
/// `too_large`; `unavailable` while others take all the room that there is for bodies; `bad_request` if it is compressed, takes
/// too long, or breaks off.
pub async fn read(request: &HttpRequest, payload: web::Payload, limit: usize) -> Result<Body, Problem> {
    let too_large = || Problem::new(ErrorCode::TooLarge, format!("a body here has at most {limit} bytes"));
    let announced = announced(request.headers());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    if request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Problem::bad_request("a body here is not compressed"));
    }
    let state = request.app_data::<web::Data<HttpState>>();
    let state = state.ok_or_else(|| Problem::new(ErrorCode::Internal, "the server is not configured"))?;
    // One that does not say how long it is may become as long as it can.
    let most = announced.unwrap_or(limit as u64);
    let kib = u32::try_from((most >> 10) + 1).unwrap_or(u32::MAX);
    let room = state.bodies.room.clone().try_acquire_many_owned(kib).map_err(|_| {
        METRICS.limited.with_label_values(&["bodies"]).inc();
        Refusal::unavailable("too much is being sent to this server at once; try again")
    })?;
    let read = tokio::time::timeout(state.bodies.within, payload.to_bytes_limited(limit)).await;
    let read = read.map_err(|_| Problem::timeout("the body has taken too long"))?.map_err(|_| too_large())?;
    let bytes = read.map_err(|error| Problem::bad_request(format!("the body broke off: {error}")))?;
    Ok(Body { bytes, _room: room })
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
