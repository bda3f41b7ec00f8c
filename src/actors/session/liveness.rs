//! One watch per worker thread over its sessions: pings, silence, and the end of the server.
//!
//! It runs outside of the sessions, because a session whose peer stops reading is not polled any more: neither its
//! timers nor its mailbox run.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Handler, Message, WeakAddr};
use bytes::Bytes;

use super::link::{Link, now_ms};
use super::progress::{Look, Progress};
use super::{Draining, LookAgain, NoHello, SessionActor, Setting, wire};
use crate::metrics::METRICS;

/// How often the watch looks.
const TICK: Duration = Duration::from_secs(1);

/// Every so many ticks a ping goes out: 5 s (protocol section 4).
const PING_EVERY: u64 = 5;

/// A session without `hello` is dropped after so many ms.
const HELLO_WITHIN: u64 = 10_000;

/// A peer gets so many ms to take its last frames and close.
const CLOSE_WITHIN: u64 = 3_000;

struct Watched {
    link: Arc<Link>,
    session: WeakAddr<SessionActor>,
    /// Whether it is somebody's with a token.
    signed_in: bool,
    since: u64,
    closing_since: Option<u64>,
    welcome: Progress,
}

thread_local! {
    static WATCHED: RefCell<Option<Vec<Watched>>> = const { RefCell::new(None) };
}

/// Watches a session of this thread until it ends. When the server drains, all of them are told to come back later; when tokens
/// were revoked, those with one are to look at their own; when people were banned, all are.
pub fn watch(link: Arc<Link>, session: WeakAddr<SessionActor>, signed_in: bool, setting: &Arc<Setting>) {
    let (since, welcome) = (now_ms(), Progress::default());
    let watched = Watched { link, session, signed_in, since, closing_since: None, welcome };
    let first = WATCHED.with_borrow_mut(|all| match all {
        Some(all) => {
            all.push(watched);
            false
        }
        None => {
            *all = Some(vec![watched]);
            true
        }
    });
    if first {
        actix_rt::spawn(run(setting.clone()));
    }
}

async fn run(setting: Arc<Setting>) {
    let mut interval = actix_rt::time::interval(TICK / 4);
    let ping = wire::ping();
    let mut quarter = 0u64;
    // Not what it is now: a session may have begun with what was revoked since its token was looked at.
    let (mut seen, mut seen_bans) = (None, None);
    loop {
        interval.tick().await;
        quarter += 1;
        let drains = setting.draining.load(Ordering::Relaxed);
        if !quarter.is_multiple_of(4) && !drains {
            continue;
        }
        let pings = quarter.is_multiple_of(4 * PING_EVERY);
        // With the pings, so that thousands of sessions are not asked each time that somebody signs out.
        let revoked = pings && is_news(&setting.revocations, &mut seen);
        let banned = is_news(&setting.bans, &mut seen_bans);
        WATCHED.with_borrow_mut(|all| {
            let Some(all) = all else { return };
            all.retain_mut(|watched| watched.check(pings.then_some(&ping)));
            // Again and again: a session may have begun since.
            for watched in all.iter().filter(|watched| drains && !watched.link.outbox.is_closing()) {
                watched.tell(Draining);
            }
            for watched in all.iter().filter(|watched| banned || revoked && watched.signed_in) {
                watched.tell(LookAgain);
            }
            if all.capacity() > 64 && all.len() * 4 < all.capacity() {
                all.shrink_to_fit();
            }
        });
    }
}

/// Tells whether a number is another one than when it was looked at last.
fn is_news(number: &AtomicU64, seen: &mut Option<u64>) -> bool {
    let now = number.load(Ordering::Acquire);
    seen.replace(now) != Some(now)
}

impl Watched {
    /// Looks at one session; returns whether to keep looking.
    fn check(&mut self, ping: Option<&Bytes>) -> bool {
        if Arc::strong_count(&self.link) == 1 {
            // The connection is gone, and all that belonged to it.
            return false;
        }
        let now = now_ms();
        if self.link.outbox.is_closing() {
            let since = *self.closing_since.get_or_insert(now);
            if now - since > CLOSE_WITHIN {
                self.link.cut();
            }
            return true;
        }
        // A large document takes its time on a slow line, and pings wait behind it: what the peer takes of it is a sign of
        // life. Of nothing else: what is small may go into a buffer that nobody reads.
        let look = self.welcome.look(self.link.outbox.welcome_left(), now);
        if look == Look::Step {
            self.link.hear();
        }
        if look == Look::TooSlow {
            self.drop_peer("slow");
        } else if self.link.is_silent() {
            self.drop_peer("silent");
        } else if self.link.outbox.is_fresh() && !self.link.waits() && now - self.since > HELLO_WITHIN {
            METRICS.dropped.with_label_values(&["no_hello"]).inc();
            self.tell(NoHello);
        } else if let Some(ping) = ping
            && !self.link.outbox.push_control(ping.clone())
        {
            self.drop_peer("overflow");
        }
        true
    }

    /// Speaks to the session's actor, if it is still there.
    fn tell<M: Message<Result = ()> + Send + 'static>(&self, message: M)
    where
        SessionActor: Handler<M>,
    {
        if let Some(session) = self.session.upgrade() {
            session.do_send(message);
        }
    }

    /// Ends a session whose peer cannot be talked to: the document forgets it when its actor is dropped with the
    /// connection.
    fn drop_peer(&self, reason: &str) {
        METRICS.dropped.with_label_values(&[reason]).inc();
        self.link.outbox.close([]);
        self.link.cut();
    }
}
