//! A host for tests and measurements: it answers a few calls and remembers what reached it.

use std::future::pending;

use contactor_runtime::bindings::{
    appointments, bulk, campaigns, clock, contacts, log, notes, notifications, partner, rules, settings,
    state, tags, tasks, timers,
    types::{self, Error, NamedValue, Value},
    workflows,
};

/// What reached the host in one call.
#[derive(Debug, Default)]
pub(crate) struct TestHost {
    /// Ids that `contacts.get` was asked for.
    pub(crate) gets: u32,
    /// The thread that asked for the last one.
    pub(crate) thread: Option<String>,
    /// Messages of `log.write`, by their length.
    pub(crate) lines: Vec<usize>,
    /// Time as `clock.now` tells it.
    pub(crate) now: u64,
}

fn contact(id: String) -> contacts::Contact {
    contacts::Contact { id, tags: Vec::new(), fields: Vec::new() }
}

fn offered<T>() -> Result<T, Error> {
    Err(Error::Unsupported("not offered by this host".into()))
}

impl types::Host for TestHost {}

impl clock::Host for TestHost {
    async fn now(&mut self) -> u64 {
        self.now
    }
}

impl log::Host for TestHost {
    async fn write(&mut self, _: log::Level, message: String, _: Vec<NamedValue>) {
        self.lines.push(message.len());
    }
}

impl settings::Host for TestHost {
    async fn all(&mut self) -> String {
        "{}".into()
    }
}

impl contacts::Host for TestHost {
    async fn get(&mut self, id: String) -> Result<contacts::Contact, Error> {
        self.gets += 1;
        self.thread = std::thread::current().name().map(str::to_owned);
        match id.as_str() {
            "wait" => pending().await,
            "pause" => {
                // Stands for the network: long enough for the epoch to pass.
                tokio::time::sleep(std::time::Duration::from_millis(15)).await;
                Ok(contact(id))
            }
            "panic" => panic!("made up"),
            "large" => Ok(contact("x".repeat(1 << 20))),
            _ => Ok(contact(id)),
        }
    }
    async fn search(&mut self, _: contacts::SearchRequest) -> Result<contacts::ContactPage, Error> {
        offered()
    }
    async fn find_duplicate(
        &mut self,
        _: Option<String>,
        _: Option<String>,
    ) -> Result<Option<contacts::Contact>, Error> {
        offered()
    }
    async fn create(&mut self, _: Vec<NamedValue>, _: Vec<String>) -> Result<contacts::Contact, Error> {
        offered()
    }
    async fn update(&mut self, _: String, _: Vec<NamedValue>) -> Result<contacts::Contact, Error> {
        offered()
    }
    async fn delete(&mut self, _: String) -> Result<(), Error> {
        offered()
    }
    async fn upsert(&mut self, _: Vec<NamedValue>, _: bool) -> Result<contacts::UpsertOutcome, Error> {
        offered()
    }
    async fn list_page(
        &mut self,
        _: Option<String>,
        _: u32,
        _: Option<String>,
    ) -> Result<contacts::ContactPage, Error> {
        offered()
    }
    async fn list_by_business(
        &mut self,
        _: String,
        _: Option<String>,
        _: u32,
        _: u32,
    ) -> Result<contacts::ContactPage, Error> {
        offered()
    }
    async fn add_followers(&mut self, _: String, _: Vec<String>) -> Result<Vec<String>, Error> {
        offered()
    }
    async fn remove_followers(&mut self, _: String, _: Vec<String>) -> Result<Vec<String>, Error> {
        offered()
    }
}

impl tasks::Host for TestHost {
    async fn list_all(&mut self, _: String) -> Result<Vec<tasks::Task>, Error> {
        offered()
    }
    async fn create(&mut self, _: String, _: bool, _: Vec<NamedValue>) -> Result<tasks::Task, Error> {
        offered()
    }
    async fn get(&mut self, _: String, _: String) -> Result<tasks::Task, Error> {
        offered()
    }
    async fn update(&mut self, _: String, _: String, _: Vec<NamedValue>) -> Result<tasks::Task, Error> {
        offered()
    }
    async fn delete(&mut self, _: String, _: String) -> Result<(), Error> {
        offered()
    }
    async fn set_completed(&mut self, _: String, _: String, _: bool) -> Result<tasks::Task, Error> {
        offered()
    }
}

impl notes::Host for TestHost {
    async fn list_all(&mut self, _: String) -> Result<Vec<notes::Note>, Error> {
        offered()
    }
    async fn create(&mut self, _: String, _: String, _: Vec<NamedValue>) -> Result<notes::Note, Error> {
        offered()
    }
    async fn get(&mut self, _: String, _: String) -> Result<notes::Note, Error> {
        offered()
    }
    async fn update(&mut self, _: String, _: String, _: Vec<NamedValue>) -> Result<notes::Note, Error> {
        offered()
    }
    async fn delete(&mut self, _: String, _: String) -> Result<(), Error> {
        offered()
    }
}

impl tags::Host for TestHost {
    async fn list_all(&mut self, _: String) -> Result<Vec<String>, Error> {
        offered()
    }
    async fn add(&mut self, _: String, _: Vec<String>) -> Result<tags::TagChange, Error> {
        offered()
    }
    async fn remove(&mut self, _: String, _: Vec<String>) -> Result<tags::TagChange, Error> {
        offered()
    }
}

impl appointments::Host for TestHost {
    async fn list_all(&mut self, _: String) -> Result<Vec<appointments::Appointment>, Error> {
        offered()
    }
}

impl bulk::Host for TestHost {
    async fn update_tags(
        &mut self,
        _: bulk::TagMode,
        _: Vec<String>,
        _: Vec<String>,
    ) -> Result<bulk::BulkOutcome, Error> {
        offered()
    }
    async fn set_business(&mut self, _: Vec<String>, _: Option<String>) -> Result<Vec<String>, Error> {
        offered()
    }
}

impl campaigns::Host for TestHost {
    async fn add(&mut self, _: String, _: String) -> Result<(), Error> {
        offered()
    }
    async fn remove(&mut self, _: String, _: String) -> Result<(), Error> {
        offered()
    }
    async fn remove_all(&mut self, _: String) -> Result<(), Error> {
        offered()
    }
}

impl workflows::Host for TestHost {
    async fn add(&mut self, _: String, _: String, _: Option<String>) -> Result<(), Error> {
        offered()
    }
    async fn remove(&mut self, _: String, _: String, _: Option<String>) -> Result<(), Error> {
        offered()
    }
}

impl partner::Host for TestHost {
    async fn send(&mut self, _: partner::Request) -> Result<partner::Response, Error> {
        offered()
    }
}

impl state::Host for TestHost {
    async fn get(&mut self, _: String) -> Result<Option<state::Entry>, Error> {
        offered()
    }
    async fn compare_and_set(&mut self, _: String, _: u64, _: Vec<u8>) -> Result<u64, Error> {
        offered()
    }
    async fn delete(&mut self, _: String) -> Result<(), Error> {
        offered()
    }
    async fn keys(&mut self, _: String) -> Result<Vec<String>, Error> {
        offered()
    }
}

impl rules::Host for TestHost {
    async fn evaluate(&mut self, _: String, _: Vec<NamedValue>) -> Result<Value, Error> {
        offered()
    }
    async fn check_input(&mut self, _: String, _: String) -> Result<(), Error> {
        offered()
    }
}

impl timers::Host for TestHost {
    async fn set(&mut self, _: timers::Timer) -> Result<(), Error> {
        offered()
    }
    async fn cancel(&mut self, _: String) -> Result<(), Error> {
        offered()
    }
}

impl notifications::Host for TestHost {
    async fn send(&mut self, _: String, _: notifications::Message) -> Result<(), Error> {
        offered()
    }
}
