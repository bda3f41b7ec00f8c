//! The actors under faults that are put in on purpose: a journal whose commits fail in three ways, documents that panic,
//! and a thousand sessions at once.

mod crashes;
mod document;
mod draining;
mod faulty;
mod harness;
mod journal;
mod opening;
mod presence;
mod requests;
