//! What people read. Pure.

use std::fmt::Write as _;

use contactor_store::{Alert, AlertKind, WorkspaceId};
use jiff::Timestamp;
use serde_json::{Map, json};

use super::decide::News;
use crate::notify::Content;
use crate::recorder::cut;

/// Alerts that one message tells in full.
const MOST: usize = 20;
/// Bytes of one alert's text.
const TEXT: usize = 600;

/// A message about everything that happened since the last.
pub(super) fn content(workspace: &WorkspaceId, news: &[(News, Alert)], now: Timestamp) -> Content {
    let title = match news {
        [(news, alert)] => format!("{workspace}: {} {}", word(*news), name(alert)),
        _ => format!("{workspace}: {} alerts", news.len()),
    };
    let mut text = String::new();
    for (news, alert) in news.iter().take(MOST) {
        let _ = writeln!(text, "{} {}: {}", word(*news), name(alert), cut(alert.text.clone(), TEXT));
    }
    if news.len() > MOST {
        let _ = writeln!(text, "… and {} more", news.len() - MOST);
    }
    let _ = write!(text, "All of them: contactor alerts list {workspace}");
    let alerts = news.iter().take(MOST).map(|(news, alert)| {
        json!({
            "news": word(*news),
            "key": alert.key,
            "kind": alert.kind,
            "connection": alert.connection,
            "level": alert.level,
            "since": alert.since.to_string(),
            "text": cut(alert.text.clone(), TEXT),
        })
    });
    let alerts: Vec<_> = alerts.collect();
    let data =
        Map::from_iter([("workspace".to_owned(), json!(workspace)), ("alerts".to_owned(), json!(alerts))]);
    Content { kind: "contactor.alert".to_owned(), title, text, data, at: now }
}

fn word(news: News) -> &'static str {
    match news {
        News::Begins => "ALERT",
        News::Worse => "WORSE",
        News::Ends => "OVER",
    }
}

fn name(alert: &Alert) -> String {
    let what = match alert.kind {
        AlertKind::NeedsReconnect => "needs to be reconnected",
        AlertKind::Paused => "is paused",
        AlertKind::MassChange => "was stopped by the mass-change guard",
        AlertKind::Reverted => "had another version on trial, which was taken back",
        AlertKind::Degraded => "is degraded",
        AlertKind::Parked => "has parked records",
        AlertKind::Deletes => "deletions wait for a decision",
        AlertKind::Quota => "quota",
        AlertKind::Stale => "is behind",
        AlertKind::Silence => "no webhooks",
        AlertKind::MissedWebhooks => "webhooks are missing",
    };
    match &alert.connection {
        Some(connection) => format!("{connection} {what}"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(text: &str) -> Alert {
        Alert {
            key: "parked:1".to_owned(),
            kind: AlertKind::Parked,
            connection: Some(contactor_store::ConnectionId::new("acme/prefinery")),
            level: 1,
            text: text.to_owned(),
            since: Timestamp::UNIX_EPOCH,
            clear_since: None,
            told: None,
            said_at: None,
            ended_at: None,
        }
    }

    #[test]
    fn one_alert_is_in_the_title_and_many_are_counted() {
        let workspace = WorkspaceId::new("acme");
        let one = content(&workspace, &[(News::Begins, alert("3 contacts"))], Timestamp::UNIX_EPOCH);
        assert_eq!(one.title, "acme: ALERT acme/prefinery has parked records");
        assert!(one.text.contains("3 contacts") && one.text.contains("contactor alerts list acme"));
        let many: Vec<_> = (0..50).map(|_| (News::Ends, alert(&"x".repeat(10_000)))).collect();
        let many = content(&workspace, &many, Timestamp::UNIX_EPOCH);
        assert_eq!(many.title, "acme: 50 alerts");
        assert!(many.text.len() < 16 * 1024 && many.text.contains("30 more"), "{}", many.text.len());
    }
}
