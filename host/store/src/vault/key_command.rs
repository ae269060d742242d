//! Keys from a command: a call of a key management service, or whatever else prints them.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::key_file::parse;
use super::{KeyRing, KeySource, VaultError};
use crate::child::withhold_variables;

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// More is no key.
const LARGEST: usize = 64 * 1024;

/// Keys that a command prints on its standard output. It is run without a shell; what it prints is never repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCommand {
    program: OsString,
    arguments: Vec<String>,
    patience: Duration,
}

impl KeyCommand {
    /// The keys that this command prints.
    pub fn new(program: impl Into<OsString>, arguments: Vec<String>) -> Self {
        Self { program: program.into(), arguments, patience: PATIENCE }
    }

    async fn output(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // It may say what it must not in there as well.
            .stderr(Stdio::null())
            .kill_on_drop(true);
        withhold_variables(&mut command, &[]);
        let mut child = command.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
        // Of its full size at once: a buffer that grows leaves copies of itself behind.
        let mut text = Zeroizing::new(Vec::with_capacity(LARGEST + 1));
        if let Some(mut stdout) = child.stdout.take() {
            let read = async {
                while text.len() <= LARGEST && stdout.read_buf(&mut *text).await? > 0 {}
                Ok::<_, io::Error>(())
            };
            read.await.map_err(|error| format!("its output cannot be read: {error}"))?;
        }
        if text.len() > LARGEST {
            return Err("it printed more than 64 KiB".to_owned());
        }
        let status = child.wait().await.map_err(|error| format!("nobody knows how it ended: {error}"))?;
        if status.success() {
            Ok(text)
        } else {
            Err(format!(
                "it failed ({status}); run it by hand to see why: what it prints is kept from the log"
            ))
        }
    }
}

#[async_trait]
impl KeySource for KeyCommand {
    async fn read(&self) -> Result<KeyRing, VaultError> {
        let late = || format!("it did not end within {} s", self.patience.as_secs_f32());
        let output = tokio::time::timeout(self.patience, self.output()).await;
        let text = output
            .map_err(|_| late())
            .flatten()
            .map_err(|problem| VaultError::Source { place: self.describe(), problem })?;
        parse(&self.describe(), &text)
    }

    /// Arguments may say more than a log should.
    fn describe(&self) -> String {
        format!("the key command {}", self.program.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::super::SecretKey;
    use super::*;

    fn shell(script: &str) -> KeyCommand {
        KeyCommand::new("sh", vec!["-c".to_owned(), script.to_owned()])
    }

    #[tokio::test]
    async fn what_the_command_prints_are_the_keys() {
        let ring = KeyRing::of(SecretKey::random().unwrap()).renewed(SecretKey::random().unwrap());
        let script = format!("printf '# from the service\\n{}'", ring.lines().replace('\n', "\\n"));
        let read = shell(&script).read().await.unwrap();
        assert_eq!(read.ids().collect::<Vec<_>>(), ring.ids().collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_command_that_fails_is_told_without_what_it_printed() {
        for (script, told) in [
            ("echo fake-secret; echo fake-secret >&2; exit 3", "exit status: 3"),
            ("echo fake-secret", "not `<key id>:<key>`"),
            ("exit 0", "no line with a key"),
            ("yes fake-secret", "more than 64 KiB"),
        ] {
            let error = shell(script).read().await.unwrap_err();
            assert!(error.to_string().contains(told), "{script}: {error}");
            assert!(error.to_string().contains("the key command sh"), "{error}");
            assert!(!format!("{error} {error:?}").contains("fake-secret"), "{error:?}");
        }
        let error = KeyCommand::new("/nowhere/at/all", Vec::new()).read().await.unwrap_err();
        assert!(error.to_string().contains("cannot be started"), "{error}");
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_given_up() {
        let patience = Duration::from_millis(50);
        let endless = KeyCommand { patience, ..shell("while :; do :; done") };
        let error = endless.read().await.unwrap_err();
        assert!(error.to_string().contains("did not end within"), "{error}");
    }
}
