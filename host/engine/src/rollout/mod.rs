//! Another version of a connector on trial in a connection.
//!
//! In **shadow** the pinned version does the work, and what its connector was given and answered is played to the version on trial
//! afterwards: nothing of what that one asks for is done, and what it would have done otherwise is counted and listed. **Live** it does
//! the work of its share of the records, which are chosen by their ids, so that a record stays with one version. Both versions are
//! counted, and a trial that fails more, or writes more, than the pinned version is taken back by the host. One that does all of the
//! work for long enough without that is adopted.
//!
//! Streams are polled by the pinned version as long as it is pinned: a cursor is read by whoever wrote it.

mod judge;
mod shadow;
mod trial;

pub(crate) use trial::{Standing, Trial, Trials};
