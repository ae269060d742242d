//! `contactor connection upgrade | rollout | adopt | rollback`: other versions of a connection's connector.

use std::io::IsTerminal as _;

use clap::{Args, Subcommand};
use contactor_server::dto::{
    Permission, Rollout, RolloutMode, RolloutQuery, RolloutState, Tally, Upgrade, UpgradePlan, UpgradeQuery,
};

use super::Context;
use super::connection::{Which, object};
use crate::exit::{Exit, Failure};
use crate::output::{or_dash, when, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Put another version of the connector on trial.
    Upgrade(Box<UpgradeArguments>),
    /// Show the version on trial and how it does beside the pinned one.
    #[command(after_help = "\
Examples:
  contactor connection rollout acme prefinery
  contactor connection rollout acme prefinery --history --json")]
    Rollout {
        #[command(flatten)]
        which: Which,
        /// List every version that the connection had, the newest first.
        #[arg(long)]
        history: bool,
    },
    /// Pin the version that is on trial.
    #[command(after_help = "\
Examples:
  contactor connection adopt acme prefinery
  contactor connection adopt acme prefinery --rollout 7")]
    Adopt(Meant),
    /// End the trial; without one, go back to the version before, with its settings, and its grants but for what was withheld since.
    #[command(after_help = "\
Examples:
  contactor connection rollback acme prefinery --rollout 7
  contactor connection rollback acme prefinery --json

What the version that is left parked is done again by the other one. When the host was the last to take a version back, it goes
further only with the number of the rollout that brought the present one.")]
    Rollback(Meant),
}

#[derive(Args)]
pub(crate) struct Meant {
    #[command(flatten)]
    which: Which,
    /// Number of the rollout that is meant; refused if it does not stand as it was shown any more.
    #[arg(long, value_name = "NUMBER")]
    rollout: Option<u64>,
}

/// Put another version of the connector on trial: the newest that a platform admin installed, unless --digest names another. What it
/// asks for beyond the pinned version is shown first and has to be approved.
///
/// In shadow, nothing that it asks for is done, and its answers are compared. Otherwise it does the work of its share of the records,
/// and is taken back by the host when it fails or writes much more than the pinned version. One that did all of the work for a day is
/// adopted (`engine.rollout-watch-hours`). Called again, the command changes what the version on trial does. One that the host took back
/// is begun again only by its --digest.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor connection upgrade acme prefinery --dry-run
  contactor connection upgrade acme prefinery --shadow
  contactor connection upgrade acme prefinery --share 10
  contactor connection upgrade acme prefinery --share 100 --rollout 7
  contactor connection upgrade acme prefinery --approve --json")]
pub(crate) struct UpgradeArguments {
    #[command(flatten)]
    which: Which,
    /// Show what would change and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// SHA-256 of the component.
    #[arg(long)]
    digest: Option<String>,
    /// Compare what it would do, and do nothing of it.
    #[arg(long)]
    shadow: bool,
    /// Percent of the records.
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100))]
    share: u8,
    /// Give it what it asks for beyond the pinned version.
    #[arg(long)]
    approve: bool,
    /// All settings for it, from a TOML or JSON file; those of the connection unless given.
    #[arg(long, value_name = "FILE")]
    settings: Option<std::path::PathBuf>,
    /// Number of the rollout to change; refused if it does not run any more, and nothing is begun in its place.
    #[arg(long, value_name = "NUMBER")]
    rollout: Option<u64>,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Upgrade(arguments) => upgrade(context, *arguments).await?,
        Command::Rollout { which, history: false } => {
            show(context, &client.rollout(&which.workspace, &which.connector).await?)?;
        }
        Command::Rollout { which, history: true } => {
            let rollouts = client.rollouts(&which.workspace, &which.connector).await?;
            let headings = ["ROLLOUT", "BEGAN", "VERSION", "BEFORE", "DOES", "STATE", "BY", "REASON"];
            context.out.list(&rollouts, headings, |one| {
                [
                    one.id.to_string(),
                    when(one.began_at),
                    one.candidate.version.clone(),
                    one.former.version.clone(),
                    does(one.mode, one.share),
                    word(&one.state),
                    one.begun_by.clone(),
                    one.reason.clone(),
                ]
            })?;
        }
        Command::Adopt(Meant { which, rollout }) => {
            let seen = RolloutQuery { rollout };
            show(context, &client.adopt(&which.workspace, &which.connector, &seen).await?)?;
        }
        Command::Rollback(Meant { which, rollout }) => {
            let seen = RolloutQuery { rollout };
            show(context, &client.rollback(&which.workspace, &which.connector, &seen).await?)?;
        }
    }
    Ok(())
}

async fn upgrade(context: &Context, arguments: UpgradeArguments) -> Result<(), Failure> {
    let client = context.client()?;
    let UpgradeArguments { which, dry_run, mut digest, shadow, share, mut approve, settings, rollout: seen } =
        arguments;
    let (workspace, connector) = (&which.workspace, &which.connector);
    if dry_run {
        let plan = client.upgrade_plan(workspace, connector, &UpgradeQuery { digest }).await?;
        return Ok(show_plan(context, &plan)?);
    }
    // Whoever sits at a terminal is asked; a script says so beforehand.
    if !approve
        && seen.is_none()
        && std::io::stdin().is_terminal()
        && client.connection(workspace, connector).await?.on_trial.is_none()
    {
        let plan =
            client.upgrade_plan(workspace, connector, &UpgradeQuery { digest: digest.clone() }).await?;
        approve = approves(context, &plan)?;
        // It is what was shown that is begun, whatever is installed meanwhile.
        digest = Some(plan.to.digest);
    }
    let settings = settings.as_deref().map(|file| object(file, "--settings")).transpose()?;
    let mode = if shadow { RolloutMode::Shadow } else { RolloutMode::Live };
    let settings = settings.map(serde_json::Value::Object);
    let upgrade = Upgrade { digest, mode, share, approve, settings, rollout: seen };
    let rollout = client.upgrade(workspace, connector, &upgrade).await?;
    show(context, &rollout)?;
    let (of, this) = (format!("{workspace} {connector}"), format!("--rollout {}", rollout.id));
    Ok(context.out.note(&format!(
        "next: `contactor connection rollout {of}`, then `connection adopt {of} {this}` or `connection rollback {of} {this}`"
    ))?)
}

fn approves(context: &Context, plan: &UpgradePlan) -> Result<bool, Failure> {
    if plan.more.is_empty() {
        return Ok(false);
    }
    let version = &plan.to.version;
    context.out.note(&format!("version {version} asks for more than {}:", plan.from.version))?;
    for one in &plan.more {
        context.out.note(&format!("  {}: {}", one.name, one.words))?;
    }
    context.out.note("approve of it? [y/N]")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(true);
    }
    Err(Failure::say(Exit::Failed, format_args!("nothing was changed: version {version} was not approved")))
}

/// What a version on trial does, in words.
pub(crate) fn does(mode: RolloutMode, share: u8) -> String {
    match mode {
        RolloutMode::Shadow => format!("is compared on {share} % of the records"),
        RolloutMode::Live => format!("does {share} % of the records"),
    }
}

fn show_plan(context: &Context, plan: &UpgradePlan) -> std::io::Result<()> {
    let of = |one: &Permission| format!("{}: {}", one.name, one.words);
    let mut lines = vec![
        ("connection", plan.connection.clone()),
        ("from", format!("{} ({})", plan.from.version, plan.from.digest)),
        ("to", format!("{} ({})", plan.to.version, plan.to.digest)),
    ];
    lines.extend(plan.more.iter().map(|one| ("asks for more", of(one))));
    lines.extend(plan.less.iter().map(|one| ("asks no more for", of(one))));
    lines.extend(plan.mapping.iter().map(|row| ("mapping", row.clone())));
    lines.extend(plan.problem.iter().map(|problem| ("problem", problem.clone())));
    context.out.one(plan, &lines)
}

fn show(context: &Context, rollout: &Rollout) -> std::io::Result<()> {
    let tally = |of: &Tally| {
        let others =
            if of.others == 0 { String::new() } else { format!(" and {} that tell nothing", of.others) };
        format!("{} runs{others}, {} failed, {} writes", of.runs, of.failed, of.writes)
    };
    let is_shadow = rollout.mode == RolloutMode::Shadow;
    let mut lines = vec![
        ("connection", rollout.connection.clone()),
        ("rollout", rollout.id.to_string()),
        ("version", format!("{} ({})", rollout.candidate.version, rollout.candidate.digest)),
        ("before", format!("{} ({})", rollout.former.version, rollout.former.digest)),
        ("does", does(rollout.mode, rollout.share)),
        ("state", word(&rollout.state)),
        (if rollout.state == RolloutState::Running { "stands" } else { "reason" }, rollout.reason.clone()),
        ("began", format!("{} by {}", when(rollout.began_at), rollout.begun_by)),
        ("ended", or_dash(rollout.ended_at.map(when))),
    ];
    if is_shadow {
        let counted = [rollout.same, rollout.differing, rollout.unseen];
        lines.push((
            "compared",
            format!("{} the same, {} otherwise, {} not followed", counted[0], counted[1], counted[2]),
        ));
    } else {
        lines.push(("version on trial", tally(&rollout.of_candidate)));
        lines.push(("version before", tally(&rollout.of_former)));
        lines.push(("shortly before", tally(&rollout.before)));
    }
    lines.extend(rollout.differences.iter().map(|one| {
        let run = one.run.as_ref().map(|run| format!(" (run {run})")).unwrap_or_default();
        ("differs", format!("{}: {}{run}", when(one.at), one.what))
    }));
    context.out.one(rollout, &lines)
}
