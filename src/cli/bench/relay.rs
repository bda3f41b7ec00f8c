//! The yardstick: a bare relay on actix-web-actors, without order, transformation or storage.
//!
//! Every text frame goes to all connections of the same path, its sender included. What quire costs beyond this is the
//! price of what it does. One worker thread, no timers, no limits: nobody should serve people with it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;

use actix::{Actor, ActorContext as _, Addr, AsyncContext as _, Handler, Message, StreamHandler};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use actix_web_actors::ws;
use bytestring::ByteString;

/// The connections of each path. There is one worker, hence one map.
type Rooms = web::Data<RefCell<HashMap<String, Vec<Addr<Peer>>>>>;

/// One connection.
struct Peer {
    path: String,
    rooms: Rooms,
}

/// A frame for one connection.
#[derive(Message)]
#[rtype(result = "()")]
struct Relayed(ByteString);

impl Actor for Peer {
    type Context = ws::WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.rooms.borrow_mut().entry(self.path.clone()).or_default().push(context.address());
    }

    fn stopped(&mut self, context: &mut Self::Context) {
        let own = context.address();
        let mut rooms = self.rooms.borrow_mut();
        if let Some(room) = rooms.get_mut(&self.path) {
            room.retain(|peer| *peer != own);
            if room.is_empty() {
                rooms.remove(&self.path);
            }
        }
    }
}

impl Handler<Relayed> for Peer {
    type Result = ();

    fn handle(&mut self, Relayed(text): Relayed, context: &mut Self::Context) {
        context.text(text);
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Peer {
    fn handle(&mut self, message: Result<ws::Message, ws::ProtocolError>, context: &mut Self::Context) {
        match message {
            Ok(ws::Message::Text(text)) => {
                for peer in self.rooms.borrow().get(&self.path).into_iter().flatten() {
                    // Unbounded, as a yardstick may be: a mailbox that refuses would drop frames.
                    peer.do_send(Relayed(text.clone()));
                }
            }
            Ok(ws::Message::Ping(payload)) => context.pong(&payload),
            Ok(ws::Message::Close(reason)) => {
                context.close(reason);
                context.stop();
            }
            Ok(_) => {}
            Err(_) => context.stop(),
        }
    }
}

async fn join(request: HttpRequest, payload: web::Payload, rooms: Rooms) -> actix_web::Result<HttpResponse> {
    let peer = Peer { path: request.path().to_owned(), rooms };
    ws::WsResponseBuilder::new(peer, &request, payload).protocols(&["quire.v1"]).start()
}

/// Serves until the process is told to stop, and prints the address as `quire serve` does.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let server = HttpServer::new(|| {
        let rooms: Rooms = web::Data::new(RefCell::default());
        App::new().app_data(rooms).default_service(web::get().to(join))
    });
    let server = server.workers(1).tcp_nodelay(true).shutdown_timeout(1).bind(listen)?;
    let address = server.addrs()[0];
    writeln!(std::io::stdout(), "listening on http://{address}")?;
    server.run().await?;
    Ok(())
}
