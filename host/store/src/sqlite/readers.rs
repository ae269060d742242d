//! A few read-only connections. Each read runs on a blocking thread, in one transaction: one snapshot.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::disk::Disk;
use super::{Result, file};
use crate::error::StoreError;

pub(super) struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    disk: Arc<Disk>,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize, disk: Arc<Disk>) -> Result<Self> {
        let connections = (0..count).map(|_| file::open_reader(path)).collect::<Result<Vec<_>>>()?;
        Ok(Self { free: Arc::new(Mutex::new(connections)), permits: Arc::new(Semaphore::new(count)), disk })
    }

    pub(super) async fn run<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let free = Arc::clone(&self.free);
        let task = tokio::task::spawn_blocking(move || {
            let reader = Lent::take(free).ok_or(StoreError::Closed)?;
            let snapshot = reader.connection()?.unchecked_transaction()?;
            let answer = read(&snapshot);
            // Dropping the transaction ends the snapshot, before the connection is given back.
            drop(snapshot);
            drop(reader);
            drop(permit);
            answer
        });
        let answer = task
            .await
            .map_err(|error| StoreError::Engine(format!("a read ended abnormally: {error}")))
            .flatten();
        // A reader that finds damage, or a disk that cannot be read, stops the writer as well.
        if let Err(error) = &answer
            && error.is_lasting()
        {
            self.disk.report(error);
        }
        answer
    }
}

/// A connection out of the pool; returns to it even when the read panics.
struct Lent {
    connection: Option<Connection>,
    free: Arc<Mutex<Vec<Connection>>>,
}

impl Lent {
    fn take(free: Arc<Mutex<Vec<Connection>>>) -> Option<Self> {
        let connection = free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Self { connection: Some(connection), free })
    }

    fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or(StoreError::Closed)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
