//! Notices the end of an actor that the server cannot do without. A document that fails is made anew from the log; of these
//! there is one each, and what they hold in memory is known to nobody else: the process ends, and begins again.

use std::future::pending;

use actix::fut;
use actix::prelude::*;

/// Sent to an actor to notice its end: it is never answered, and the mailbox says so when the actor is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Watch;

/// Resolves when the actor has ended, by a panic as a rule.
pub async fn end_of<A>(address: &Addr<A>)
where
    A: Actor<Context = Context<A>> + Handler<Watch>,
{
    // Whatever it says, it is an error: that the mailbox is closed.
    let _ = address.send(Watch).await;
}

/// What every actor that is watched answers: nothing, for as long as it lives.
pub fn while_alive<A: Actor>() -> ResponseActFuture<A, ()> {
    Box::pin(fut::wrap_future(pending()))
}
