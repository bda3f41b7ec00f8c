//! quire: a live-document server.
//!
//! Many people type into one document; every edit is ordered, durable, acknowledged and shown to everybody else within
//! milliseconds. Each open document is one supervised actor that owns its canonical operation sequence and its sessions:
//! [`actors::document`]. An edit comes in through [`actors::session`], is transformed by [`ot`], made durable together
//! with those of other documents by [`actors::journal`] into [`storage`], and goes out as the same bytes to everybody.
//! [`http`] translates, [`app`] starts and stops all of it. ARCHITECTURE.md tells the whole story.

pub mod ids;
pub mod ot;

pub mod redis;
pub mod storage;

pub mod access;
pub mod actors;
pub mod config;
pub mod limits;
pub mod metrics;
pub mod projections;
pub mod protocol;

pub mod auth;

pub mod formats;
pub mod http;

pub mod app;
pub mod platform;
pub mod telemetry;
pub mod tls;
pub mod traces;
#[cfg(feature = "kafka")]
pub mod worker;

pub mod client;

pub mod cli;
