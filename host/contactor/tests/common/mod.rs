//! Running the built program.

use std::path::Path;
use std::process::{Command, Output};

/// The program, in a directory of its own and with an environment of its own.
pub(crate) fn contactor(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contactor"));
    command.current_dir(dir).env_clear();
    command
}

/// Runs it to the end: exit code, standard output, standard error.
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    ended(&contactor(dir).args(arguments).output().unwrap())
}

/// What a finished program left.
pub(crate) fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
