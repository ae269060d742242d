//! `workflows`: putting a contact into workflows and out of them.

use contactor_highlevel::{ContactId, WorkflowId};
use contactor_runtime::bindings::types::Error;
use contactor_runtime::bindings::workflows::Host;
use jiff::Timestamp;

use super::{Direct, errors};
use crate::access::Access;

impl Host for Direct {
    async fn add(
        &mut self,
        contact_id: String,
        workflow_id: String,
        event_start_time: Option<String>,
    ) -> Result<(), Error> {
        self.may(Access::Write)?;
        let start = instant(event_start_time.as_deref())?;
        let (contact, workflow) = (ContactId::new(contact_id), WorkflowId::new(workflow_id));
        self.run.location.add_to_workflow(&contact, &workflow, start).await.map_err(errors::of_highlevel)
    }

    async fn remove(
        &mut self,
        contact_id: String,
        workflow_id: String,
        event_start_time: Option<String>,
    ) -> Result<(), Error> {
        self.may(Access::Write)?;
        let start = instant(event_start_time.as_deref())?;
        let (contact, workflow) = (ContactId::new(contact_id), WorkflowId::new(workflow_id));
        self.run.location.remove_from_workflow(&contact, &workflow, start).await.map_err(errors::of_highlevel)
    }
}

fn instant(text: Option<&str>) -> Result<Option<Timestamp>, Error> {
    text.map(str::parse).transpose().map_err(|_| {
        errors::invalid(
            "eventStartTime",
            "expected RFC 3339 with an offset, for example 2026-11-21T09:00:00+01:00",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_an_instant_or_is_left_out_and_never_a_local_time() {
        assert_eq!(instant(None), Ok(None));
        assert_eq!(instant(Some("2026-11-21T09:00:00+01:00")), Ok("2026-11-21T08:00:00Z".parse().ok()));
        for bad in ["2026-11-21T09:00:00", "2026-11-21", "soon", ""] {
            assert!(matches!(instant(Some(bad)), Err(Error::Invalid(_))), "{bad}");
        }
    }
}
