//! The connector as it is, against a programmed host.

use connectif::{Connectif, MANIFEST};
use contactor_sdk::prelude::*;
use contactor_sdk::testing::MockHost;

#[test]
fn manifest_is_accepted() {
    let _host = MockHost::new().manifest(MANIFEST).install();
    assert!(Connectif::read("task", "x").is_err());
}
