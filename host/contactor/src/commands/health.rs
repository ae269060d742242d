//! `contactor health`: how the host is.

use super::Context;
use crate::exit::{Exit, Failure};
use crate::output::{or_dash, when};

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let health = context.client()?.health().await?;
    let counts = &health.counts;
    let mut lines = vec![
        ("healthy", if health.healthy { "yes" } else { "no" }.to_owned()),
        ("waiting records", counts.waiting.to_string()),
        ("oldest waiting", or_dash(counts.oldest_waiting.map(when))),
        ("unread webhooks", counts.unread_events.to_string()),
        ("parked", counts.parked.to_string()),
        ("links", counts.links.to_string()),
        ("held webhooks", health.held_events.to_string()),
        ("last webhook", or_dash(health.last_webhook_at.map(when))),
        ("need a person", health.attention.join(", ")),
    ];
    lines.extend(health.problems.iter().map(|problem| ("problem", problem.clone())));
    context.out.one(&health, &lines)?;
    if health.healthy {
        Ok(())
    } else {
        Err(Failure::say(Exit::Failed, "the host is not healthy; the problems are listed above"))
    }
}
