//! Generates `clients/typescript/src/protocol.gen.ts` from the types above, and fails while it is not what they say.
//!
//! `QUIRE_WRITE_TYPES=1 cargo test typescript` writes it.

use ts_rs::{Config, TS};

use super::*;

/// The parts whose shape the kernel or the application defines.
const PREAMBLE: &str = r#"// Generated from src/protocol.rs: QUIRE_WRITE_TYPES=1 cargo test typescript

/** One part of a delta: exactly one of `insert`, `retain`, `delete`. Lengths are UTF-16 code units. */
export interface DeltaOp {
  insert?: string | Record<string, unknown>;
  retain?: number;
  delete?: number;
  attributes?: Record<string, unknown>;
}

/** The short form of an operation. Positions and lengths are UTF-16 code units. */
export type Edit =
  | { type: "insert"; pos: number; text: string; attributes?: Record<string, unknown> }
  | { type: "delete"; pos: number; len: number }
  | { type: "format"; pos: number; len: number; attributes: Record<string, unknown> };

/** Where a client is and what it does. */
export interface PresenceState {
  cursor?: Cursor;
  status?: "active" | "typing" | "selecting" | "idle";
  [key: string]: unknown;
}
"#;

fn generate() -> String {
    let mut out = String::from(PREAMBLE);
    let cfg = Config::default();
    plain::<Cursor>(&mut out, &cfg);
    plain::<Role>(&mut out, &cfg);
    plain::<UserInfo>(&mut out, &cfg);
    plain::<Peer>(&mut out, &cfg);
    plain::<Limits>(&mut out, &cfg);
    plain::<CommittedOp>(&mut out, &cfg);
    plain::<ReconnectReason>(&mut out, &cfg);
    plain::<ErrorCode>(&mut out, &cfg);
    let client = [
        frame::<Hello>(&mut out, &cfg, "hello"),
        frame::<OpMessage>(&mut out, &cfg, "op"),
        frame::<PresenceMessage>(&mut out, &cfg, "presence"),
        frame::<AuthMessage>(&mut out, &cfg, "auth"),
        frame::<PingMessage>(&mut out, &cfg, "ping"),
    ];
    let server = [
        frame::<Welcome>(&mut out, &cfg, "welcome"),
        frame::<OpsMessage>(&mut out, &cfg, "ops"),
        frame::<Received>(&mut out, &cfg, "received"),
        frame::<Ack>(&mut out, &cfg, "ack"),
        frame::<PeersMessage>(&mut out, &cfg, "presence"),
        frame::<RoleMessage>(&mut out, &cfg, "role"),
        frame::<Reconnect>(&mut out, &cfg, "reconnect"),
        frame::<ErrorMessage>(&mut out, &cfg, "error"),
        frame::<Pong>(&mut out, &cfg, "pong"),
    ];
    out.push_str(&format!("\nexport type ClientMessage = {};\n", client.join(" | ")));
    out.push_str(&format!("\nexport type ServerMessage = {};\n", server.join(" | ")));
    out
}

/// Declares a type as it is.
fn plain<T: TS>(out: &mut String, cfg: &Config) {
    out.push_str(&format!("\nexport {}\n", T::decl(cfg)));
}

/// Declares a frame, which has its type as first member, and returns its name.
fn frame<T: TS>(out: &mut String, cfg: &Config, kind: &str) -> String {
    let tagged = T::decl(cfg).replacen("= { ", &format!("= {{ type: \"{kind}\", "), 1);
    assert!(tagged.contains(&format!("type: \"{kind}\"")), "{tagged}");
    out.push_str(&format!("\nexport {tagged}\n"));
    T::name(cfg)
}

#[test]
fn the_typescript_types_are_these() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/typescript/src/protocol.gen.ts");
    let generated = generate();
    if std::env::var("QUIRE_WRITE_TYPES").is_ok() {
        std::fs::write(path, &generated).expect("the client's source folder can be written");
    }
    let present = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        present == generated,
        "protocol.gen.ts is not up to date: QUIRE_WRITE_TYPES=1 cargo test typescript"
    );
}
