//! A whole host with its doubles: the built program started twice, and its own commands against it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use common::{contactor, ended, run};

/// A program that runs until it is told to stop, and is killed if a test fails before.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    err: ChildStderr,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let err = child.stderr.take().unwrap();
        Self { child, out, err }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut err = String::new();
            self.err.read_to_string(&mut err).unwrap();
            panic!("the program ended early: {err}");
        }
        line
    }

    /// Asks it to stop as a supervisor does; answers its exit code and what it logged.
    fn terminate(mut self) -> (Option<i32>, String) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let mut err = String::new();
        self.err.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The doubles, and what they printed about themselves.
fn sandbox(dir: &Path) -> (Running, serde_json::Value) {
    let mut sandbox = Running::start(contactor(dir).args([
        "sandbox",
        "--listen",
        "127.0.0.1:0",
        "--json",
        "--people",
        "3",
    ]));
    let mut text = String::new();
    while serde_json::from_str::<serde_json::Value>(&text).is_err() {
        text.push_str(&sandbox.line());
    }
    (sandbox, serde_json::from_str(&text).unwrap())
}

/// A host whose HighLevel is at `highlevel`, and the address it listens on.
fn host(dir: &Path, highlevel: &str) -> (Running, String) {
    let config = format!("[highlevel]\nbase-url = \"{highlevel}\"\n[runtime]\nmax-instances = 4\n");
    std::fs::write(dir.join("contactor.toml"), config).unwrap();
    serve(dir)
}

fn serve(dir: &Path) -> (Running, String) {
    let mut host = Running::start(contactor(dir).args(["serve", "--listen", "127.0.0.1:0"]));
    let line = host.line();
    let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
    (host, address)
}

#[test]
fn a_host_starts_answers_its_commands_keeps_what_it_was_told_and_stops_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["init", "-q"]).0, 0);
    let (_sandbox, doubles) = sandbox(dir.path());
    let text = |pointer: &str| doubles.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let (running, address) = host(dir.path(), &text("/highlevel/url"));
    let ask = |address: &str, arguments: &[&str]| {
        ended(&contactor(dir.path()).env("CONTACTOR_SERVER", address).args(arguments).output().unwrap())
    };

    let (code, out, err) = ask(&address, &["health"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("healthy          yes"), "{out}");
    assert_eq!(ask(&address, &["workspace", "show", "acme"]).0, 5);

    std::fs::write(dir.path().join("pit.token"), text("/highlevel/token")).unwrap();
    let location = text("/highlevel/location");
    let create =
        ["workspace", "create", "acme", "--location", &location, "--token-file", "pit.token", "--json"];
    let (code, out, err) = ask(&address, &create);
    assert_eq!(code, 0, "{err}");
    let workspace: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(workspace["timezone"], "America/New_York", "asked of HighLevel: {workspace}");
    let (code, _, err) = ask(&address, &create);
    assert_eq!(code, 4, "the same workspace twice: {err}");

    std::fs::write(dir.path().join("wrong.token"), "pit-no-such-token").unwrap();
    let wrong = ["workspace", "create", "other", "--location", "no-such-loc", "--token-file", "wrong.token"];
    let (code, _, err) = ask(&address, &wrong);
    assert_eq!(code, 4, "{err}");
    assert!(!err.contains("pit-no-such-token"), "{err}");

    let (code, log) = running.terminate();
    assert_eq!(code, Some(0), "{log}");
    for secret in [text("/highlevel/token"), std::fs::read_to_string(dir.path().join("admin.token")).unwrap()]
    {
        assert!(!log.contains(secret.trim()), "a secret was logged: {log}");
    }

    let (running, address) = serve(dir.path());
    let (_, out, _) = ask(&address, &["workspace", "list", "--json"]);
    assert!(out.contains(&location), "the workspace survived the restart: {out}");
    assert_eq!(running.terminate().0, Some(0));
}

#[test]
fn a_second_host_on_the_same_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["init", "-q"]).0, 0);
    let (running, _) = host(dir.path(), "http://127.0.0.1:9");
    let (code, _, err) = run(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 1);
    assert!(err.contains("in use by another process"), "{err}");
    assert_eq!(running.terminate().0, Some(0));
}

#[test]
fn a_wrong_admin_token_is_refused_by_the_host() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["init", "-q"]).0, 0);
    let (_running, address) = host(dir.path(), "http://127.0.0.1:9");
    let mut command = contactor(dir.path());
    command.env("CONTACTOR_ADMIN_TOKEN", "fake-admin-token").args([
        "workspace",
        "list",
        "--server",
        &address,
    ]);
    let (code, _, err) = ended(&command.output().unwrap());
    assert_eq!(code, 4);
    assert!(err.contains("admin token") && !err.contains("fake-admin-token"), "{err}");
}

#[test]
fn users_tokens_and_the_audit_log_work_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["init", "-q"]).0, 0);
    let (_sandbox, doubles) = sandbox(dir.path());
    let text = |pointer: &str| doubles.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let (running, address) = host(dir.path(), &text("/highlevel/url"));
    let ask = |arguments: &[&str]| {
        ended(&contactor(dir.path()).env("CONTACTOR_SERVER", &address).args(arguments).output().unwrap())
    };
    let fine = |arguments: &[&str]| {
        let (code, out, err) = ask(arguments);
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        out
    };
    std::fs::write(dir.path().join("pit.token"), text("/highlevel/token")).unwrap();
    let location = text("/highlevel/location");
    fine(&["workspace", "create", "acme", "--location", &location, "--token-file", "pit.token"]);
    assert!(fine(&["whoami"]).contains("admin-token-file"));
    fine(&["user", "add", "bob", "--name", "Bob Smith", "--email", "bob@example.com"]);
    assert_eq!(ask(&["user", "grant", "bob", "--workspace", "acme"]).0, 2, "a workspace without a role");
    fine(&["user", "grant", "bob", "--workspace", "acme", "--role", "viewer"]);
    assert!(fine(&["user", "list"]).contains("viewer in acme"));
    assert!(fine(&["user", "list", "--workspace", "acme"]).contains("Bob Smith"));

    let made = fine(&["token", "create", "--user", "bob", "--output", "bob.token"]);
    let token = std::fs::read_to_string(dir.path().join("bob.token")).unwrap();
    assert!(token.starts_with("ctk_") && !made.contains(token.trim()), "{made}");
    assert_eq!(ask(&["token", "create", "--user", "bob", "--output", "bob.token"]).0, 2, "never over a file");
    let as_bob = |arguments: &[&str]| ask(&[arguments, &["--admin-token-file", "bob.token"]].concat());
    let (code, out, err) = as_bob(&["whoami"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("viewer in acme"), "{out}");
    assert_eq!(as_bob(&["workspace", "show", "acme"]).0, 0);
    assert_eq!(as_bob(&["workspace", "show", "other"]).0, 5);
    let (code, _, err) = as_bob(&["workspace", "set", "acme", "--retention-days", "9"]);
    assert_eq!(code, 4);
    assert!(err.contains("workspace-admin") && err.contains("contactor whoami"), "{err}");

    let head: serde_json::Value = serde_json::from_str(&fine(&["audit", "verify", "--json"])).unwrap();
    let head = head["head"].as_str().unwrap().to_owned();
    let revoked = fine(&["token", "revoke", token.trim()]);
    assert!(revoked.contains("is revoked") && !revoked.contains(token.trim()), "{revoked}");
    assert_eq!(as_bob(&["whoami"]).0, 4);
    fine(&["user", "disable", "bob"]);
    fine(&["user", "revoke", "bob", "--workspace", "acme"]);
    let log = fine(&["audit", "list", "--actor", "bob"]);
    assert!(log.contains("403 refused") && log.contains("workspaces.set"), "{log}");
    let log = fine(&["audit", "list"]);
    for action in ["workspaces.create", "users.create", "members.put", "tokens.create", "users.disable"] {
        assert!(log.contains(action), "{action}: {log}");
    }
    assert!(fine(&["audit", "verify", "--head", &head]).contains("given head"));

    assert_eq!(running.terminate().0, Some(0));
    let offline = ["audit", "verify", "--database", "contactor.db"];
    assert!(fine(&[&offline[..], &["--head", &head]].concat()).contains("yes"));
    let (code, _, err) = ask(&[&offline[..], &["--head", &"ab".repeat(32)]].concat());
    assert_eq!(code, 6);
    assert!(err.contains("cut off"), "{err}");
}
