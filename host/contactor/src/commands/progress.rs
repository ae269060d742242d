//! The progress bar of a synchronisation.

use std::time::Duration;

use contactor_server::dto::SyncProgress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error; invisible when that is no terminal.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        // The template is a constant of this file; an unusable one would show in the test below.
        if let Ok(style) = style() {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(crate) fn show(&self, progress: &SyncProgress) {
        match progress.total {
            Some(total) => self.0.set_length(total),
            None => self.0.unset_length(),
        }
        self.0.set_position(done(progress));
        self.0.set_message(message(progress));
    }

    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

fn style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    ProgressStyle::with_template("{bar:30} {pos}/{len} contacts  {msg}")
}

/// A contact counts once it was read and its run is over.
fn done(progress: &SyncProgress) -> u64 {
    progress.seen.saturating_sub(progress.waiting)
}

fn message(progress: &SyncProgress) -> String {
    let mut parts = vec![format!("{} waiting", progress.waiting)];
    if let Some(other) = &progress.waits_for {
        parts.push(format!("waits for the backfill of {other}"));
    }
    if progress.parked > 0 {
        parts.push(format!("{} parked", progress.parked));
    }
    if let Some(left) = progress.quota_daily_remaining {
        parts.push(format!("HighLevel quota left {left}"));
    }
    if let Some(seconds) = progress.estimated_seconds {
        parts.push(format!("about {} left", indicatif::HumanDuration(Duration::from_secs(seconds))));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use contactor_server::dto::{ConnectionState, SyncEstimate};

    use super::*;

    fn progress() -> SyncProgress {
        SyncProgress {
            connection: "acme/prefinery".to_owned(),
            state: ConnectionState::Enabled,
            walking: true,
            seen: 300,
            total: Some(1_000),
            waiting: 40,
            parked: 0,
            links: 260,
            quota_daily_remaining: Some(199_000),
            estimated_seconds: Some(120),
            waits_for: None,
            estimate: SyncEstimate {
                highlevel_calls: 1_200,
                partner_calls: 1_200,
                minutes: 2.0,
                day_percent: 0.6,
            },
        }
    }

    #[test]
    fn the_template_is_sound() {
        assert!(style().is_ok());
    }

    #[test]
    fn the_bar_counts_what_is_done_and_not_what_was_only_read() {
        assert_eq!(done(&progress()), 260);
        assert_eq!(done(&SyncProgress { seen: 3, waiting: 9, ..progress() }), 0);
    }

    #[test]
    fn the_message_tells_what_waits_what_is_left_of_the_quota_and_how_long() {
        let text = message(&progress());
        for part in ["40 waiting", "199000", "about 2 minutes"] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
        assert!(!text.contains("parked"));
        let waits = SyncProgress { waits_for: Some("acme/connectif".to_owned()), ..progress() };
        assert!(message(&waits).contains("waits for the backfill of acme/connectif"));
        assert!(message(&SyncProgress { parked: 2, ..progress() }).contains("2 parked"));
    }
}
