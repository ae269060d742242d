//! Consent in what a connector writes to a contact: it only ever gets stricter.

use contactor_highlevel as highlevel;
use contactor_store::FieldRemark;

use super::fields::JsonFields;
use crate::convert;
use crate::reconcile::remarks;

/// Whether it has to be known what consent there is.
pub(super) fn touches(wanted: &JsonFields) -> bool {
    contactor_sync::touches_consent(&convert::fields_from_json(wanted.clone()))
}

/// Takes out of a write what would give back consent that one of these contacts withdrew; answers what was left alone. Several are
/// given where it is the vendor who decides which one is written.
pub(super) fn keep(present: &[highlevel::Contact], wanted: &mut JsonFields) -> Vec<FieldRemark> {
    let present: Vec<_> = present.iter().map(|contact| convert::fields_from_json(contact.fields())).collect();
    let mut fields = convert::fields_from_json(std::mem::take(wanted));
    let left = remarks::keep_consent_of_any(&present, &mut fields);
    *wanted = fields.iter().map(|(name, value)| (name.clone(), convert::value_to_json(value))).collect();
    left
}
