//! The audit log, for the server that writes it and for those who look at it.

use contactor_store::{AuditFilter, AuditHash, AuditVerdict, AuditedChange, NewAudit};

use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// Puts an entry on record; answers its place.
    ///
    /// # Errors
    /// The store cannot keep it: then what it is about must not be done.
    pub async fn record_audit(&self, entry: NewAudit) -> Result<i64, EngineError> {
        Ok(self.store().append_audit(entry).await?)
    }

    /// Changes that were asked for, newest first.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditedChange>, EngineError> {
        Ok(self.store().audit(filter).await?)
    }

    /// Follows the chain of the whole log.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn verify_audit(&self, noted: Option<AuditHash>) -> Result<AuditVerdict, EngineError> {
        Ok(self.store().verify_audit(noted).await?)
    }
}
