//! Some seeds of the torture, and that it notices a host which breaks its promises. `cargo xtask torture` plays many more.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use contactor_tests::torture::{Death, Options, Report, play};

async fn plays(seeds: std::ops::Range<u64>, options: Options) -> Report {
    let mut sum = Report::default();
    for seed in seeds {
        let report = play(seed, &options).await.unwrap();
        sum.add(report);
        // One that is noticed is enough.
        if options.breaks.is_some() && !sum.is_clean() {
            break;
        }
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_repeated_under_faults_and_deaths() {
    let report = plays(4..8, Options::default()).await;
    assert!(report.is_clean(), "{report}: {report:#?}");
    assert!(report.kills >= 6 && report.edits > 30, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_dies_at_the_change_that_it_is_told() {
    for place in ["before-commit", "after-commit"] {
        let death = Some(Death { place, change: Some("complete_record"), coming: 1 });
        let report = play(5, &Options { death, ..Options::default() }).await.unwrap();
        assert!(report.is_clean(), "{report}: {report:#?}");
        // Two from outside, and this one.
        assert_eq!(report.kills, 3, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_answers_before_it_commits_is_noticed() {
    let options = Options { breaks: Some(contactor_store::torture::EARLY_ANSWER), ..Options::default() };
    let report = plays(1..30, options).await;
    assert!(!report.lost.is_empty(), "{report}: {report:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_keeps_no_journal_is_noticed() {
    let death = Some(Death { place: "after-write", change: None, coming: 3 });
    let options = Options { breaks: Some(contactor_store::torture::NO_JOURNAL), death, ..Options::default() };
    let report = plays(1..30, options).await;
    assert!(!report.duplicated.is_empty(), "{report}: {report:#?}");
}
