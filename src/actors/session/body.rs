//! The body of the upgraded response: what the connection sends, and what drives the session.

use std::cell::{Cell, OnceCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::{Handler, Message, WeakAddr};
use actix_web::Error;
use bytes::Bytes;
use futures_util::Stream;

use super::link::Link;
use super::outbox::Next;
use super::{FetchDue, Oversized, SessionActor};
use crate::limits::places::Place;

/// What a session's guard, actor and body tell each other, on one thread.
#[derive(Default)]
pub struct Wires {
    /// Set by the guard: a frame was refused by its announced length.
    pub refused: Cell<bool>,
    /// Counted by the guard: the frames that it has let through, of which the last may still be on its way …
    pub passed: Cell<u64>,
    /// … and by the actor: those that it has read.
    pub read: Cell<u64>,
    /// Set by the actor when it starts.
    pub session: OnceCell<WeakAddr<SessionActor>>,
}

/// Polls the session's context, which reads frames and messages, and then sends what is in its outbox.
pub struct SessionBody<S> {
    /// The context of actix-web-actors. It writes nothing itself.
    context: S,
    /// It has ended: what is queued is still sent.
    ended: bool,
    link: Arc<Link>,
    wires: Rc<Wires>,
    told_refused: bool,
    /// Taken as long as the connection lasts.
    _places: Vec<Place>,
}

impl<S> SessionBody<S> {
    /// Joins a context with its outbox.
    pub fn new(context: S, link: Arc<Link>, wires: Rc<Wires>, places: Vec<Place>) -> Self {
        Self { context, ended: false, link, wires, told_refused: false, _places: places }
    }

    /// Speaks to the actor, once it has started. Neither message can pile up: each is sent once until it is handled.
    fn tell<M: Message<Result = ()> + Send + 'static>(&self, message: M)
    where
        SessionActor: Handler<M>,
    {
        if let Some(session) = self.wires.session.get().and_then(WeakAddr::upgrade) {
            session.do_send(message);
        }
    }
}

impl<S: Stream<Item = Result<Bytes, Error>> + Unpin> Stream for SessionBody<S> {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if !this.ended {
                match Pin::new(&mut this.context).poll_next(cx) {
                    Poll::Ready(None) => this.ended = true,
                    Poll::Ready(Some(item)) => return Poll::Ready(Some(item)),
                    Poll::Pending => {}
                }
            }
            // The frames before it have their turn, also if the actor waits for something with which it answers one.
            let is_next = this.wires.read.get() >= this.wires.passed.get();
            if this.wires.refused.get() && is_next && !this.told_refused {
                this.told_refused = true;
                this.tell(Oversized);
                continue;
            }
            match this.link.outbox.poll_next(cx) {
                Poll::Ready(Next::Frames(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Poll::Ready(Next::FetchDue) => this.tell(FetchDue),
                Poll::Ready(Next::Finished) => return Poll::Ready(None),
                Poll::Pending if this.ended => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
