//! A disk that fails on demand, under the unchanged binary: a small library that is preloaded into it. See `faults.c`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Faults that can be switched on while a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No file grows: "no space left on device".
    Full,
    /// `fsync` of the write-ahead log fails.
    SyncLog,
    /// `fsync` of the database fails.
    SyncDatabase,
}

/// The disk below one host.
#[derive(Debug)]
pub struct Disk {
    library: PathBuf,
    /// Holds the word for the present fault.
    control: PathBuf,
}

impl Disk {
    /// A disk for the host of a directory; `None` on a machine without a C compiler, or one whose linker knows no preloading.
    ///
    /// # Errors
    /// When the library cannot be built.
    pub async fn below(dir: &Path) -> Result<Option<Self>> {
        let library = dir.join("faults.so");
        let mut compiler = match Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-x", "c", "-", "-ldl", "-o"])
            .arg(&library)
            .stdin(Stdio::piped())
            .spawn()
        {
            Ok(compiler) if cfg!(target_os = "linux") => compiler,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("the C compiler"),
        };
        let mut source = compiler.stdin.take().context("the compiler's input")?;
        source.write_all(include_bytes!("faults.c")).await?;
        drop(source);
        let status = compiler.wait().await?;
        ensure!(status.success(), "faults.c was not built: {status}");
        Ok(Some(Self { library, control: dir.join("fault") }))
    }

    /// What a host's process is started with.
    pub fn environment(&self) -> [(&'static str, &Path); 2] {
        [("LD_PRELOAD", &self.library), ("DISK_FAULTS", &self.control)]
    }

    /// From now on the disk fails so.
    ///
    /// # Errors
    /// When the control file cannot be written.
    pub fn fails(&self, fault: Fault) -> Result<()> {
        let word = match fault {
            Fault::Full => "full",
            Fault::SyncLog => "sync-log",
            Fault::SyncDatabase => "sync-database",
        };
        // Exchanged, not rewritten: the library may read it at any moment.
        let new = self.control.with_extension("new");
        std::fs::write(&new, word)?;
        Ok(std::fs::rename(new, &self.control)?)
    }

    /// From now on it is well.
    ///
    /// # Errors
    /// When the control file cannot be removed.
    pub fn is_well(&self) -> Result<()> {
        Ok(std::fs::remove_file(&self.control)?)
    }
}
