//! The command line without a host.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::os::unix::fs::PermissionsExt;

use common::{contactor, ended, run};

#[test]
fn init_writes_what_a_host_needs_and_nobody_else_can_read_the_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, err) = run(dir.path(), &["init", "--dir", "acme"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("vault.key") && err.contains("contactor serve --config acme/contactor.toml"),
        "{out}{err}"
    );
    for secret in ["vault.key", "admin.token"] {
        let mode = std::fs::metadata(dir.path().join("acme").join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let token = std::fs::read_to_string(dir.path().join("acme/admin.token")).unwrap();
    assert_eq!(token.trim().len(), 64);
    assert!(!out.contains(token.trim()) && !err.contains(token.trim()), "the token was printed");
}

#[test]
fn init_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("admin.token"), "mine").unwrap();
    let (code, _, err) = run(dir.path(), &["init"]);
    assert_eq!(code, 2);
    assert!(err.contains("admin.token exists already"), "{err}");
    assert!(!dir.path().join("contactor.toml").exists() && !dir.path().join("vault.key").exists());
    assert_eq!(std::fs::read_to_string(dir.path().join("admin.token")).unwrap(), "mine");
}

#[test]
fn every_init_makes_secrets_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let token = |name: &str| {
        assert_eq!(run(dir.path(), &["init", "--dir", name, "-q"]).0, 0);
        std::fs::read_to_string(dir.path().join(name).join("admin.token")).unwrap()
    };
    assert_ne!(token("a"), token("b"));
}

#[test]
fn a_host_without_a_configuration_says_how_to_get_one() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = run(dir.path(), &["serve"]);
    assert_eq!(code, 2);
    assert!(err.contains("no configuration at contactor.toml") && err.contains("contactor init"), "{err}");
}

#[test]
fn a_wrong_configuration_is_refused_with_file_line_and_the_keys_there_are() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("host.toml"), "[store]\npaht = \"x\"\n").unwrap();
    let (code, _, err) = run(dir.path(), &["serve", "--config", "host.toml"]);
    assert_eq!(code, 2);
    for part in ["host.toml", "line 2", "paht", "`path`"] {
        assert!(err.contains(part), "{part} is missing in: {err}");
    }
}

#[test]
fn a_host_without_its_key_does_not_start_and_says_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["init"]);
    std::fs::remove_file(dir.path().join("vault.key")).unwrap();
    let (code, out, err) = run(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("vault.key") && err.contains("contactor init --dir"), "{err}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["init"]);
    for secret in ["admin.token", "vault.key"] {
        let path = dir.path().join(secret);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let (code, _, err) = run(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(secret) && err.contains("chmod 600"), "{err}");
    }
}

#[test]
fn a_host_that_is_not_running_is_exit_code_3_and_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["init"]);
    // Bound and dropped: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, out, err) = run(dir.path(), &["health", "--server", &format!("http://{free}")]);
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
    assert!(err.contains("contactor serve"), "{err}");
}

#[test]
fn secrets_are_refused_on_the_command_line_and_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["init"]);
    let enable = ["connection", "enable", "acme", "prefinery", "--credential", "api_key=fake-partner-key"];
    let (code, _, err) = run(dir.path(), &enable);
    assert_eq!(code, 2);
    assert!(err.contains("@FILE"), "{err}");
    let token = ["workspace", "token", "acme"];
    let (code, _, err) = run(dir.path(), &token);
    assert_eq!(code, 2);
    assert!(err.contains("--token-file"), "{err}");
}

#[test]
fn a_file_that_is_no_component_is_refused_without_a_host() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("garbage.wasm"), "no component").unwrap();
    let (code, out, err) = run(dir.path(), &["connector", "inspect", "garbage.wasm"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("garbage.wasm: component refused"), "{err}");
    assert_eq!(run(dir.path(), &["connector", "inspect", "missing.wasm"]).0, 2);
}

#[test]
fn a_new_connector_needs_a_name_and_a_directory_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["../x", "", "match", "Acme_People"] {
        let (code, out, err) = run(dir.path(), &["connector", "new", name]);
        assert_eq!((code, out.as_str()), (2, ""), "{name}: {err}");
        assert!(err.contains("for example `"), "{name}: {err}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something was written");
    // This program was built from a checkout, whose SDK is taken.
    let (code, out, err) = run(dir.path(), &["connector", "new", "acme-people"]);
    assert_eq!(code, 0, "{out}{err}");
    let manifest = std::fs::read_to_string(dir.path().join("acme-people/Cargo.toml")).unwrap();
    let sdk = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/contactor-sdk").canonicalize();
    assert!(manifest.contains(sdk.unwrap().to_str().unwrap()), "{manifest}");
    let (code, _, err) = run(dir.path(), &["connector", "new", "acme-people"]);
    assert_eq!(code, 2);
    assert!(err.contains("is not empty"), "{err}");
}

#[test]
fn completions_are_written_for_every_shell() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = run(dir.path(), &["completions", shell]);
        assert_eq!(code, 0);
        assert!(out.contains("contactor") && out.contains("timeline"), "{shell}");
    }
}

#[test]
fn the_help_teaches_the_way_and_documents_the_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, _) = run(dir.path(), &["--help"]);
    assert_eq!(code, 0);
    for part in ["From nothing to the first synchronised contact", "Exit codes", "no host answers"] {
        assert!(out.contains(part), "{part} is missing in: {out}");
    }
    for command in
        [&["sync"][..], &["connection", "enable"], &["workspace", "create"], &["serve"], &["sandbox"]]
    {
        let (code, out, _) = run(dir.path(), &[command, &["--help"]].concat());
        assert_eq!(code, 0);
        assert!(out.contains("Example"), "{command:?}: {out}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = contactor(dir.path()).args(["completions", "bash"]).stdout(writer).output().unwrap();
    let (code, _, err) = ended(&output);
    assert_eq!((code, err.as_str()), (0, ""));
}
