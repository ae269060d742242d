//! What a connector is built from, and whether it changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use contactor_build::Project;

/// When each file was written, and how long it is.
type Looks = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// The files of a connector's directory.
pub(super) struct Sources {
    directory: PathBuf,
    target: PathBuf,
    /// As they were when a change was last reported; nothing before the first look.
    reported: Option<Looks>,
    /// As they were at the last look.
    last: Option<Looks>,
}

impl Sources {
    /// Asks cargo where the crate lies and where it builds.
    pub(super) fn of(directory: &Path) -> anyhow::Result<Self> {
        let project = Project::find(directory)?;
        Ok(Self::in_directory(project.directory, project.target_dir))
    }

    fn in_directory(directory: PathBuf, target: PathBuf) -> Self {
        Self { directory, target, reported: None, last: None }
    }

    /// Whether to build now: at first, and when files changed and then lay still for one look, because an editor that saves
    /// several files writes them one after the other.
    pub(super) fn changed(&mut self) -> bool {
        let mut now = Looks::new();
        self.walk(&self.directory, &mut now);
        let first = self.reported.is_none();
        let still = self.last.as_ref() == Some(&now);
        let changed = first || (still && self.reported.as_ref() != Some(&now));
        if changed {
            self.reported = Some(now.clone());
        }
        self.last = Some(now);
        changed
    }

    /// What cannot be read is as good as not there: it may just be replaced, and the next look sees it.
    fn walk(&self, directory: &Path, looks: &mut Looks) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // Cargo writes its lock file while it builds; editors keep their own things beside a file.
            if name.starts_with('.') || name.ends_with('~') || name == "Cargo.lock" || path == self.target {
                continue;
            }
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                let top = directory == self.directory;
                if !(top && (name == "tests" || name == "target")) {
                    self.walk(&path, looks);
                }
            } else if let Ok(metadata) = std::fs::metadata(&path) {
                looks.insert(path, (metadata.modified().ok(), metadata.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(files: &[&str]) -> (tempfile::TempDir, Sources) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            write(&dir, file, "a");
        }
        let sources = Sources::in_directory(dir.path().to_owned(), dir.path().join("made"));
        (dir, sources)
    }

    fn write(dir: &tempfile::TempDir, file: &str, text: &str) {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_first_look_builds_and_a_change_builds_once_it_lies_still() {
        let (dir, mut sources) = crate_of(&["src/lib.rs", "connector.toml"]);
        assert!(sources.changed());
        assert!(!sources.changed());
        write(&dir, "src/lib.rs", "ab");
        assert!(!sources.changed(), "still being written, perhaps");
        assert!(sources.changed());
        assert!(!sources.changed());
        std::fs::remove_file(dir.path().join("connector.toml")).unwrap();
        assert_eq!([sources.changed(), sources.changed(), sources.changed()], [false, true, false]);
    }

    #[test]
    fn tests_and_what_cargo_and_editors_make_are_not_sources() {
        let (dir, mut sources) = crate_of(&["src/lib.rs"]);
        assert!(sources.changed());
        for file in ["tests/it.rs", "target/x", "made/x", "Cargo.lock", "src/.lib.rs.swp", "src/lib.rs~"] {
            write(&dir, file, "new");
            assert_eq!([sources.changed(), sources.changed()], [false, false], "{file}");
        }
        write(&dir, "src/tests/mod.rs", "new");
        assert_eq!([sources.changed(), sources.changed()], [false, true], "a module may be called so");
    }
}
