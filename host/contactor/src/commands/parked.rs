//! `contactor parked`: what a person must look at, by its cause.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use contactor_server::dto::{Parked, ParkedGroup, RecordRef, ReleaseAnswer, RetryAllQuery, Side};

use super::Context;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::{self, or_dash, when, word};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what is parked in a workspace, by its cause: one fix releases a group.
    #[command(after_help = "Example:\n  contactor parked list acme --records")]
    List {
        /// The workspace's id.
        workspace: String,
        /// Every record by itself, newest first.
        #[arg(long)]
        records: bool,
    },
    /// Show a group: its cause, what probably mends it, and its oldest records.
    #[command(after_help = "Example:\n  contactor parked show acme 3f2a9c01")]
    Show {
        /// The workspace's id.
        workspace: String,
        /// The group's id, as `parked list` shows it.
        group: String,
        /// At most this many records, 1 to 500; 50 if absent.
        #[arg(long)]
        limit: Option<u32>,
    },
    /// Try parked records again, once their cause is dealt with: from the state that both sides are in now.
    #[command(after_help = "\
Examples:
  contactor parked retry acme --group 3f2a9c01
  contactor parked retry acme prefinery ocQHyuzHvysMo5N5VsXc
  contactor parked retry acme prefinery --all
  contactor parked retry acme prefinery --all --also-may-have-happened")]
    Retry {
        /// Which of it.
        #[command(flatten)]
        which: Which,
        /// With --all: also do calls once more that may have happened already (class `unsure`). Without it they stay parked.
        #[arg(long, conflicts_with_all = ["record", "group"])]
        also_may_have_happened: bool,
    },
    /// Let parked records go: nothing is done about them until they change.
    #[command(after_help = "\
Examples:
  contactor parked discard acme --group 3f2a9c01
  contactor parked discard acme prefinery ocQHyuzHvysMo5N5VsXc")]
    Discard(Which),
}

/// Which of what is parked.
#[derive(Args)]
#[command(group = ArgGroup::new("which").required(true).args(["group", "record", "all"]))]
pub(crate) struct Which {
    /// The workspace's id.
    workspace: String,
    /// The connector's id; not with --group.
    #[arg(conflicts_with = "group", required_unless_present = "group")]
    connector: Option<String>,
    /// The record's id, as `parked list --records` shows it.
    record: Option<String>,
    /// Every record of a group, as `parked list` shows it.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Everything that is parked of the connection; the mass-change guard counts what comes of it.
    #[arg(long)]
    all: bool,
    /// The kind of record.
    #[arg(long, default_value = "contact")]
    entity: String,
    /// Whose id it is.
    #[arg(long, value_enum, default_value = "highlevel")]
    side: SideArg,
}

/// A side, on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SideArg {
    /// HighLevel's id.
    Highlevel,
    /// The partner's id.
    Partner,
}

impl From<SideArg> for Side {
    fn from(side: SideArg) -> Self {
        match side {
            SideArg::Highlevel => Self::Highlevel,
            SideArg::Partner => Self::Partner,
        }
    }
}

/// What is done about what is parked.
#[derive(Clone, Copy)]
enum Action {
    Retry { also_may_have_happened: bool },
    Discard,
}

impl Action {
    /// The word in the API's paths.
    fn word(self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Discard => "discard",
        }
    }

    /// What "everything" includes.
    fn all(self) -> RetryAllQuery {
        let also_may_have_happened = matches!(self, Self::Retry { also_may_have_happened: true });
        RetryAllQuery { also_may_have_happened }
    }

    fn past(self) -> &'static str {
        match self {
            Self::Retry { .. } => "released",
            Self::Discard => "discarded",
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List { workspace, records: false } => {
            let groups = client.parked_groups(&workspace).await?;
            let headings =
                ["GROUP", "CONNECTION", "ENTITY", "COUNT", "CLASS", "SINCE", "CAUSE", "WHAT TO DO"];
            context.out.list(&groups, headings, |group| {
                [
                    group.id.clone(),
                    group.connection.clone(),
                    group.entity.clone(),
                    group.count.to_string(),
                    word(&group.class),
                    when(group.oldest),
                    group.cause.clone(),
                    group.fix.clone(),
                ]
            })?;
        }
        Command::List { workspace, records: true } => {
            records(context, &client.parked(&workspace).await?)?;
        }
        Command::Show { workspace, group, limit } => {
            let detail = client.parked_group(&workspace, &group, limit).await?;
            if context.out.json {
                output::json(&detail)?;
            } else {
                show(context, &detail.group)?;
                records(context, &detail.entries)?;
            }
        }
        Command::Retry { which, also_may_have_happened } => {
            release(context, &client, which, Action::Retry { also_may_have_happened }).await?;
        }
        Command::Discard(which) => release(context, &client, which, Action::Discard).await?,
    }
    Ok(())
}

fn show(context: &Context, group: &ParkedGroup) -> std::io::Result<()> {
    let lines = [
        ("group", group.id.clone()),
        ("connection", group.connection.clone()),
        ("entity", group.entity.clone()),
        ("class", word(&group.class)),
        ("count", group.count.to_string()),
        ("oldest", when(group.oldest)),
        ("newest", when(group.newest)),
        ("cause", group.cause.clone()),
        ("example", group.example.clone()),
        ("what to do", group.fix.clone()),
    ];
    context.out.one(group, &lines)
}

fn records(context: &Context, parked: &[Parked]) -> std::io::Result<()> {
    let headings = ["CONNECTION", "ENTITY", "SIDE", "RECORD", "SINCE", "RUN", "REASON"];
    context.out.list(parked, headings, |p| {
        [
            p.connection.clone(),
            p.record.entity.clone(),
            word(&p.record.side),
            p.record.record.clone(),
            when(p.since),
            or_dash(p.run.as_ref()),
            p.reason.clone(),
        ]
    })
}

async fn release(context: &Context, client: &Client, which: Which, action: Action) -> Result<(), Failure> {
    let Which { workspace, connector, record, group, all: _, entity, side } = which;
    let (verb, connector) = (action.word(), connector.unwrap_or_default());
    let answer = match (group, record) {
        (Some(group), _) => client.release_parked_group(&workspace, &group, verb).await?,
        (None, None) => client.release_all_parked(&workspace, &connector, verb, action.all()).await?,
        (None, Some(record)) => {
            let record = RecordRef { entity, side: side.into(), record };
            if !client.release_parked(&workspace, &connector, &record, verb).await?.released {
                let message = format!(
                    "{} {} of {workspace}/{connector} is not parked; `contactor parked list {workspace} --records` shows those \
                     that are",
                    record.entity, record.record
                );
                return Err(Failure::say(Exit::NotFound, message));
            }
            ReleaseAnswer { released: 1, left_out: 0 }
        }
    };
    if context.out.json {
        return Ok(output::json(&answer)?);
    }
    Ok(context.out.text(&told(action, answer, &workspace))?)
}

/// What was done, and what a person still has to decide about.
fn told(action: Action, answer: ReleaseAnswer, workspace: &str) -> String {
    let ReleaseAnswer { released, left_out } = answer;
    let done = format!("{} {released}", action.past());
    if left_out == 0 {
        return done;
    }
    format!(
        "{done}; {left_out} left out: they may have happened, and doing them twice shows. Look at the other system, then `contactor \
         parked retry {workspace} --group GROUP` has a group done once more and `contactor parked discard {workspace} --group GROUP` lets \
         it go (`contactor parked list {workspace}` shows the groups, class unsure); `--also-may-have-happened` includes them all"
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    fn parses(line: &str) -> bool {
        Line::try_parse_from(line.split(' ')).is_ok()
    }

    #[test]
    fn what_was_left_out_is_told_with_what_to_do_about_it() {
        let retry = Action::Retry { also_may_have_happened: false };
        let told = |left_out| told(retry, ReleaseAnswer { released: 2, left_out }, "acme");
        assert_eq!(told(0), "released 2");
        for words in ["released 2; 3 left out", "parked retry acme --group", "parked discard acme --group"] {
            assert!(told(3).contains(words), "{}", told(3));
        }
    }

    #[test]
    fn a_group_a_record_or_all_of_a_connection_is_named() {
        for good in [
            "x retry acme --group 3f",
            "x retry acme prefinery r1",
            "x discard acme prefinery --all",
            "x retry acme prefinery --all --also-may-have-happened",
        ] {
            assert!(parses(good), "{good}");
        }
        for bad in [
            "x retry acme",
            "x retry acme prefinery",
            "x retry acme prefinery --group 3f",
            "x retry acme --all",
            "x retry acme prefinery r1 --also-may-have-happened",
            "x discard acme prefinery --all --also-may-have-happened",
        ] {
            assert!(!parses(bad), "{bad}");
        }
    }
}
