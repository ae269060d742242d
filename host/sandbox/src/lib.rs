//! Faithful doubles of HighLevel and of the partners, with faults on demand.
//!
//! A double here is *at least* as strict and as surprising as the vendor: what the vendor documents, what was seen in
//! recorded answers, and what integrators reported are all reproduced, and where the vendor's behaviour is not known
//! the nastier reading is the default. Every choice can be switched where the sources disagree.
//!
//! ```no_run
//! # async fn example() -> Result<(), contactor_sandbox::SandboxError> {
//! use contactor_sandbox::{Sandbox, SandboxConfig, faults::{Effect, Fault}};
//!
//! let sandbox = Sandbox::start(SandboxConfig::for_tests()).await?;
//! // The next create succeeds, but its answer is lost.
//! sandbox.faults().add(Fault::next(1, "highlevel.contacts.create", Effect::Drop { after: true }));
//! println!("{} {}", sandbox.highlevel_url(), sandbox.highlevel().private_token());
//! sandbox.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! One listener serves everything: HighLevel at the root, each partner below its name, the control API below
//! `/_control` (documented in [`control`]).
//!
//! * [`formbuilder`]: logins, forms, submissions, groups, users, webhooks.
//! * [`highlevel`]: locations, tokens, the 32 contact operations and their neighbours, webhooks.
//! * [`identity`]: a provider of logins.
//! * [`inbox`]: where the messages of a host arrive.
//! * [`connectif`]: contacts by email, custom fields, events, exports, calls of workflows.
//! * [`pheedloop`]: events, attendees, registrations, members, REST hooks.
//! * [`prefinery`]: projects, testers, rewards, points, webhooks.
//! * [`referrizer`]: contacts, visits, loyalty rewards, redemptions.
//! * [`faults`], [`outbox`]: what goes wrong on the way in and on the way out.
//! * [`recorder`]: what was asked and how often. [`people`]: sample people.

pub mod clock;
pub mod connectif;
pub mod control;
pub mod faults;
pub mod formbuilder;
pub mod highlevel;
pub mod identity;
pub mod inbox;
pub mod outbox;
pub mod people;
pub mod pheedloop;
pub mod prefinery;
pub mod random;
pub mod recorder;
pub mod referrizer;

/// The names of the doubles, as the control API takes them.
pub const DOUBLES: [&str; 6] =
    ["highlevel", "connectif", "formbuilder", "pheedloop", "prefinery", "referrizer"];

mod browse;
mod http;
mod server;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::connectif::{Connectif, ConnectifConfig};
use crate::faults::Faults;
use crate::formbuilder::{FormBuilder, FormBuilderConfig};
use crate::highlevel::{HighLevel, HighLevelConfig};
use crate::identity::{IdentityConfig, IdentityProvider};
use crate::inbox::Inbox;
use crate::outbox::Mode;
use crate::pheedloop::{PheedLoop, PheedLoopConfig};
use crate::prefinery::{Prefinery, PrefineryConfig};
use crate::recorder::Recorder;
use crate::referrizer::{Referrizer, ReferrizerConfig};

/// How a sandbox behaves.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Where to listen; port 0 picks a free one. Keep it on loopback: the control API asks nobody who they are.
    pub listen: SocketAddr,
    /// Decides ids, sample people, keys and chance faults.
    pub seed: u64,
    /// Where the clock stands still until it is advanced; `None` follows the machine's clock.
    pub frozen_at: Option<Timestamp>,
    /// How many recent requests are kept; 0 switches the record off (counters stay).
    pub recent_requests: usize,
    /// When webhooks leave.
    pub webhooks: Mode,
    /// Webhooks under way at once in [`Mode::Automatic`]; 1 keeps their order.
    pub webhook_concurrency: usize,
    /// The 123FormBuilder double.
    pub formbuilder: FormBuilderConfig,
    /// The HighLevel double.
    pub highlevel: HighLevelConfig,
    /// The identity provider.
    pub identity: IdentityConfig,
    /// The Connectif double.
    pub connectif: ConnectifConfig,
    /// The PheedLoop double.
    pub pheedloop: PheedLoopConfig,
    /// The Prefinery double.
    pub prefinery: PrefineryConfig,
    /// The Referrizer double.
    pub referrizer: ReferrizerConfig,
}

impl Default for SandboxConfig {
    /// Loopback, a free port, the machine's clock, the vendors' limits and their nastier habits.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            frozen_at: None,
            recent_requests: 1_000,
            webhooks: Mode::Automatic,
            webhook_concurrency: 1,
            formbuilder: FormBuilderConfig::default(),
            highlevel: HighLevelConfig::default(),
            identity: IdentityConfig::default(),
            connectif: ConnectifConfig::default(),
            pheedloop: PheedLoopConfig::default(),
            prefinery: PrefineryConfig::default(),
            referrizer: ReferrizerConfig::default(),
        }
    }
}

impl SandboxConfig {
    /// For tests: time stands still at 2026-11-21T08:00:00Z and webhooks leave only when flushed.
    pub fn for_tests() -> Self {
        Self {
            frozen_at: Timestamp::from_second(1_795_248_000).ok(),
            webhooks: Mode::OnFlush,
            ..Self::default()
        }
    }

    /// For benchmarks: no limits, no lag, no record of requests, many webhooks at once.
    pub fn free_of_cost() -> Self {
        Self {
            recent_requests: 0,
            webhook_concurrency: 32,
            highlevel: HighLevelConfig::free_of_cost(),
            connectif: ConnectifConfig::free_of_cost(),
            prefinery: PrefineryConfig::free_of_cost(),
            referrizer: ReferrizerConfig::free_of_cost(),
            ..Self::default()
        }
    }
}

/// Why a sandbox could not start or do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address is taken or not ours.
    #[error("the sandbox cannot listen on {address}: {source}; choose another address or port 0")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No HTTP client for webhooks.
    #[error("the sandbox cannot build its webhook client: {0}")]
    Client(#[from] reqwest::Error),
    /// The caller named something that does not exist.
    #[error("the sandbox has no {what} `{id}`; create it first or check the id")]
    Unknown {
        /// Location, contact, task, project, …
        what: &'static str,
        /// The id that was asked for.
        id: String,
    },
    /// The vendor's own interface would refuse this.
    #[error("the vendor would refuse this: {0}")]
    Refused(String),
    /// A trigger that no act of a person or a record sets off here.
    #[error("nothing here sets off a trigger `{0}`")]
    NoTrigger(String),
    /// The control request made no sense.
    #[error("the sandbox does not understand the instruction: {0}")]
    Instruction(String),
}

/// Everything that the server, the control API and the handles share.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    pub(crate) formbuilder: Arc<FormBuilder>,
    pub(crate) highlevel: Arc<HighLevel>,
    pub(crate) identity: Arc<IdentityProvider>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) connectif: Arc<Connectif>,
    pub(crate) pheedloop: Arc<PheedLoop>,
    pub(crate) prefinery: Arc<Prefinery>,
    pub(crate) referrizer: Arc<Referrizer>,
}

impl World {
    fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let clock = config.frozen_at.map_or_else(Clock::running, Clock::frozen);
        let client = outbox::client()?;
        Ok(Self {
            faults: Faults::new(config.seed),
            recorder: Recorder::new(config.recent_requests),
            formbuilder: Arc::new(FormBuilder::new(config, clock.clone(), client.clone())),
            highlevel: Arc::new(HighLevel::new(config, clock.clone(), client.clone())),
            identity: Arc::new(IdentityProvider::new(config, clock.clone())),
            inbox: Arc::new(Inbox::new(config.seed, clock.clone())),
            connectif: Arc::new(Connectif::new(config, clock.clone(), client.clone())),
            pheedloop: Arc::new(PheedLoop::new(config, clock.clone(), client.clone())),
            prefinery: Arc::new(Prefinery::new(config, clock.clone(), client)),
            referrizer: Arc::new(Referrizer::new(config, clock.clone())),
            clock,
        })
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
        self.formbuilder.webhooks().wake();
        self.highlevel.webhooks().wake();
        self.connectif.webhooks().wake();
        self.pheedloop.webhooks().wake();
        self.prefinery.webhooks().wake();
    }

    /// Back to the state after start, except for webhook targets and the clock.
    pub(crate) fn reset(&self) {
        self.faults.clear();
        self.recorder.clear();
        self.formbuilder.reset();
        self.highlevel.reset();
        self.identity.reset();
        self.inbox.reset();
        self.connectif.reset();
        self.pheedloop.reset();
        self.prefinery.reset();
        self.referrizer.reset();
    }
}

/// A running sandbox. Dropping it stops the server as well, without waiting.
pub struct Sandbox {
    world: Arc<World>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts the doubles.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        let address = config.listen;
        let listen_error = |source| SandboxError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let world = Arc::new(World::new(&config)?);
        world.identity.answers_at(format!("http://{address}{}", server::IDENTITY));
        let stop = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(server::run(listener, Arc::clone(&world), stop.clone())),
            tokio::spawn(Arc::clone(world.formbuilder.webhooks()).work(stop.clone())),
            tokio::spawn(Arc::clone(world.highlevel.webhooks()).work(stop.clone())),
            tokio::spawn(Arc::clone(world.connectif.webhooks()).work(stop.clone())),
            tokio::spawn(Arc::clone(world.pheedloop.webhooks()).work(stop.clone())),
            tokio::spawn(Arc::clone(world.prefinery.webhooks()).work(stop.clone())),
        ];
        Ok(Self { world, address, stop, tasks })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Base URL of the 123FormBuilder double, without a trailing slash. The vendor's is
    /// `https://api.123formbuilder.com/v2`.
    pub fn formbuilder_url(&self) -> String {
        format!("http://{}{}/v2", self.address, server::FORMBUILDER)
    }

    /// Base URL of the HighLevel double, without a trailing slash. The vendor's is `https://services.leadconnectorhq.com`.
    pub fn highlevel_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Address below which messages arrive: `/chat/<name>`, `/webhook/<name>`, `/board/<name>`.
    pub fn inbox_url(&self) -> String {
        format!("http://{}{}", self.address, server::INBOX)
    }

    /// Base URL of the PheedLoop double, without the organisation and a trailing slash. The vendor's is
    /// `https://api.pheedloop.com/api/v3/organization`.
    pub fn pheedloop_url(&self) -> String {
        format!("http://{}{}/api/v3/organization", self.address, server::PHEEDLOOP)
    }

    /// Base URL of the Connectif double, without a trailing slash. The vendor's is `https://api.connectif.cloud`.
    pub fn connectif_url(&self) -> String {
        format!("http://{}{}", self.address, server::CONNECTIF)
    }

    /// Base URL of the Prefinery double, without a trailing slash. The vendor's is `https://api.prefinery.com/api/v2`.
    pub fn prefinery_url(&self) -> String {
        format!("http://{}{}/api/v2", self.address, server::PREFINERY)
    }

    /// Base URL of the Referrizer double, without a trailing slash. The vendor's is `https://api.referrizer.com`.
    pub fn referrizer_url(&self) -> String {
        format!("http://{}{}", self.address, server::REFERRIZER)
    }

    /// Base URL of the control API; `GET` it for an index.
    pub fn control_url(&self) -> String {
        format!("http://{}{}", self.address, server::CONTROL)
    }

    /// The 123FormBuilder double.
    pub fn formbuilder(&self) -> &FormBuilder {
        &self.world.formbuilder
    }

    /// The HighLevel double: inspection, and acts of a person in the vendor's own interface.
    pub fn highlevel(&self) -> &HighLevel {
        &self.world.highlevel
    }

    /// The identity provider.
    pub fn identity(&self) -> &IdentityProvider {
        &self.world.identity
    }

    /// What arrived of a host's messages.
    pub fn inbox(&self) -> &Inbox {
        &self.world.inbox
    }

    /// The PheedLoop double.
    pub fn pheedloop(&self) -> &PheedLoop {
        &self.world.pheedloop
    }

    /// The Connectif double.
    pub fn connectif(&self) -> &Connectif {
        &self.world.connectif
    }

    /// The Prefinery double.
    pub fn prefinery(&self) -> &Prefinery {
        &self.world.prefinery
    }

    /// The Referrizer double.
    pub fn referrizer(&self) -> &Referrizer {
        &self.world.referrizer
    }

    /// What every double still has to send.
    pub fn outboxes(&self) -> Vec<&outbox::Outbox> {
        vec![
            self.world.connectif.webhooks(),
            self.world.formbuilder.webhooks(),
            self.world.highlevel.webhooks(),
            self.world.pheedloop.webhooks(),
            self.world.prefinery.webhooks(),
        ]
    }

    /// Faults on requests.
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// Counters and recent requests.
    pub fn recorder(&self) -> &Recorder {
        &self.world.recorder
    }

    /// The sandbox's clock.
    pub fn clock(&self) -> &Clock {
        &self.world.clock
    }

    /// Lets time pass: tokens age, indexes catch up, retries become due.
    pub fn advance(&self, by: SignedDuration) {
        self.world.advance(by);
    }

    /// Forgets every record, fault, counter and webhook; configuration, targets and the clock stay.
    pub fn reset(&self) {
        self.world.reset();
    }

    /// Stops listening, closes connections and waits until everything has ended.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        for task in self.tasks.drain(..) {
            let _ = task.await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
