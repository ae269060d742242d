//! A double of Referrizer (referral, loyalty and marketing for local business): contacts, visits, loyalty rewards, redemptions.
//!
//! [`Referrizer`] is also the handle of a test: it shows records, counts the messages that the vendor would have sent to
//! customers, and acts as a person in the vendor's back office ([`AccountAct`]). No source tells of webhooks, so there are none.

mod config;
mod contacts;
mod emit;
mod error;
mod inspect;
mod page;
mod person;
mod rewards;
mod state;
mod visits;

use std::collections::VecDeque;
use std::sync::Mutex;

pub use self::config::{
    ContactOrder, CustomShape, DuplicateCode, Prefix, ReferrizerConfig, ReferrizerGuesses, Route,
};
use self::error::{Answer, Fault};
pub use self::person::AccountAct;
pub use self::state::Messages;
use self::state::State;
use crate::SandboxConfig;
use crate::clock::{Clock, Millis};
use crate::http::{Call, Reply, Vendor};
use crate::recorder::lock;

/// The double and its handle.
pub struct Referrizer {
    seed: u64,
    clock: Clock,
    config: ReferrizerConfig,
    token: Mutex<Option<String>>,
    guesses: Mutex<ReferrizerGuesses>,
    state: Mutex<State>,
    /// When the requests of the last minute came.
    times: Mutex<VecDeque<Millis>>,
}

impl std::fmt::Debug for Referrizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Referrizer")
            .field("contacts", &lock(&self.state).contacts.len())
            .finish_non_exhaustive()
    }
}

/// A change in progress.
struct Change<'a> {
    state: &'a mut State,
    guesses: &'a ReferrizerGuesses,
    now: Millis,
}

/// An operation and the id in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation<'p> {
    ListContacts,
    CreateContact,
    GetContact(&'p str),
    UpdateContact(&'p str),
    DeleteContact(&'p str),
    InviteContact(&'p str),
    CreateVisit,
    ListRewards,
    CreateReward,
    GetReward(&'p str),
    UpdateReward(&'p str),
    ListRedeems,
}

impl<'p> Operation<'p> {
    /// The operation of a path below `/referrizer`.
    fn of(guesses: &ReferrizerGuesses, method: &str, path: &'p str) -> Option<Self> {
        let below = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/'));
        let path = match guesses.prefix {
            Prefix::Both => below.unwrap_or(path),
            Prefix::V1 => below?,
            Prefix::None => path,
        };
        if guesses.create.fits(method, path).is_some() {
            return Some(Self::CreateContact);
        }
        if let Some(id) = guesses.update.fits(method, path) {
            return Some(Self::UpdateContact(id));
        }
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        Some(match (method, &parts[..]) {
            ("GET", ["contacts"]) => Self::ListContacts,
            ("GET", ["contacts", id]) if guesses.reads_one => Self::GetContact(id),
            ("DELETE", ["contacts", id]) if guesses.deletes => Self::DeleteContact(id),
            ("POST", ["contacts", id, "invite"]) if guesses.invites => Self::InviteContact(id),
            ("POST", ["visits"]) => Self::CreateVisit,
            ("GET", ["loyalty-rewards"]) => Self::ListRewards,
            ("POST", ["loyalty-rewards"]) => Self::CreateReward,
            ("GET", ["loyalty-rewards", "redeems"]) => Self::ListRedeems,
            ("GET", ["loyalty-rewards", id]) => Self::GetReward(id),
            ("PUT", ["loyalty-rewards", id]) => Self::UpdateReward(id),
            _ => return None,
        })
    }

    /// One of each kind; the ids do not matter.
    const ALL: [Self; 12] = [
        Self::ListContacts,
        Self::CreateContact,
        Self::GetContact(""),
        Self::UpdateContact(""),
        Self::DeleteContact(""),
        Self::InviteContact(""),
        Self::CreateVisit,
        Self::ListRewards,
        Self::CreateReward,
        Self::GetReward(""),
        Self::UpdateReward(""),
        Self::ListRedeems,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ListContacts => "referrizer.contacts.list",
            Self::CreateContact => "referrizer.contacts.create",
            Self::GetContact(_) => "referrizer.contacts.get",
            Self::UpdateContact(_) => "referrizer.contacts.update",
            Self::DeleteContact(_) => "referrizer.contacts.delete",
            Self::InviteContact(_) => "referrizer.contacts.invite",
            Self::CreateVisit => "referrizer.visits.create",
            Self::ListRewards => "referrizer.loyalty_rewards.list",
            Self::CreateReward => "referrizer.loyalty_rewards.create",
            Self::GetReward(_) => "referrizer.loyalty_rewards.get",
            Self::UpdateReward(_) => "referrizer.loyalty_rewards.update",
            Self::ListRedeems => "referrizer.redeems.list",
        }
    }
}

/// The names of all operations, for faults and counters.
pub fn operations() -> impl Iterator<Item = &'static str> {
    Operation::ALL.into_iter().map(Operation::name)
}

impl Referrizer {
    pub(crate) fn new(config: &SandboxConfig, clock: Clock) -> Self {
        let own = config.referrizer.clone();
        Self {
            seed: config.seed,
            clock,
            token: Mutex::new(Some(own.token.clone())),
            guesses: Mutex::new(own.guesses.clone()),
            state: Mutex::new(State::new(config.seed, &own.custom_fields)),
            times: Mutex::default(),
            config: own,
        }
    }

    fn handle(&self, call: &Call) -> Answer {
        let token = lock(&self.token).clone();
        match call.bearer() {
            None => return Err(Fault::MissingToken),
            Some(given) if token.as_deref() != Some(given) => return Err(Fault::BadToken),
            Some(_) => {}
        }
        let guesses = self.guesses();
        let operation = Operation::of(&guesses, call.method.as_str(), &call.path);
        let operation = operation.ok_or(Fault::NotFound("Path"))?;
        if !self.book(guesses.per_minute) {
            return Err(Fault::Limited);
        }
        self.change(|change| match operation {
            Operation::ListContacts => contacts::list(change, call),
            Operation::CreateContact => contacts::create(change, call),
            Operation::GetContact(id) => contacts::get(change, id),
            Operation::UpdateContact(id) => contacts::update(change, call, id),
            Operation::DeleteContact(id) => contacts::delete(change, id),
            Operation::InviteContact(id) => contacts::invite(change, call, id),
            Operation::CreateVisit => visits::create(change, call),
            Operation::ListRewards => rewards::list(change, call),
            Operation::CreateReward => rewards::create(change, call),
            Operation::GetReward(id) => rewards::get(change, id),
            Operation::UpdateReward(id) => rewards::update(change, call, id),
            Operation::ListRedeems => rewards::list_redeems(change, call),
        })
    }

    /// Books one request of this minute; false when the minute is used up.
    fn book(&self, per_minute: Option<u32>) -> bool {
        let Some(most) = per_minute else { return true };
        let now = self.clock.millis();
        let mut times = lock(&self.times);
        while times.front().is_some_and(|at| now - at >= 60_000) {
            times.pop_front();
        }
        let free = times.len() < most as usize;
        if free {
            times.push_back(now);
        }
        free
    }

    fn change<T>(&self, act: impl FnOnce(&mut Change<'_>) -> T) -> T {
        let guesses = self.guesses();
        let mut state = lock(&self.state);
        act(&mut Change { state: &mut state, guesses: &guesses, now: self.clock.millis() })
    }
}

impl Vendor for Referrizer {
    fn operation(&self, call: &Call) -> &'static str {
        Operation::of(&self.guesses(), call.method.as_str(), &call.path)
            .map_or("referrizer.unknown", Operation::name)
    }

    fn answer(&self, call: &Call) -> Reply {
        self.handle(call).unwrap_or_else(Fault::into_reply)
    }

    fn too_many_requests(&self, _call: &Call) -> Reply {
        Fault::Limited.into_reply()
    }

    fn revoke_credential(&self, _call: &Call) {
        *lock(&self.token) = None;
    }
}
