//! What every handler may use.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::actors::audit::Audit;
use crate::actors::service::Documents;
use crate::actors::session::Setting;
use crate::http::security::Security;
use crate::storage::audit::SharedAuditLog;
use crate::storage::portability::Exporter;

/// Shared by all worker threads.
pub struct HttpState {
    pub documents: Documents,
    /// What sessions are started with; limits and the clock are used here, too.
    pub sessions: Arc<Setting>,
    pub security: Arc<Security>,
    /// Takes what is to be recorded …
    pub audit: Audit,
    /// … and has what was; `None` where nothing is.
    pub audit_log: Option<SharedAuditLog>,
    /// What is kept of people; `None` where there is no database.
    pub exporter: Option<Exporter>,
    /// Set once by the application, when it begins to stop.
    pub draining: Arc<AtomicBool>,
}
