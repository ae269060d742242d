//! Clean-up rules: whom the connector leaves alone, and why, in words for the admin.

use contactor_sdk::{Direction, Fields, Named, admission};

use crate::settings::Settings;

/// The reason to leave a record alone, if there is one.
pub(crate) fn objection(settings: &Settings, direction: Direction, source: &Fields) -> Option<String> {
    admission::email(source, &settings.blocked_domains).or_else(|| match direction {
        Direction::ToPartner => admission::consent(source),
        Direction::ToHighlevel => tester(source),
    })
}

fn tester(tester: &Fields) -> Option<String> {
    if tester.text("unsubscribed_at").is_some() {
        return Some("the tester has unsubscribed in Prefinery".into());
    }
    (tester.text("status") == Some("rejected")).then(|| "the tester was rejected in Prefinery".into())
}
