//! `contactor alerts`: what is wrong in a workspace, and who is told.

use clap::{Args, Subcommand};
use contactor_server::dto::AlertRules;

use super::Context;
use crate::exit::Failure;
use crate::output::{or_dash, when, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what is wrong in a workspace.
    #[command(after_help = "Example:\n  contactor alerts list acme --all")]
    List {
        /// The workspace's id.
        workspace: String,
        /// Also what was wrong and is over, as long as runs are kept.
        #[arg(long)]
        all: bool,
    },
    /// Show where a workspace's alerts go, and from which threshold on.
    #[command(after_help = "Example:\n  contactor alerts show acme")]
    Show {
        /// The workspace's id.
        workspace: String,
    },
    /// Set where a workspace's alerts go; what is not given stays as it is.
    Set(Set),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor alerts set acme --to team --to office
  contactor alerts set acme --parked 10 --silence-hours 72
  contactor alerts set acme --nobody")]
pub(crate) struct Set {
    /// The workspace's id.
    workspace: String,
    /// A destination (`contactor destination add`); as often as needed, in the place of those that are set.
    #[arg(long, value_name = "DESTINATION")]
    to: Vec<String>,
    /// Tell nobody: alerts are only listed.
    #[arg(long, conflicts_with = "to")]
    nobody: bool,
    /// Records parked for one cause before it is an alert; told again at ten times as many.
    #[arg(long, value_name = "COUNT")]
    parked: Option<u32>,
    /// Minutes that a change may wait.
    #[arg(long, value_name = "MINUTES")]
    stale_minutes: Option<u32>,
    /// Hours without a webhook of a source that sent some before; 0 switches this off.
    #[arg(long, value_name = "HOURS")]
    silence_hours: Option<u32>,
    /// Changes in an hour that only the sweep found; 0 switches this off.
    #[arg(long, value_name = "COUNT")]
    missed: Option<u32>,
    /// Minutes between two messages: what happens meanwhile comes in one.
    #[arg(long, value_name = "MINUTES")]
    digest_minutes: Option<u32>,
    /// Minutes before the same thing is told again.
    #[arg(long, value_name = "MINUTES")]
    suppress_minutes: Option<u32>,
}

impl Set {
    fn onto(self, mut rules: AlertRules) -> (String, AlertRules) {
        if self.nobody || !self.to.is_empty() {
            rules.to = self.to;
        }
        for (given, rule) in [
            (self.parked, &mut rules.parked),
            (self.stale_minutes, &mut rules.stale_minutes),
            (self.silence_hours, &mut rules.silence_hours),
            (self.missed, &mut rules.missed),
            (self.digest_minutes, &mut rules.digest_minutes),
            (self.suppress_minutes, &mut rules.suppress_minutes),
        ] {
            *rule = given.unwrap_or(*rule);
        }
        (self.workspace, rules)
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List { workspace, all } => {
            let mut alerts = client.alerts(&workspace).await?.alerts;
            alerts.retain(|alert| all || alert.ended_at.is_none());
            alerts.sort_by_key(|alert| (alert.ended_at.is_some(), std::cmp::Reverse(alert.since)));
            let headings = ["KIND", "CONNECTION", "SINCE", "TOLD", "OVER", "WHAT"];
            context.out.list(&alerts, headings, |alert| {
                [
                    word(&alert.kind),
                    or_dash(alert.connection.clone()),
                    when(alert.since),
                    or_dash(alert.said_at.map(when)),
                    or_dash(alert.ended_at.map(when)),
                    alert.text.clone(),
                ]
            })?;
        }
        Command::Show { workspace } => show(context, &client.alerts(&workspace).await?.rules)?,
        Command::Set(set) => {
            let present = client.alerts(&set.workspace).await?.rules;
            let (workspace, rules) = set.onto(present);
            show(context, &client.set_alert_rules(&workspace, &rules).await?)?;
        }
    }
    Ok(())
}

fn show(context: &Context, rules: &AlertRules) -> std::io::Result<()> {
    let to =
        if rules.to.is_empty() { "nobody: they are only listed".to_owned() } else { rules.to.join(", ") };
    let hours = |hours: u32| if hours == 0 { "off".to_owned() } else { format!("after {hours} hours") };
    let missed = if rules.missed == 0 { "off".to_owned() } else { format!("{} in an hour", rules.missed) };
    let lines = [
        ("to", to),
        ("parked", format!("{} of one cause", rules.parked)),
        ("stale", format!("after {} minutes", rules.stale_minutes)),
        ("silence", hours(rules.silence_hours)),
        ("webhooks missing", missed),
        ("messages", format!("at most one in {} minutes", rules.digest_minutes)),
        ("again", format!("the same after {} minutes", rules.suppress_minutes)),
    ];
    context.out.one(rules, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays() {
        let set = |to: &[&str], nobody, parked| Set {
            workspace: "acme".to_owned(),
            to: to.iter().map(ToString::to_string).collect(),
            nobody,
            parked,
            stale_minutes: None,
            silence_hours: None,
            missed: None,
            digest_minutes: None,
            suppress_minutes: None,
        };
        let present = AlertRules { to: vec!["team".to_owned()], stale_minutes: 7, ..AlertRules::default() };
        let (_, rules) = set(&[], false, Some(5)).onto(present.clone());
        assert_eq!((rules.to.len(), rules.parked, rules.stale_minutes), (1, 5, 7));
        assert_eq!(set(&["a", "b"], false, None).onto(present.clone()).1.to, ["a", "b"]);
        assert!(set(&[], true, None).onto(present).1.to.is_empty());
    }
}
