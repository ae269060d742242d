//! Five connections on one workspace, edited at random on all sides, with faults. `cargo xtask converge` plays it with
//! 1,000 contacts.

use contactor_tests::convergence::{check, play};

/// Each edit reaches up to four other systems, and HighLevel as well when it was made at a partner; some take two writes
/// (fields and tags), and a write whose answer was lost is made again.
const WRITES_PER_EDIT: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_partners_on_one_workspace_converge_under_faults_with_writes_in_proportion_to_the_edits() {
    let report = play(40, 200, 7).await.unwrap();
    check(&report, WRITES_PER_EDIT).unwrap_or_else(|error| panic!("{report}: {error}"));
}
