//! `contactor vault rotate`: exchanging keys, and waiting for it.

use std::time::Duration;

use contactor_server::dto::{RotateKeys, VaultStatus};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{note_next, show};
use crate::commands::Context;
use crate::exit::{Exit, Failure};

/// How often the host is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// Exchange keys while the host works. The host goes on when this command is interrupted, and after a restart it continues by itself;
/// the same command again waits for the rest.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  contactor vault rotate                       use the first key of the source, and new data keys
  contactor vault rotate --keys wrapping       only the first: takes moments, whatever is sealed stays as it is
  contactor vault rotate --keys data --no-wait     only the second, in the background")]
pub(crate) struct Args {
    /// Which keys.
    #[arg(long, value_enum, default_value = "all")]
    keys: KeysArg,
    /// Start it and return at once.
    #[arg(long)]
    no_wait: bool,
}

/// Which keys are exchanged.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum KeysArg {
    /// Read the source again and wrap the data keys with its first key.
    Wrapping,
    /// Give every workspace a new data key and seal everything anew.
    Data,
    /// Both.
    All,
}

impl From<KeysArg> for RotateKeys {
    fn from(keys: KeysArg) -> Self {
        match keys {
            KeysArg::Wrapping => Self::Wrapping,
            KeysArg::Data => Self::Data,
            KeysArg::All => Self::All,
        }
    }
}

pub(crate) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let client = context.client()?;
    let mut status = client.rotate_keys(args.keys.into()).await?;
    let bar = bar(context.out.quiet, left(&status));
    while !(args.no_wait || status.done) {
        if let (false, Some(why)) = (status.running, &status.stopped) {
            bar.finish_and_clear();
            return Err(Failure::say(
                Exit::Failed,
                format_args!("the host has stopped, and tries again by itself: {why}"),
            ));
        }
        tokio::time::sleep(LOOK).await;
        status = client.vault().await?;
        bar.set_position(bar.length().unwrap_or_default().saturating_sub(left(&status)));
    }
    bar.finish_and_clear();
    show(context, &status)?;
    note_next(context, &status)?;
    if status.done && status.unopenable > 0 {
        return Err(Failure::say(
            Exit::Failed,
            format_args!(
                "{} rows do not open, and are as they were; the rest is under the current keys",
                status.unopenable
            ),
        ));
    }
    Ok(())
}

/// What is to be done: keys to be wrapped, keys to be replaced with what they seal, and rows.
fn left(status: &VaultStatus) -> u64 {
    let older: u64 = status.sealed.iter().map(|count| count.older).sum();
    let behind: u64 = match status.to_replace {
        0 => older,
        // What is to be sealed anew is known for certain once the keys are replaced.
        _ => status.sealed.iter().map(|count| count.current + count.older).sum(),
    };
    status.to_rewrap + status.to_replace + behind
}

fn bar(quiet: bool, length: u64) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    // The template is a constant of this file; an unusable one would show in the test below.
    if let Ok(style) = style() {
        bar.set_style(style);
    }
    bar
}

fn style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    ProgressStyle::with_template("{bar:30} {pos}/{len} keys and rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_sound() {
        assert!(style().is_ok());
    }
}
