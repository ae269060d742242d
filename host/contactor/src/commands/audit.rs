//! `contactor audit`: who changed what, and whether the log is as it was written.

use std::path::PathBuf;

use clap::Subcommand;
use contactor_server::dto::{AuditEntry, AuditQuery, AuditReport};
use contactor_store::{AuditHash, sqlite};
use jiff::Timestamp;

use super::{Context, store};
use crate::exit::{Exit, Failure};
use crate::output::{or_dash, when};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List changes that were asked for, newest first. An admin of workspaces sees theirs.
    #[command(
        after_help = "Examples:\n  contactor audit list --workspace acme\n  contactor audit list --actor bob --since 2026-11-01T00:00:00Z --json"
    )]
    List {
        /// Of this workspace.
        #[arg(long)]
        workspace: Option<String>,
        /// Of this user; `admin-token-file` for the host's own token, `the-host` for what it did by itself, `command-line` for commands on
        /// the database itself, `-` for nobody who is known.
        #[arg(long, allow_hyphen_values = true)]
        actor: Option<String>,
        /// At this instant or later.
        #[arg(long, value_name = "INSTANT")]
        since: Option<Timestamp>,
        /// Older than this entry.
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
        /// At most this many, 1 to 500.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Follow the chain of the whole log; names the first entry that does not fit. Ends with 6 when something is wrong.
    #[command(after_help = "Examples:\n  contactor audit verify\n  contactor audit verify --head \
                      9f2b1c0d4e5f60718293a4b5c6d7e8f900112233445566778899aabbccddeeff\n  \
                      contactor audit verify --database /backup/contactor.db\n\n\
                      A chain cannot show that entries are missing at its end. Note the head that this prints somewhere else, and give it\n\
                      the next time: it has to be in the chain still.")]
    Verify {
        /// The head that an earlier look printed.
        #[arg(long, value_name = "HASH", value_parser = hash)]
        head: Option<String>,
        /// The database of a host that is stopped, or a copy, in the place of the running host.
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
    },
}

impl Command {
    /// Whether it needs no host.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Verify { database: Some(_), .. })
    }
}

fn hash(text: &str) -> Result<String, String> {
    let text = text.to_lowercase();
    match AuditHash::parse(&text) {
        Some(_) => Ok(text),
        None => Err("expected the 64 hex digits that `contactor audit verify` printed".to_owned()),
    }
}

/// Looks at a database that no host has open.
pub(crate) fn run_locally(context: &Context, command: &Command) -> Result<(), Failure> {
    let Command::Verify { head, database: Some(database) } = command else { return Ok(()) };
    let noted = head.as_deref().and_then(AuditHash::parse);
    let verdict = sqlite::audited(database, noted).map_err(store::failure)?;
    told(context, &AuditReport::of(verdict, noted))
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List { workspace, actor, since, before, limit } => {
            let query = AuditQuery { workspace, actor, since, before, limit: Some(limit) };
            let headings = ["NO", "AT", "WHO", "WORKSPACE", "ACTION", "OF", "ANSWER", "REMARK"];
            Ok(context.out.list(&client.audit(&query).await?, headings, |entry| {
                [
                    entry.seq.to_string(),
                    when(entry.at),
                    entry.actor.clone(),
                    or_dash(entry.workspace.as_ref()),
                    entry.action.clone(),
                    entry.target.clone(),
                    answer(entry),
                    entry.detail.clone(),
                ]
            })?)
        }
        Command::Verify { head, .. } => told(context, &client.verify_audit(head).await?),
    }
}

fn answer(entry: &AuditEntry) -> String {
    use contactor_server::dto::AuditPhase::Refused;
    match (entry.phase, entry.status) {
        (Refused, Some(status)) => format!("{status} refused"),
        (_, Some(status)) => status.to_string(),
        (_, None) => "not known".to_owned(),
    }
}

fn told(context: &Context, report: &AuditReport) -> Result<(), Failure> {
    let lines = [
        ("sound", if report.sound { "yes" } else { "NO" }.to_owned()),
        ("entries that fit", report.entries.to_string()),
        ("last of them", or_dash(report.last)),
        ("head", or_dash(report.head.as_ref())),
        ("given head is that of entry", report.given_head_at.map_or_else(String::new, |seq| seq.to_string())),
    ];
    context.out.one(report, &lines)?;
    match &report.problem {
        None => Ok(()),
        Some(problem) => Err(Failure::say(
            Exit::Doubtful,
            format_args!("the audit log is not as it was written: {problem}"),
        )),
    }
}
