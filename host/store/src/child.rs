//! Programs that this one starts, and what of its environment they are not told.
//!
//! A child inherits the environment, and so does whatever it starts in its turn. A key or a token in a variable would travel along to
//! programs that need neither. Everything else goes along: the command of a key management service needs to know where programs are,
//! which account and which proxy to use.

use std::ffi::OsStr;

use tokio::process::Command;

/// What the names of this program's own variables begin with: `CONTACTOR_ADMIN_TOKEN`, `CONTACTOR_VAULT_KEY`, ….
const OWN: &str = "CONTACTOR_";

/// Takes out of what a child inherits this program's own variables, and those of the operator's that hold a secret. Values are not
/// looked at.
pub fn withhold_variables(command: &mut Command, secrets: &[String]) {
    for name in secrets {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_own(name)) {
        command.env_remove(name);
    }
}

fn is_own(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(OWN.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_this_programs_own_is_told_by_its_name() {
        for own in ["CONTACTOR_ADMIN_TOKEN", "CONTACTOR_VAULT_KEY", "CONTACTOR_"] {
            assert!(is_own(OsStr::new(own)), "{own}");
        }
        for other in ["PATH", "AWS_PROFILE", "CONTACTORS", "MY_CONTACTOR_KEY", ""] {
            assert!(!is_own(OsStr::new(other)), "{other}");
        }
    }

    #[tokio::test]
    async fn a_child_is_told_everything_but_what_is_withheld() {
        // Cargo sets it for every test; nobody may change a variable while others read theirs.
        let secret = "CARGO_MANIFEST_DIR".to_owned();
        let names = async |secrets: &[String]| {
            let mut env = Command::new("env");
            withhold_variables(&mut env, secrets);
            let printed = String::from_utf8_lossy(&env.output().await.unwrap().stdout).into_owned();
            let names = printed.lines().filter_map(|line| line.split_once('='));
            names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        };
        let all = names(&[]).await;
        assert!(all.contains(&secret) && all.iter().any(|name| name == "PATH"), "{all:?}");
        let left = names(std::slice::from_ref(&secret)).await;
        assert!(!left.contains(&secret) && left.iter().any(|name| name == "PATH"), "{left:?}");
    }
}
