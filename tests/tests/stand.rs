//! The stand itself: what is done at a double reaches the engine the way it does in production.

use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_tests::engine::{Partner, Stand};
use contactor_tests::partners;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_of_both_sides_pass_the_server_and_the_stand_comes_to_rest() {
    let stand = Stand::serve().await.unwrap();
    let prefinery = stand.sandbox.prefinery();
    let project = prefinery.first_project();
    let partner = Partner { template: None, ..partners::prefinery(&stand.sandbox) };
    partners::connect(&stand, partner).await.unwrap();

    let location = stand.sandbox.highlevel().first_location();
    let fields = json!({ "firstName": "Ada", "email": "ada@example.com" });
    stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    stand.settle().await.unwrap();
    let tester = prefinery.tester(project, "ada@example.com").unwrap();
    assert_eq!(tester["profile"]["first_name"], "Ada");

    let fields = json!({ "profile": { "first_name": "Augusta" } });
    prefinery.act(project, ProjectAct::EditTester { tester: tester["id"].to_string(), fields }).unwrap();
    stand.settle().await.unwrap();
    assert_eq!(stand.sandbox.highlevel().contacts(&location)[0]["firstName"], "Augusta");
}
