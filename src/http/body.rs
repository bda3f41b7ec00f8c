//! Bodies of requests: bounded in length, time and number, JSON, and read strictly. None is unpacked: what is compressed
//! cannot be read, and so cannot grow.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use actix_web::{HttpRequest, web};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::actors::error::{ErrorCode, Refusal};
use crate::http::address::Client;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::limits::shares::{Share, Shares};
use crate::metrics::METRICS;

/// The most members that the object of a body may have.
const MAX_MEMBERS: usize = 32;

/// The largest body that takes a place among small ones, in bytes: those are read whatever becomes of large ones.
const SMALL: u64 = 16 << 10;

/// Small bodies that are read at the same time.
const SMALL_ONES: usize = 16_384;

/// The part of the room that one network may take.
const SHARE: usize = 8;

/// What bodies may take of memory together, and of time each.
#[derive(Clone)]
pub struct Bodies {
    /// In KiB.
    room: Arc<Semaphore>,
    small: Arc<Semaphore>,
    shares: Arc<Shares>,
    within: Duration,
}

impl Bodies {
    /// Bodies of so many bytes together, each of which arrives in this time.
    pub fn new(bytes: u64, within: Duration) -> Self {
        let kib = usize::try_from(bytes >> 10).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            room: Arc::new(Semaphore::new(kib)),
            small: Arc::new(Semaphore::new(SMALL_ONES)),
            shares: Arc::new(Shares::new(kib / SHARE)),
            within,
        }
    }
}

/// A body, and the room that it takes until it is dropped.
pub struct Body {
    bytes: BytesMut,
    _room: Room,
}

/// The room of a body: a place among the small ones, or as many KiB as have arrived.
enum Room {
    Place(#[expect(dead_code, reason = "it is given back when it is dropped")] OwnedSemaphorePermit),
    Kib { all: Arc<Semaphore>, held: Option<OwnedSemaphorePermit>, share: Option<Share> },
}

impl Room {
    /// Begins to read a body whose length was announced, or not.
    fn begin(state: &HttpState, client: Client, announced: Option<u64>) -> Option<Self> {
        let bodies = &state.bodies;
        if announced.is_some_and(|length| length <= SMALL) {
            return Some(Self::Place(bodies.small.clone().try_acquire_owned().ok()?));
        }
        let share = state.limiter().map(|_| bodies.shares.of(client.network()));
        Some(Self::Kib { all: bodies.room.clone(), held: None, share })
    }

    /// Makes it large enough for so many bytes; tells whether that is possible.
    fn grow(&mut self, bytes: usize) -> bool {
        let Self::Kib { all, held, share } = self else { return true };
        let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = ((bytes >> 10) + 1).saturating_sub(has);
        if more == 0 {
            return true;
        }
        if share.as_mut().is_some_and(|share| !share.grow(more)) {
            return false;
        }
        let Ok(taken) = all.clone().try_acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX)) else {
            return false;
        };
        match held {
            Some(held) => held.merge(taken),
            None => *held = Some(taken),
        }
        true
    }
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
    let no_room = || {
        METRICS.limited.with_label_values(&["bodies"]).inc();
        Refusal::unavailable("too much is being sent to this server at once; try again")
    };
    let mut room = Room::begin(state, Client::of(request), announced).ok_or_else(no_room)?;
    let mut payload = payload;
    let read = async {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk =
                chunk.map_err(|error| Problem::bad_request(format!("the body broke off: {error}")))?;
            let length = bytes.len() + chunk.len();
            if length > limit {
                return Err(too_large());
            }
            // What was announced and has not come takes no room from others.
            if !room.grow(length) {
                return Err(no_room().into());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    let read = tokio::time::timeout(state.bodies.within, read).await;
    let bytes = read.map_err(|_| Problem::timeout("the body has taken too long"))??;
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

    /// Reads a value that has to be there.
    ///
    /// # Errors
    /// `bad_request` if it is not, or not of this kind.
    pub fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, Problem> {
        self.get(name)?.ok_or_else(|| Problem::bad_request(format!("{name} is missing")))
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
        assert_eq!(members.required::<String>("title").unwrap(), "a");
        assert!(members.required::<String>("none").is_err() && members.required::<bool>("title").is_err());
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
