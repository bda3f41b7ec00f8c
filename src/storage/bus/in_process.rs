//! A bus in memory: for tests of those who send, and it fails on command.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{Bus, BusError, Connected, Delivery, Producer, Record};
use crate::ids::Shard;

/// A [`Bus`] that forgets with the process. Clones share it.
#[derive(Clone, Default)]
pub struct InProcessBus {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    stream: Vec<Record>,
    /// Nobody answers: records wait, connecting fails.
    down: bool,
    /// The next record fails, and with it its producer.
    failing: bool,
    /// Counts the producers: of those before the newest nothing gets through any more.
    producers: u64,
    waiting: Vec<Record>,
    reports: Option<mpsc::UnboundedSender<Delivery>>,
}

impl InProcessBus {
    /// Makes one that works, and is empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what was delivered, in order.
    pub fn stream(&self) -> Vec<Record> {
        self.state.lock().stream.clone()
    }

    /// How many producers there have been.
    pub fn producers(&self) -> u64 {
        self.state.lock().producers
    }

    /// How many records wait for an answer.
    pub fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Stops answering, or answers again: what has waited is delivered then.
    pub fn set_down(&self, down: bool) {
        let mut state = self.state.lock();
        state.down = down;
        state.deliver();
    }

    /// The next record that would be delivered fails instead, and all that come after it from the same producer.
    pub fn fail_next(&self) {
        self.state.lock().failing = true;
    }
}

impl State {
    fn deliver(&mut self) {
        if self.down {
            return;
        }
        for record in std::mem::take(&mut self.waiting) {
            let Some(reports) = &self.reports else { return };
            let (shard, pos) = (record.shard, record.pos);
            if self.failing {
                self.failing = false;
                let result = Err(BusError::unavailable("as the test asked"));
                let _ = reports.send(Delivery { shard, pos, result });
                self.reports = None;
                return;
            }
            self.stream.push(record);
            // Whoever does not listen any more does not want to know.
            let _ = reports.send(Delivery { shard, pos, result: Ok(()) });
        }
    }
}

struct InProcessProducer {
    state: Arc<Mutex<State>>,
    number: u64,
}

#[async_trait]
impl Bus for InProcessBus {
    async fn connect(&self) -> Result<Connected, BusError> {
        let mut state = self.state.lock();
        if state.down {
            return Err(BusError::unavailable("nobody answers"));
        }
        let (reports, deliveries) = mpsc::unbounded_channel();
        state.producers += 1;
        state.waiting.clear();
        state.reports = Some(reports);
        let producer = InProcessProducer { state: self.state.clone(), number: state.producers };
        Ok(Connected { producer: Box::new(producer), deliveries })
    }
}

impl Producer for InProcessProducer {
    fn send(&mut self, record: Record) -> Result<(), BusError> {
        let mut state = self.state.lock();
        if state.producers != self.number || state.reports.is_none() {
            return Err(BusError::unavailable("this producer has failed"));
        }
        debug_assert_eq!(record.shard, record.key.shard() as Shard);
        state.waiting.push(record);
        state.deliver();
        Ok(())
    }
}
