//! HighLevel calls for each changed record, counted by the double.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::{DeliveryEffect, DeliveryFault};
use contactor_sandbox::prefinery::ProjectAct;
use serde_json::json;

use crate::report::{Bar, Figure};
use crate::size::Size;
use crate::stage::{Stage, named, unlimited};

pub(crate) async fn measure(size: &Size, scratch: &Path) -> Result<Vec<Figure>> {
    let stage = Stage::connected(scratch, unlimited().await?).await?;
    let contacts = stage.link(size.changes).await?;
    stage.aim().await?;
    let calls = || stage.sandbox.recorder().requests("highlevel.");
    let each = |calls: u64| calls as f64 / size.changes as f64;

    let before = calls();
    for contact in &contacts {
        let fields = json!({ "firstName": "Augusta" });
        stage
            .sandbox
            .highlevel()
            .act(&stage.location, PersonAct::EditContact { contact: contact.clone(), fields })?;
    }
    stage.quiet().await?;
    let reached = named(&stage.sandbox, stage.project, "Augusta");
    ensure!(reached == contacts.len(), "{reached} of {} changes reached the partner", contacts.len());
    let in_highlevel = each(calls() - before);

    // HighLevel's webhooks about our writes are held back, so that they can be counted apart.
    let outbox = stage.sandbox.highlevel().webhooks();
    let hold = DeliveryFault { event: "*".to_owned(), times: u32::MAX, effect: DeliveryEffect::Hold };
    outbox.add_fault(hold);
    let before = calls();
    for tester in stage.sandbox.prefinery().testers(stage.project) {
        let tester = tester["id"].to_string();
        let fields = json!({ "profile": { "last_name": "Byron" } });
        stage.sandbox.prefinery().act(stage.project, ProjectAct::EditTester { tester, fields })?;
    }
    stage.quiet().await?;
    let at_partner = each(calls() - before);
    let renamed = stage.sandbox.highlevel().contacts(&stage.location);
    let renamed = renamed.iter().filter(|contact| contact["lastName"] == "Byron").count();
    ensure!(renamed == contacts.len(), "{renamed} of {} changes reached HighLevel", contacts.len());

    outbox.clear_faults();
    let before = calls();
    let echoes = outbox.release();
    ensure!(echoes >= contacts.len(), "{echoes} echoes of {} writes", contacts.len());
    stage.quiet().await?;
    let of_echoes = calls() - before;
    let echo = of_echoes as f64 / f64::from(u32::try_from(echoes).context("too many echoes")?);
    stage.end().await?;
    Ok(vec![
        Figure::new("HighLevel calls, changed in HighLevel", in_highlevel, "", size.changes)
            .bar(Bar::AtMost(1.1))
            .note("one read; the partner's echo included"),
        Figure::new("HighLevel calls, changed at the partner", at_partner, "", size.changes)
            .bar(Bar::AtMost(2.1))
            .note("one read, one write"),
        Figure::new("HighLevel calls, echo of our own write", echo, "", echoes).bar(Bar::AtMost(0.0)),
    ])
}
