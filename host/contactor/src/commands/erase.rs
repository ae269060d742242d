//! `contactor erase`: forget one person.

use clap::Args;
use contactor_server::dto::EraseRequest;

use super::Context;
use crate::exit::Failure;

/// Forget one person: every record, run, webhook and message of the person in a workspace, and the words that name the person
/// elsewhere. It cannot be undone.
#[derive(Args)]
#[command(after_help = "\
Examples:
  contactor erase acme ann@example.com --preview
  contactor erase acme ann@example.com --yes
  contactor erase acme ocQHyuzHvysMo5N5VsXc --yes      # one of several contacts with that address
  contactor erase acme office@example.com --all --yes  # all of them

When several contacts share the address or number, or one leads to the next by them, nothing is done: the answer lists their ids.
Of one that is given by its id everything goes, and what it shares with another contact stays.
HighLevel and the partners keep what they have: delete the person there first, or the next sync meets the person anew.
Backups of the database are not touched.")]
pub(crate) struct Arguments {
    /// The workspace's id.
    workspace: String,
    /// An id at HighLevel or a partner, an email address, or a phone number like +15550100.
    who: String,
    /// When several contacts share what is given: all of them.
    #[arg(long)]
    all: bool,
    /// Only tell what would be forgotten.
    #[arg(long, conflicts_with = "yes", required_unless_present = "yes")]
    preview: bool,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let request = EraseRequest { who: arguments.who, all: arguments.all, preview: arguments.preview };
    let erased = context.client()?.erase(&arguments.workspace, &request).await?;
    let lines = [
        ("contacts", erased.contacts.join(", ")),
        ("known as", erased.ids.iter().chain(&erased.words).cloned().collect::<Vec<_>>().join(", ")),
        ("links", erased.links.to_string()),
        ("webhooks", erased.events.to_string()),
        ("deletions", erased.deletions.to_string()),
        ("runs", erased.runs.to_string()),
        ("conflicts", erased.conflicts.to_string()),
        ("parked", erased.parked.to_string()),
        ("waiting", erased.waiting.to_string()),
        ("automations", erased.deliveries.to_string()),
        ("messages", erased.messages.to_string()),
        ("connectors' states", erased.states.to_string()),
        ("blanked elsewhere", erased.blanked.to_string()),
        ("other traces", erased.traces.to_string()),
        ("recordings, whoever they are of", erased.recordings.to_string()),
    ];
    context.out.one(&erased, &lines)?;
    let note = match (request.preview, request.all, erased.contacts.len()) {
        (false, ..) => "all of this is gone",
        (true, false, 2..) => {
            "nothing was changed: this is a preview of several contacts; give the id of one, or --all for all of them"
        }
        (true, ..) => "nothing was changed: this is a preview",
    };
    Ok(context.out.note(note)?)
}
