//! Keeps what this process knows out of core dumps, and out of the hands of the user's other processes.
//!
//! Credentials and keys are zeroised when they are dropped, but while they are in use they lie in memory, and a core dump is a copy of
//! that memory in a file which nobody thinks of as a secret.

use rustix::io;
use rustix::process::{Resource, Rlimit, setrlimit};

/// No core dump of this process is written from here on, nor of those that it starts. Only root can attach to it or read its memory
/// and its environment.
///
/// # Errors
/// When the system does not allow that.
pub(crate) fn disable() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // A handler of core dumps that the kernel pipes them into (systemd-coredump, apport) does not ask for that limit.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn no_core_dump_is_written_and_none_can_be_asked_for() {
        disable().unwrap();
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
