//! The kernel against npm `quill-delta` 5.1.0: recorded answers, input that must not get in, hostile and generated input.

mod bad_ops;
mod case;
mod generated;
mod quirks;
mod vectors;

// The properties shared with the fuzz target name the kernel so.
use quire::ot;
