//! What this server shares through Redis, if there is one: content and the end of logs, who is where, what happens in a document, and rate
//! limits.

use bytes::Bytes;
use deadpool_redis::redis::Pipeline;

use crate::actors::session::wire;

use crate::ids::{DocumentId, HistoryId};
use crate::protocol::{Peer, PeersMessage};
use crate::redis::Redis;
use crate::redis::buckets::Buckets;
use crate::storage::cache::{Cache, key};

/// How long presence is believed, in seconds (`doc:{id}:presence`): whoever is there is told again twice in that time, and
/// what a server that has died had said is gone by then.
pub const PRESENCE_TTL: u64 = 10;

/// What presence in Redis begins with; the history (16 bytes) and the peers as JSON follow.
const MAGIC: [u8; 5] = *b"QPRS\x01";

/// See the module's documentation. Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    pub cache: Cache,
    pub presence: SharedPresence,
    pub channel: Channel,
    pub buckets: Buckets,
}

impl Remote {
    /// Shares through this Redis.
    pub fn new(redis: Redis) -> Self {
        Self {
            cache: Cache::new(redis.clone()),
            buckets: Buckets::new(redis.clone()),
            channel: Channel { redis: redis.clone() },
            presence: SharedPresence { redis },
        }
    }
}

/// Who is where, for servers that do not have the document. Nothing of it is ever on disk.
#[derive(Clone)]
pub struct SharedPresence {
    redis: Redis,
}

impl SharedPresence {
    /// Tells who is in a document now. Said by the server that has it, when that changes and at least every 5 s.
    pub fn tell(&self, doc: &DocumentId, history: HistoryId, peers: Vec<Peer>) {
        let key = key(doc, "presence");
        if peers.is_empty() {
            return self.redis.offer(0, move |commands| {
                commands.cmd("DEL").arg(key);
            });
        }
        // About 200 bytes each, and the state.
        let bytes = peers.iter().map(|peer| 200 + peer.state.as_ref().map_or(0, |state| state.get().len()));
        self.redis.offer(bytes.sum(), move |commands| {
            let mut value = [&MAGIC[..], history.0.as_bytes()].concat();
            // Writing into a vector cannot fail.
            let _ = serde_json::to_writer(&mut value, &PeersMessage { peers });
            commands.cmd("SET").arg(key).arg(value).arg("EX").arg(PRESENCE_TTL);
        });
    }

    /// Returns who is in a document that another server has; nobody, when none has said so within [`PRESENCE_TTL`].
    pub async fn read(&self, doc: &DocumentId, history: HistoryId) -> Vec<Peer> {
        let mut commands = Pipeline::new();
        commands.cmd("GET").arg(key(doc, "presence"));
        let value = self.redis.ask::<(Option<Vec<u8>>,)>(commands).await.and_then(|(value,)| value);
        value.and_then(|value| decode(&value, history)).unwrap_or_default()
    }
}

/// The longest message that is published, in bytes.
const MOST_MESSAGE: usize = 1 << 20;

/// What every session of a document is told, for whoever else listens: messages `ops` and `presence` of the protocol on the channel
/// `doc:{id}`. Nobody waits for it, and what Redis does not take is not said again: a listener sees by `base` that something is missing,
/// and reads it from the log.
#[derive(Clone)]
pub struct Channel {
    redis: Redis,
}

impl Channel {
    /// Publishes what a frame says.
    pub fn publish(&self, doc: &DocumentId, frame: &Bytes) {
        if !self.redis.is_up() || frame.len() > MOST_MESSAGE {
            return;
        }
        let (channel, message) = (format!("doc:{doc}"), wire::payload(frame));
        self.redis.offer(message.len() + 128, move |commands| {
            commands.cmd("PUBLISH").arg(channel).arg(&message[..]);
        });
    }
}

fn decode(value: &[u8], history: HistoryId) -> Option<Vec<Peer>> {
    let json = value.strip_prefix(&MAGIC)?.strip_prefix(history.0.as_bytes())?;
    Some(serde_json::from_slice::<PeersMessage>(json).ok()?.peers)
}
