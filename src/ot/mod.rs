//! The algebra of rich-text deltas: what an edit is, and how two edits made at the same time both survive.
//!
//! The semantics are those of npm `quill-delta` 5.1.0, in UTF-16 code units. Writing `d·a` for "a applied to d",
//! `a∘b` for "first a, then b" and `b over a` for `a.transform(&b, priority)`, these laws hold for documents `d` and
//! edits `a`, `b`, `c` that fit them (`laws.rs` checks each with generated cases):
//!
//! - composition: `(d·a)·b = d·(a∘b)`, and `(a∘b)∘c = a∘(b∘c)`
//! - the diamond (TP1): `a∘(b over a) = b∘(a over b)`, when exactly one side claims priority
//! - inverse: `(d·a)·a⁻¹ = d` with `a⁻¹ = a.invert(d)`
//! - difference: `d·d.diff(e) = e`
//!
//! TP2 does **not** hold, nor `x over (a∘b) = (x over a) over b`: a server keeps one order of edits for a document, and
//! transforms over them one by one. The kernel is pure: no I/O, no clock, no randomness, and nothing of the rest of the
//! crate.
//!
//! A [`Delta`] is an edit, or a document as an edit from nothing. A [`Document`] is the same content as a balanced tree,
//! for documents that are large or edited often.

mod attributes;
mod attribution;
mod compose;
mod cursor;
mod delta;
mod diff;
mod document;
mod error;
mod invert;
mod json;
mod op;
mod parse;
mod parts;
mod position;
#[doc(hidden)]
pub mod raw;
mod shorthand;
mod text;
mod transform;
mod utf16;
mod value;
mod write;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod model;

pub use attributes::Attributes;
pub use attribution::Attribution;
pub use delta::Delta;
pub use document::Document;
pub use error::{DeltaError, Flaw};
pub use op::{Embed, Insert, Op};
pub use parse::ParseLimits;
pub use position::Selection;
pub use shorthand::{Edit, from_edit};
pub use text::Text;
pub use value::{Number, Value};

/// The largest length or position: 2^53 - 1, up to which a 64-bit float (all that JavaScript has) counts exactly.
pub const MAX_LENGTH: u64 = (1 << 53) - 1;
