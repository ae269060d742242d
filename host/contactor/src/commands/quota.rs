//! `contactor quota`: what is left of the quotas, who used them, and how far they go.

use clap::Args;
use contactor_server::dto::{HighLevelQuota, Quota};

use super::Context;
use crate::exit::Failure;
use crate::output::{self, or_dash, when, word};

#[derive(Args)]
#[command(after_help = "Example:\n  contactor quota acme")]
pub(crate) struct Arguments {
    /// The workspace's id.
    workspace: String,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let quota = context.client()?.quota(&arguments.workspace).await?;
    if context.out.json {
        return Ok(output::json(&quota)?);
    }
    show(context, &quota)?;
    Ok(())
}

fn show(context: &Context, quota: &Quota) -> std::io::Result<()> {
    context.out.one(quota, &highlevel(&quota.highlevel))?;
    let headings = ["USED BY", "FOR", "HIGHLEVEL THIS HOUR", "HIGHLEVEL 24 H", "PARTNER 24 H"];
    context.out.list(&quota.used_by, headings, |used| {
        [
            used.connection.clone(),
            word(&used.priority),
            used.highlevel_hour.to_string(),
            used.highlevel_day.to_string(),
            used.partner_day.to_string(),
        ]
    })?;
    let headings = ["PARTNER", "QUOTA", "ALLOWED", "USED", "LEFT ALONE UNTIL"];
    context.out.list(&quota.partners, headings, |partner| {
        [
            partner.connection.clone(),
            partner.scope.clone(),
            format!("{} in {} s", partner.requests, partner.per_seconds),
            partner.used.to_string(),
            or_dash(partner.blocked_until.map(when)),
        ]
    })
}

fn highlevel(quota: &HighLevelQuota) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("HighLevel today", {
            let used = quota.daily_limit.saturating_sub(quota.daily_remaining);
            format!("{used} of {} used, {} left", quota.daily_limit, quota.daily_remaining)
        }),
        ("new day", quota.resets_at.map_or_else(|| "HighLevel did not say yet".to_owned(), when)),
        ("kept for live work", format!("{} of the day", quota.reserve)),
        ("at once", {
            format!("{} of {} in {} s used", quota.burst_used, quota.burst_limit, quota.burst_seconds)
        }),
        ("pace", format!("{} an hour", quota.per_hour)),
        ("waiting", format!("{} records, about {} requests", quota.waiting, quota.waiting_calls)),
    ];
    lines.extend(quota.paused_until.map(|until| ("paused until", when(until))));
    lines.extend(quota.forecast.map(|left| {
        (
            "forecast",
            match quota.exhausted_at {
                None => format!("{left} left when the new day begins"),
                Some(at) => format!(
                    "used up at {}: {} requests too few; sweeps and syncs stop {} before, live work goes on",
                    when(at),
                    left.saturating_neg(),
                    quota.reserve
                ),
            },
        )
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_does_not_suffice_is_told_with_its_end() {
        let mut quota = HighLevelQuota {
            daily_limit: 200_000,
            daily_remaining: 50_000,
            reserve: 40_000,
            resets_at: None,
            burst_limit: 100,
            burst_seconds: 10.0,
            burst_used: 3,
            paused_until: None,
            per_hour: 9_000,
            waiting: 10,
            waiting_calls: 20,
            forecast: Some(120),
            exhausted_at: None,
        };
        let line = |quota: &HighLevelQuota| {
            highlevel(quota).into_iter().find(|(name, _)| *name == "forecast").unwrap().1
        };
        assert_eq!(line(&quota), "120 left when the new day begins");
        quota.forecast = Some(-7_000);
        quota.exhausted_at = Some(jiff::Timestamp::UNIX_EPOCH);
        assert!(line(&quota).contains("7000 requests too few"), "{}", line(&quota));
        assert_eq!(highlevel(&quota)[0].1, "150000 of 200000 used, 50000 left");
    }
}
