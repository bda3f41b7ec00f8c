//! What every handler may use.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::actors::administration::Administration;
use crate::actors::service::Documents;
use crate::actors::session::Setting;
use crate::http::security::Security;

/// Shared by all worker threads.
pub struct HttpState {
    pub documents: Documents,
    pub administration: Administration,
    /// What sessions are started with; limits and the clock are used here, too.
    pub sessions: Arc<Setting>,
    pub security: Arc<Security>,
    /// Set once by the application, when it begins to stop.
    pub draining: Arc<AtomicBool>,
}
