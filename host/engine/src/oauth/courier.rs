//! Sends a token request so that its answer outlives the host.
//!
//! A refresh token works once: a host that is killed between the vendor's answer and its own commit would have spent the token and
//! lost the next one. So the request is made by a process of its own, which leaves the answer in a [letter](super::letter) and holds
//! a lock while it is under way. A host that starts again waits for the lock, reads the letter and goes on.
//!
//! This outlives the death of the host, not that of the machine. A location of an agency's grant loses nothing then either: its
//! tokens are made from the agency's.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use contactor_highlevel::http::{Options, client};
use contactor_highlevel::oauth::{OAuthErrorKind, Prepared, send};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use zeroize::Zeroizing;

use super::letter::{Letterbox, Outcome};

/// Largest order that is read.
const LARGEST: u64 = 1024 * 1024;

/// How a host sends token requests.
#[derive(Clone, Debug)]
pub struct Courier {
    /// A directory of the host's own, for letters.
    pub dir: PathBuf,
    /// The program that runs [`Order::carry_out`] with what comes on its standard input, and its arguments. Without, the request is
    /// made within this process, and an answer that comes after its death is lost.
    pub program: Option<(PathBuf, Vec<OsString>)>,
    /// Variables of the environment that hold a secret, such as the keys of the vault: the program is not told them, nor this
    /// product's own.
    pub secrets: Vec<String>,
}

/// What a courier is told, secrets included; on its standard input, never on its command line.
#[derive(Serialize, Deserialize)]
pub struct Order {
    request: Prepared,
    timeout: Duration,
    letter: PathBuf,
    key: String,
}

impl Drop for Order {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.key.zeroize();
    }
}

impl Order {
    /// Reads an order.
    ///
    /// # Errors
    /// When it is none; the words of it are not repeated.
    pub fn read(input: impl io::Read) -> io::Result<Self> {
        let mut text = Zeroizing::new(String::new());
        input.take(LARGEST).read_to_string(&mut text)?;
        serde_json::from_str(&text)
            .map_err(|_| io::Error::other("standard input holds no order for a courier"))
    }

    /// Makes the request, once, and leaves what came of it.
    ///
    /// # Errors
    /// When the letter cannot be written.
    pub async fn carry_out(self) -> io::Result<()> {
        let options = Options { timeout: self.timeout, ..Options::default() };
        let sent = async {
            let http = client(&options).map_err(|error| OAuthErrorKind::Unavailable {
                problem: format!("no HTTP client: {error}"),
                sent: false,
            })?;
            // The name's look-up counts as well: the lease ends.
            match tokio::time::timeout(self.timeout, send(&http, &self.request, self.timeout)).await {
                Ok(answered) => answered.map_err(|error| error.kind),
                Err(_) => Err(OAuthErrorKind::Unavailable { problem: "timed out".to_owned(), sent: true }),
            }
        };
        let outcome = match sent.await {
            Ok(answered) => Outcome::Answered(answered),
            Err(OAuthErrorKind::Unavailable { problem, sent }) => Outcome::Failed { problem, sent },
            Err(error) => Outcome::Failed { problem: error.to_string(), sent: true },
        };
        Letterbox::at(self.letter.clone()).leave(&outcome, &SecretString::from(self.key.clone()))
    }
}

impl Courier {
    /// Sends a request and answers when the letter is there, or its courier is not any more. The courier goes on if nobody waits.
    pub(super) async fn dispatch(
        &self,
        request: Prepared,
        timeout: Duration,
        letterbox: &Letterbox,
        key: &SecretString,
        lock: File,
    ) -> io::Result<()> {
        let letter = std::path::absolute(letterbox.path())?;
        let order = Order { request, timeout, letter, key: key.expose_secret().to_owned() };
        let Some((program, arguments)) = &self.program else {
            // A task of its own: whoever waits may stop waiting, the request is made all the same.
            let carried = tokio::spawn(async move {
                let carried = order.carry_out().await;
                drop(lock);
                carried
            });
            return carried.await.map_err(io::Error::other)?;
        };
        let text = Zeroizing::new(serde_json::to_vec(&order).map_err(io::Error::other)?);
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            // The open lock goes along: it is free when the courier has ended, whatever becomes of this process.
            .stdout(Stdio::from(lock))
            .stderr(Stdio::inherit())
            // A terminal's interrupt is for the host.
            .process_group(0)
            .kill_on_drop(false);
        // Its order holds all that it needs, and it outlives this process.
        contactor_store::withhold_variables(&mut command, &self.secrets);
        let mut child = command.spawn()?;
        let mut input =
            child.stdin.take().ok_or_else(|| io::Error::other("the courier has no standard input"))?;
        contactor_store::torture::point("courier-spawned");
        input.write_all(&text).await?;
        drop(input);
        contactor_store::torture::point("courier-told");
        let status = child.wait().await?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("the courier ended with {status}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use contactor_store::GrantId;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn the_program_is_told_its_order_and_no_variable_that_holds_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let (seen, letterbox) =
            (dir.path().join("seen"), Letterbox::new(dir.path(), &GrantId::company("acme"), 1));
        let script = "{ env; cat; } > \"$0\"";
        let courier = Courier {
            dir: dir.path().to_owned(),
            program: Some(("sh".into(), vec!["-c".into(), script.into(), seen.clone().into_os_string()])),
            // Cargo sets it for every test.
            secrets: vec!["CARGO_MANIFEST_DIR".to_owned()],
        };
        let url = "https://highlevel.example/oauth/token";
        let request = json!({ "url": url, "version": null, "bearer": null, "form": [] });
        let request: Prepared = serde_json::from_value(request).unwrap();
        let (key, lock) = (SecretString::from("fake-key"), letterbox.lock().unwrap().unwrap());
        courier.dispatch(request, Duration::from_secs(5), &letterbox, &key, lock).await.unwrap();
        let seen = std::fs::read_to_string(&seen).unwrap();
        assert!(seen.contains(url) && seen.lines().any(|line| line.starts_with("PATH=")), "{seen}");
        assert!(!seen.contains("CARGO_MANIFEST_DIR="), "{seen}");
    }
}
