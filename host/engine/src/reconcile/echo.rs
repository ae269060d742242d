//! Hints that say nothing new are recognised by what they show, never by a clock.

use contactor_store::{ClaimedRecord, LinkState, Side};

use super::sides::RunContext;
use crate::failure::Failure;

/// Every hint shows what the link already knows: our own write coming back, or a delivery that says nothing new.
pub(super) async fn is_echo(run: &RunContext, claim: &ClaimedRecord) -> Result<bool, Failure> {
    let Some(link) = claim.link.as_ref().filter(|link| link.state == LinkState::Active) else {
        return Ok(false);
    };
    if claim.hints.is_empty() || claim.attempts > 0 {
        return Ok(false);
    }
    let mapping = run.active.mapping(&claim.key.entity)?;
    for hint in &claim.hints {
        let (side, known) = match hint.side {
            Side::Highlevel => (contactor_sync::Side::Highlevel, &link.highlevel_fingerprint),
            Side::Partner => (contactor_sync::Side::Partner, &link.partner_fingerprint),
        };
        let Some(snapshot) = hint.snapshot.as_ref().filter(|_| !hint.deleted) else { return Ok(false) };
        let mut fields = snapshot.clone();
        if side == contactor_sync::Side::Highlevel {
            run.name_custom_fields(&mut fields).await?;
        }
        if !is_complete(&mapping.inputs(side), side, &fields) {
            return Ok(false);
        }
        if mapping.fingerprint(side, &fields, &run.active.context) != *known {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Fields that HighLevel's contact webhooks carry when they have a value (the vendor's event pages). Tags come with them.
const SNAPSHOT_FIELDS: [&str; 17] = [
    "tags",
    "name",
    "firstName",
    "lastName",
    "email",
    "phone",
    "address1",
    "city",
    "state",
    "country",
    "postalCode",
    "companyName",
    "website",
    "source",
    "dateOfBirth",
    "dnd",
    "assignedTo",
];

/// Whether a hint shows every field that the mapping looks at. HighLevel leaves out fields without a value, so there only
/// the fields that its webhooks never carry make a snapshot incomplete; a partner's absent field is unknown.
fn is_complete(
    inputs: &std::collections::BTreeSet<String>,
    side: contactor_sync::Side,
    fields: &contactor_sync::Fields,
) -> bool {
    match side {
        contactor_sync::Side::Highlevel => inputs
            .iter()
            .all(|name| name.starts_with("customFields") || SNAPSHOT_FIELDS.contains(&name.as_str())),
        contactor_sync::Side::Partner => inputs.iter().all(|name| fields.contains_key(name)),
    }
}
