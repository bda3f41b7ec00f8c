//! Writes for which nobody waits: a bounded queue, sent a batch at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_redis::redis::{Pipeline, Value};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::link::Link;
use crate::metrics::METRICS;

/// Writes that may wait.
const QUEUE: usize = 4_096;

/// Bytes that may wait.
const QUEUE_BYTES: usize = 16 << 20;

/// Writes that are sent together.
const BATCH: usize = 512;

/// How long a batch may take. Nobody waits for it, but while it is under way the queue fills.
const WRITE_WITHIN: Duration = Duration::from_millis(500);

/// The rest between two batches. Documents commit thousands of times a second: without it each commit would wake the thread.
const REST: Duration = Duration::from_millis(10);

/// Writes its commands into a batch.
pub type Write = Box<dyn FnOnce(&mut Pipeline) + Send>;

struct Waiting {
    bytes: usize,
    write: Write,
}

/// The end that is offered writes.
pub struct Queue {
    waiting: mpsc::Sender<Waiting>,
    bytes: Arc<AtomicUsize>,
    link: Arc<Link>,
}

/// The end that sends them.
pub struct Worker {
    waiting: mpsc::Receiver<Waiting>,
    bytes: Arc<AtomicUsize>,
    link: Arc<Link>,
}

/// Makes an empty queue.
pub fn new(link: Arc<Link>) -> (Queue, Worker) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let bytes = Arc::new(AtomicUsize::new(0));
    let queue = Queue { waiting: sender, bytes: bytes.clone(), link: link.clone() };
    (queue, Worker { waiting: receiver, bytes, link })
}

impl Queue {
    /// Takes a write if there is room and somebody to send it to.
    pub fn offer(&self, bytes: usize, write: Write) {
        if !self.link.breaker.is_closed() {
            return dropped("open", 1);
        }
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > QUEUE_BYTES {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return dropped("full", 1);
        }
        match self.waiting.try_send(Waiting { bytes, write }) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                self.bytes.fetch_sub(bytes, Ordering::Relaxed);
                dropped("full", 1);
            }
        }
    }
}

impl Worker {
    /// Sends what is offered until nobody is left to offer anything.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.waiting.recv_many(&mut batch, BATCH).await > 0 {
            let count = batch.len() as u64;
            let (mut commands, mut bytes) = (Pipeline::new(), 0);
            for waiting in batch.drain(..) {
                bytes += waiting.bytes;
                (waiting.write)(&mut commands);
            }
            self.send(&mut commands, count).await;
            // After they were sent: what is under way is in memory as well.
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            tokio::time::sleep(REST).await;
        }
    }

    /// Sends a batch, unless the breaker has opened since they were offered.
    async fn send(&self, commands: &mut Pipeline, count: u64) {
        if !self.link.breaker.is_closed() {
            return dropped("open", count);
        }
        // One that is declined must not hide the answers to the others.
        let Some(answers) = self.link.ask::<Vec<Value>>(commands.ignore_errors(), WRITE_WITHIN).await else {
            return dropped("failed", count);
        };
        let declined = answers.iter().filter(|answer| matches!(answer, Value::ServerError(_))).count() as u64;
        METRICS.redis_failures.with_label_values(&["declined"]).inc_by(declined);
        dropped("declined", declined);
    }
}

fn dropped(reason: &str, count: u64) {
    METRICS.redis_dropped.with_label_values(&[reason]).inc_by(count);
}
