//! One stream of events: from where its reader has been, as fast as it reads, as long as it may.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::feed::Head;
use super::{Feed, Listener, wire};
use crate::actors::error::Refusal;
use crate::metrics::METRICS;
use crate::storage::events::{Kind, Logged};

/// How often rights are looked at though nothing happens.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// After so much silence something is sent that means nothing: gateways cut what is silent.
const BEAT_EVERY: Duration = Duration::from_secs(15);

/// A reader that has not taken anything of its full queue for so long is cut off, and goes on from where it was.
const TAKES_WITHIN: Duration = Duration::from_secs(10);

/// When a reader whose stream has ended is to come again, in ms.
const RETRY_MS: u32 = 2_000;

/// Why a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its reader has gone.
    Left,
    /// Its reader does not read.
    Lagging,
    /// Its reader may not read the document any more, or has no token any more that is good.
    Revoked,
    /// The server stops, or storage does not answer.
    Closed,
}

impl End {
    /// Returns its name, as metrics have it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Lagging => "lagging",
            Self::Revoked => "revoked",
            Self::Closed => "closed",
        }
    }
}

/// A stream and who reads it.
pub struct Reader {
    pub feed: Arc<Feed>,
    pub listener: Listener,
    /// The number that the reader has come to, if it says so.
    pub last: Option<u64>,
    /// Whether the reader's token is still good.
    pub is_good: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Reader {
    /// Sends frames until something ends it. `out` is the queue of this reader.
    pub async fn run(self, out: mpsc::Sender<Bytes>) -> End {
        METRICS.events.streams.inc();
        let end = match self.read(&out).await {
            Ok(end) | Err(end) => end,
        };
        METRICS.events.streams.dec();
        METRICS.events.ended.with_label_values(&[end.as_str()]).inc();
        end
    }

    async fn read(&self, out: &mpsc::Sender<Bytes>) -> Result<End, End> {
        let mut heads = self.feed.watch();
        let known = heads.wait_for(|head| *head != Head::Unknown).await.map_err(|_| End::Closed)?;
        let Head::At(head) = *known else { return Err(End::Closed) };
        drop(known);
        // A number that is yet to come is of another database: it begins anew.
        let mut last = self.last.filter(|last| *last <= head).unwrap_or(head);
        hand(out, format!("retry: {RETRY_MS}\nid: {last}\n\n")).await?;
        let mut spoken = Instant::now();
        loop {
            let head = match *heads.borrow_and_update() {
                Head::At(head) => head,
                Head::Unknown => last,
                Head::Closed => return Ok(End::Closed),
            };
            self.check().await?;
            if head > last {
                let page = self.feed.after(last).await.map_err(|_| End::Closed)?;
                if let Some(first) = page.first().map(|first| first.event.n).filter(|first| *first > last + 1)
                {
                    // What is older is not kept.
                    let frame =
                        format!("event: gap\ndata: {{\"since\":\"{last}\",\"next\":\"{first}\"}}\n\n");
                    hand(out, frame).await?;
                }
                // It was removed meanwhile.
                last = if page.is_empty() { head } else { last };
                for logged in page {
                    last = logged.event.n;
                    if self.may_see(&logged).await.map_err(|_| End::Closed)? {
                        hand(out, wire::frame(&logged.event)).await?;
                        spoken = Instant::now();
                    }
                }
                continue;
            }
            if spoken.elapsed() >= BEAT_EVERY {
                // It also says how far the reader has come, past what was not for it.
                hand(out, format!(": quire\nid: {last}\n\n")).await?;
                spoken = Instant::now();
            }
            tokio::select! {
                () = out.closed() => return Ok(End::Left),
                changed = timeout(LOOK_EVERY, heads.changed()) => {
                    if matches!(changed, Ok(Err(_))) {
                        return Ok(End::Closed);
                    }
                }
            }
        }
    }

    /// Makes sure that the reader may still listen.
    async fn check(&self) -> Result<(), End> {
        if !(self.is_good)() {
            return Err(End::Revoked);
        }
        let Some(doc) = &self.listener.doc else { return Ok(()) };
        match self.feed.rights.may_read(doc, &self.listener).await {
            // Of one that is gone there is that to be told.
            Ok(Some(true) | None) => Ok(()),
            Ok(Some(false)) => Err(End::Revoked),
            Err(_) => Err(End::Closed),
        }
    }

    async fn may_see(&self, logged: &Logged) -> Result<bool, Refusal> {
        let Some(doc) = &logged.event.doc else { return Ok(false) };
        if self.listener.doc.as_ref().is_some_and(|only| only != doc) {
            return Ok(false);
        }
        let may = self.feed.rights.may_read(doc, &self.listener).await?;
        // Of a document that is gone nothing is left but whose it was.
        let was_ours = || self.listener.admin || self.listener.user == logged.owner;
        Ok(may.unwrap_or_else(|| logged.event.kind == Kind::Purged && was_ours()))
    }
}

/// Puts a frame into a reader's queue.
async fn hand(out: &mpsc::Sender<Bytes>, frame: String) -> Result<(), End> {
    match timeout(TAKES_WITHIN, out.send(Bytes::from(frame))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Left),
        Err(_) => Err(End::Lagging),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_cut_off_and_who_reads_late_is_not() {
        let (out, mut frames) = mpsc::channel(1);
        hand(&out, "a".to_owned()).await.unwrap();
        let late = async {
            tokio::time::sleep(TAKES_WITHIN / 2).await;
            frames.recv().await.unwrap()
        };
        let (handed, taken) = tokio::join!(hand(&out, "b".to_owned()), late);
        assert_eq!((handed, &taken[..]), (Ok(()), &b"a"[..]));
        assert_eq!(hand(&out, "c".to_owned()).await, Err(End::Lagging));
        drop(frames);
        assert_eq!(hand(&out, "d".to_owned()).await, Err(End::Left));
    }
}
