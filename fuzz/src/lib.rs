//! Fuzzing of the OT kernel. The properties are also run by `tests/oracle`, on generated input and a stable compiler.

#[path = "../../src/ot/mod.rs"]
pub mod ot;
pub mod properties;
