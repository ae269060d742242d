//! What can go wrong, by phase, with the blame in the type: starting, inspecting, loading, calling.

use std::time::Duration;

use crate::{Digest, StructureBound};

/// Why a [`crate::Runtime`] did not start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// A setting cannot work.
    #[error("runtime configuration: {what}")]
    Config {
        /// The setting and what it may be.
        what: &'static str,
    },
    /// Wasmtime refused. There is no slower mode to fall back to.
    #[error(
        "the sandbox engine did not start: {0}; check the limit on address space (ulimit -v) and lower max_instances"
    )]
    Engine(String),
    /// The thread that ends endless guests could not be started.
    #[error("the thread that keeps the guests' time did not start")]
    Ticker(#[source] std::io::Error),
    /// The threads for guests that compute for long, or those that compile, could not be started.
    #[error("the threads for what takes long did not start")]
    Threads(#[source] std::io::Error),
    /// The cache directory cannot be used.
    #[error("the cache of compiled components cannot be used")]
    Cache(#[source] std::io::Error),
}

/// Why a file is no connector. Nothing of it was run or compiled.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It is something else.
    #[error(
        "this is {what}, not a WebAssembly component in its binary form; build it with `contactor connector build`"
    )]
    NotAComponent {
        /// What it looks like.
        what: &'static str,
    },
    /// It begins like a component and then breaks.
    #[error("the component is damaged at byte {offset}: {reason}")]
    Malformed {
        /// Where.
        offset: usize,
        /// The parser's words.
        reason: String,
    },
    /// Compiling it could cost more than any connector is worth.
    #[error(
        "the component has {value} {bound}, at most {limit} are compiled; build it with `contactor connector build`, and split what is \
         that large"
    )]
    TooComplex {
        /// What there is too much of.
        bound: StructureBound,
        /// How much there is, as far as it was counted.
        value: u64,
        /// The most that is compiled.
        limit: u64,
    },
    /// It carries no manifest.
    #[error(
        "the component carries no manifest; build it with `contactor connector build`, which embeds connector.toml"
    )]
    NoManifest,
    /// Its manifest section cannot be used.
    #[error("{0}")]
    Section(contactor_manifest::SectionError),
    /// Its manifest is wrong.
    #[error("the component's manifest is wrong: {0}")]
    Manifest(contactor_manifest::ManifestError),
}

/// Why a connector was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is too big to look at.
    #[error(
        "the component has {size} bytes, this host takes at most {max}; build it with `contactor connector build` or raise the limit"
    )]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The host's limit in bytes.
        max: usize,
    },
    /// These are not the bytes that were approved.
    #[error(
        "the component's digest is {actual}, approved was {expected}: these are other bytes; approve them or restore the file"
    )]
    WrongDigest {
        /// The digest that was approved.
        expected: Digest,
        /// The digest of the bytes.
        actual: Digest,
    },
    /// It is no connector.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// It was built for a newer host.
    #[error("{reason}")]
    HostVersion {
        /// The connector's id.
        connector: String,
        /// The manifest's reason, which names the connector and the supported range.
        reason: Box<contactor_manifest::UnsupportedHost>,
    },
    /// It imports something that this host does not have.
    #[error(
        "connector {connector} imports {import}, which this host does not offer; it offers the interfaces of \
         contactor:connector@{offered} and no WASI"
    )]
    UnknownImport {
        /// The connector's id.
        connector: String,
        /// The import's full name.
        import: String,
        /// The version of the interface package that the host serves.
        offered: &'static str,
    },
    /// It imports something that the admin withheld.
    #[error(
        "connector {connector} imports the interface `{interface}`, which was not granted to it; grant it or refuse the connector"
    )]
    NotGranted {
        /// The connector's id.
        connector: String,
        /// The interface's short name.
        interface: String,
    },
    /// It lacks exports.
    #[error("connector {connector} does not export {}; rebuild it with this host's SDK (interface {offered})", missing.join(", "))]
    MissingExports {
        /// The connector's id.
        connector: String,
        /// The full names of what is missing.
        missing: Vec<String>,
        /// The version of the interface package that the host serves.
        offered: &'static str,
    },
    /// It is not valid WebAssembly, or uses more than the engine allows.
    #[error("connector {connector} does not compile: {reason}")]
    Compile {
        /// The connector's id.
        connector: String,
        /// The compiler's words.
        reason: String,
    },
    /// It keeps the compiler busy for too long.
    #[error("connector {connector} was not compiled within {after:?}; make it smaller or raise the limit")]
    CompileTimeout {
        /// The connector's id.
        connector: String,
        /// How long the load waited.
        after: Duration,
    },
    /// Its imports or exports have the right names and wrong types.
    #[error(
        "connector {connector} does not fit the interface {offered}: {reason}; rebuild it with this host's SDK"
    )]
    Link {
        /// The connector's id.
        connector: String,
        /// The linker's words.
        reason: String,
        /// The version of the interface package that the host serves.
        offered: &'static str,
    },
    /// The host failed.
    #[error("connector {connector} was not loaded because the host failed: {fault}")]
    Host {
        /// The connector's id.
        connector: String,
        /// What failed.
        #[source]
        fault: HostFault,
    },
}

/// Whose fault a failed call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The connector's: its author has to look.
    Guest,
    /// Ours: the operator has to look.
    Host,
}

/// Why a call did not come back with the connector's own answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The connector did something that it must not do.
    #[error("connector {connector}, {export}: {fault}")]
    Guest {
        /// The connector's id.
        connector: String,
        /// The export that was called.
        export: &'static str,
        /// What it did.
        #[source]
        fault: GuestFault,
    },
    /// The host failed; the connector may be fine.
    #[error("connector {connector}, {export}: {fault}")]
    Host {
        /// The connector's id.
        connector: String,
        /// The export that was called.
        export: &'static str,
        /// What failed.
        #[source]
        fault: HostFault,
    },
}

impl CallError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Guest { .. } => Blame::Guest,
            Self::Host { .. } => Blame::Host,
        }
    }
}

/// What a connector did wrong. Its instance is gone; the next call gets a fresh one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuestFault {
    /// It panicked or broke a rule of WebAssembly.
    #[error("it crashed ({reason}); its last log lines may say why, its author has to mend it")]
    Trap {
        /// Wasmtime's short name for it, without a back trace.
        reason: String,
    },
    /// It computed for too long.
    #[error(
        "it computed for longer than its {limit:?}; if it is no endless loop, ask for less in one call or raise limits.cpu_ms"
    )]
    Cpu {
        /// The limit, without the time it spent waiting for the host.
        limit: Duration,
    },
    /// The call took too long, waiting included.
    #[error("it was not done within {limit:?}; ask for less in one call or raise limits.call_timeout_ms")]
    Timeout {
        /// The limit for the whole call.
        limit: Duration,
    },
    /// It wanted too much memory.
    #[error(
        "it wanted {wanted} bytes of memory, its limit is {limit}; raise limits.memory_mib or hold less at a time"
    )]
    Memory {
        /// What it would have had in bytes, over all its memories.
        wanted: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// It wanted a table that is too big.
    #[error("it wanted a table of {wanted} elements, the limit is {limit}; its author has to mend it")]
    Table {
        /// Elements that it would have had, over all its tables.
        wanted: usize,
        /// The limit.
        limit: usize,
    },
    /// It called the host too often.
    #[error("it called the host more than {limit} times; ask for more at a time or raise limits.host_calls")]
    HostCalls {
        /// The limit.
        limit: u32,
    },
    /// It exchanged too much data with the host in one call.
    #[error(
        "it exchanged more than {limit} bytes with the host; ask for less in one call or raise limits.traffic_mib"
    )]
    Traffic {
        /// The limit in bytes, both directions together.
        limit: usize,
    },
    /// It passed too much data at once, as an argument or as its result.
    #[error("it passed more than {limit} bytes at once; it has to split the data")]
    Message {
        /// The limit in bytes for one argument list or one result.
        limit: usize,
    },
    /// It passed data that the interface does not allow: a text that is not UTF-8, a pointer outside its memory, ….
    #[error("it passed data that breaks the interface ({reason}); its author has to mend it")]
    BadData {
        /// Wasmtime's words, without the data.
        reason: String,
    },
}

impl GuestFault {
    /// A short, fixed name for metrics and for a run's record.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Trap { .. } => "trap",
            Self::Cpu { .. } => "cpu",
            Self::Timeout { .. } => "timeout",
            Self::Memory { .. } => "memory",
            Self::Table { .. } => "table",
            Self::HostCalls { .. } => "host-calls",
            Self::Traffic { .. } => "traffic",
            Self::Message { .. } => "message",
            Self::BadData { .. } => "bad-data",
        }
    }
}

/// What failed on our side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostFault {
    /// No slot came free. Nothing was run; trying again later is safe.
    #[error(
        "all {slots} sandboxes stayed busy for {waited:?}; nothing was run, it is tried again; raise max_instances if this lasts"
    )]
    PoolBusy {
        /// Slots of the pool.
        slots: u32,
        /// How long the call waited.
        waited: Duration,
    },
    /// The compiler is busy with other components. Nothing was compiled; trying again later is safe.
    #[error(
        "the compiler stayed busy with other components for {waited:?}; it is tried again; raise compile_permits if this lasts"
    )]
    CompilerBusy {
        /// How long the load waited.
        waited: Duration,
    },
    /// Host code panicked during the call.
    #[error("the host's own code panicked; its log has the message")]
    Panicked,
    /// Anything else.
    #[error("internal fault: {0}")]
    Internal(String),
}

impl HostFault {
    /// A short, fixed name for metrics and for a run's record.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PoolBusy { .. } => "pool-busy",
            Self::CompilerBusy { .. } => "compiler-busy",
            Self::Panicked => "host-panic",
            Self::Internal(_) => "host-internal",
        }
    }
}
