//! The suite that every engine passes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tempfile::TempDir;

use crate::Store;
use crate::conformance::{Engine, run_all};
use crate::sqlite::SqliteStore;

struct Files {
    directory: TempDir,
    made: AtomicU32,
    opened: Mutex<Vec<(usize, PathBuf)>>,
}

impl Files {
    fn open(&self, path: PathBuf) -> Arc<dyn Store> {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).unwrap());
        self.opened.lock().unwrap().push((Arc::as_ptr(&store).addr(), path));
        store
    }
}

#[async_trait]
impl Engine for Files {
    async fn create(&self) -> Arc<dyn Store> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        self.open(self.directory.path().join(format!("{number}.db")))
    }

    async fn restart(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        let address = Arc::as_ptr(&store).addr();
        let path =
            self.opened.lock().unwrap().iter().rfind(|(known, _)| *known == address).unwrap().1.clone();
        assert_eq!(Arc::strong_count(&store), 1, "somebody else still uses the store");
        drop(store);
        self.open(path)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_every_promise_of_the_store() {
    let files =
        Files { directory: tempfile::tempdir().unwrap(), made: AtomicU32::new(0), opened: Mutex::default() };
    run_all(Arc::new(files)).await;
}
