//! The stories of the demo, with fewer people.

use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::partners;
use contactor_tests::stories::{Stage, play};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_story_of_the_demo_holds() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(partners::with_fields(SandboxConfig::default())).await.unwrap();
    let stage = Stage::set(sandbox, dir.path(), "").await.unwrap();
    let outcomes = play(&stage, 20, |outcome| println!("{outcome:?}")).await;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.seen.is_err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    stage.host.stop().await.unwrap();
    stage.sandbox.shutdown().await;
}
