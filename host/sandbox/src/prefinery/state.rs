//! Projects, testers, rewards and points.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::config::ProjectConfig;
use crate::clock::{Millis, iso_seconds};
use crate::random::Random;

/// Members of `profile` that are kept. `first_name` and `last_name` are of the v1 era; a phone field is unknown.
pub(super) const PROFILE: &[&str] =
    &["first_name", "last_name", "ip", "user_agent", "custom_var1", "custom_var2", "custom_var3"];

/// A person on the waitlist.
#[derive(Clone, Debug, Default)]
pub(super) struct Tester {
    pub(super) id: u64,
    pub(super) uuid: String,
    pub(super) email: String,
    pub(super) status: String,
    pub(super) invitation_code: Option<String>,
    pub(super) referral_code: String,
    /// Set at creation and never changed afterwards, as integrators report.
    pub(super) referrer_id: Option<u64>,
    pub(super) groups: String,
    pub(super) profile: BTreeMap<&'static str, String>,
    pub(super) responses: Option<Value>,
    pub(super) imported_at: Option<Millis>,
    pub(super) applied_at: Option<Millis>,
    pub(super) invited_at: Option<Millis>,
    pub(super) joined_at: Option<Millis>,
    pub(super) unsubscribed_at: Option<Millis>,
    pub(super) waitlist_position: Option<usize>,
    pub(super) share_signups: u64,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
    /// When lists and searches show it; `None` waits for a release.
    pub(super) visible_from: Option<Millis>,
}

/// A reward of a tester.
#[derive(Clone, Debug)]
pub(super) struct Reward {
    pub(super) id: u64,
    pub(super) user_id: u64,
    pub(super) name: String,
    pub(super) status: &'static str,
    pub(super) earned_at: Millis,
    pub(super) delivered_at: Option<Millis>,
    pub(super) revoked_at: Option<Millis>,
}

/// Points of a tester.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) id: u64,
    pub(super) user_id: u64,
    pub(super) quantity: i64,
    pub(super) activity: &'static str,
    pub(super) reason: Option<String>,
    pub(super) created_at: Millis,
}

/// Emails the vendor would have sent: the proof that a connector sent none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Mails {
    /// Invitations, sent when `invited` is written.
    pub invitations: u64,
    /// Rejections, sent when `rejected` is written.
    pub rejections: u64,
    /// Invitations of friends.
    pub friend_invitations: u64,
}

/// One project.
#[derive(Debug)]
pub(super) struct Project {
    pub(super) config: ProjectConfig,
    pub(super) testers: BTreeMap<u64, Tester>,
    by_email: HashMap<String, u64>,
    by_uuid: HashMap<String, u64>,
    pub(super) rewards: Vec<Reward>,
    pub(super) points: Vec<Point>,
    pub(super) mails: Mails,
    pub(super) waiting: usize,
    next_id: u64,
    random: Random,
}

impl Project {
    pub(super) fn new(config: ProjectConfig, seed: u64) -> Self {
        let random = Random::new(seed, &format!("prefinery project {}", config.id));
        Self {
            // Ids of different projects look different, as at the vendor.
            next_id: config.id * 1_000_000 + 1,
            config,
            testers: BTreeMap::new(),
            by_email: HashMap::new(),
            by_uuid: HashMap::new(),
            rewards: Vec::new(),
            points: Vec::new(),
            mails: Mails::default(),
            waiting: 0,
            random,
        }
    }

    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// A short code, as for invitations and referrals.
    pub(super) fn new_code(&mut self) -> String {
        self.random.id(8).to_lowercase()
    }

    pub(super) fn new_uuid(&mut self) -> String {
        self.random.uuid()
    }

    /// By number or by UUID: clients use both in the path.
    pub(super) fn tester(&self, id: &str) -> Option<&Tester> {
        let number = id.parse().ok().or_else(|| self.by_uuid.get(id).copied())?;
        self.testers.get(&number)
    }

    /// By email, ignoring case.
    pub(super) fn by_email(&self, email: &str) -> Option<&Tester> {
        self.testers.get(self.by_email.get(&email.to_lowercase())?)
    }

    pub(super) fn put(&mut self, tester: Tester) {
        if let Some(old) = self.testers.get(&tester.id) {
            self.by_email.remove(&old.email.to_lowercase());
        }
        self.by_email.insert(tester.email.to_lowercase(), tester.id);
        self.by_uuid.insert(tester.uuid.clone(), tester.id);
        self.testers.insert(tester.id, tester);
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Tester> {
        let tester = self.testers.remove(&id)?;
        self.by_email.remove(&tester.email.to_lowercase());
        self.by_uuid.remove(&tester.uuid);
        Some(tester)
    }

    pub(super) fn to_json(&self) -> Value {
        let count = |status: &str| self.testers.values().filter(|tester| tester.status == status).count();
        json!({
            "id": self.config.id, "name": self.config.name, "homepage_url": "https://waitlist.example.com",
            "testers_count": self.testers.len(), "impressions_count": 0, "share_clicks_count": 0,
            "share_signups_count": self.testers.values().map(|tester| tester.share_signups).sum::<u64>(),
            "imported_testers_count": count("imported"), "applied_testers_count": count("applied"),
            "invited_testers_count": count("invited"), "active_testers_count": count("active"),
            "rejected_testers_count": count("rejected"), "created_at": "2025-01-01T00:00:00Z",
            "updated_at": "2025-01-01T00:00:00Z",
        })
    }

    pub(super) fn tester_json(&self, tester: &Tester) -> Value {
        let at = |at: Option<Millis>| at.map(iso_seconds);
        let profile: Map<String, Value> =
            PROFILE.iter().map(|name| ((*name).to_owned(), json!(tester.profile.get(name)))).collect();
        let position = tester.waitlist_position;
        let referred_by = tester.referrer_id.and_then(|id| self.testers.get(&id)).map(|by| &by.email);
        let mut shown = json!({
            "id": tester.id, "uuid": tester.uuid, "email": tester.email, "status": tester.status,
            "invitation_code": tester.invitation_code,
            "imported_at": at(tester.imported_at), "applied_at": at(tester.applied_at),
            "invited_at": at(tester.invited_at), "joined_at": at(tester.joined_at),
            "unsubscribed_at": at(tester.unsubscribed_at),
            "share_clicks_count": 0, "share_signups_count": tester.share_signups,
            "friend_invitations_allowed": 5, "friend_invitations_count": 0, "friend_invitations_remaining": 5,
            "referral_code": tester.referral_code,
            "share_link": format!("https://waitlist.example.com/?r={}", tester.referral_code),
            "share_status_link": format!("https://waitlist.example.com/status/{}", tester.referral_code),
            "waitlist_position": position, "waitlist_ahead": position.map(|position| position - 1),
            "waitlist_behind": position.map(|position| self.waiting - position), "waitlist_length": self.waiting,
            "referred_by": referred_by, "groups": tester.groups, "profile": profile,
            "created_at": iso_seconds(tester.created_at), "updated_at": iso_seconds(tester.updated_at),
        });
        if let Some(responses) = &tester.responses {
            shown["responses"] = responses.clone();
        }
        shown
    }
}

impl Reward {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.id, "descriptor": self.name, "name": self.name, "type": "SingleSided",
            "user_role": "referrer", "user_id": self.user_id, "status": self.status,
            "earned_at": iso_seconds(self.earned_at), "delivered_at": self.delivered_at.map(iso_seconds),
            "revoked_at": self.revoked_at.map(iso_seconds),
        })
    }
}

impl Point {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.id, "quantity": self.quantity, "activity": self.activity, "reason": self.reason,
            "user_id": self.user_id, "created_at": iso_seconds(self.created_at),
        })
    }
}
