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
use super::wheel::{ROUND, SECOND, Wheel};
use super::{Draining, LookAgain, NoHello, SessionActor, Setting, wire};
use crate::metrics::METRICS;

/// How often the watch looks at some of the sessions: at each once a second, and each gets its ping every 5 s (protocol section 4).
/// Thousands of pings at once, and their answers, would hold up everybody's edits for half a second.
const TURN: Duration = Duration::from_millis(1_000 / SECOND as u64);

/// How many turns pass before those are told again that the server drains who have not left.
const TELL_EVERY: usize = SECOND / 4;

/// Whoever has come so many ms ago at most is not pinged yet: the handshake and the welcome are signs of life enough.
const NEW: u64 = 1_000;

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
    static WATCHED: RefCell<Option<Box<Wheel<Watched>>>> = const { RefCell::new(None) };
}

/// Watches a session of this thread until it ends. When the server drains, all of them are told to come back later; when tokens
/// were revoked, those with one are to look at their own; when people were banned, all are.
pub fn watch(link: Arc<Link>, session: WeakAddr<SessionActor>, signed_in: bool, setting: &Arc<Setting>) {
    let (since, welcome) = (now_ms(), Progress::default());
    let watched = Watched { link, session, signed_in, since, closing_since: None, welcome };
    let first = WATCHED.with_borrow_mut(|all| {
        let first = all.is_none();
        all.get_or_insert_default().push(watched);
        first
    });
    if first {
        actix_rt::spawn(run(setting.clone()));
    }
}

async fn run(setting: Arc<Setting>) {
    let mut interval = actix_rt::time::interval(TURN);
    let ping = wire::ping();
    // Not what it is now: a session may have begun with what was revoked since its token was looked at.
    let (mut seen, mut seen_bans) = (None, None);
    for turn in (0..ROUND).cycle() {
        interval.tick().await;
        let drains = turn.is_multiple_of(TELL_EVERY) && setting.draining.load(Ordering::Relaxed);
        // Once a round, so that thousands of sessions are not asked each time that somebody signs out.
        let revoked = turn == 0 && is_news(&setting.revocations, &mut seen);
        let banned = turn.is_multiple_of(SECOND) && is_news(&setting.bans, &mut seen_bans);
        WATCHED.with_borrow_mut(|all| {
            let Some(all) = all else { return };
            all.turn(turn, |watched, comes_up| watched.check(comes_up.then_some(&ping)));
            // Again and again: a session may have begun since.
            if drains {
                let stay = all.iter().filter(|watched| !watched.link.outbox.is_closing());
                stay.for_each(|watched| watched.tell(Draining));
            }
            if banned || revoked {
                let asked = all.iter().filter(|watched| banned || watched.signed_in);
                asked.for_each(|watched| watched.tell(LookAgain));
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
            && now - self.since > NEW
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
