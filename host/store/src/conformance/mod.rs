//! The suite that every engine has to pass: each promise of [`Store`] as a case.
//!
//! An engine's test implements [`Engine`] and calls [`run_all`]. Cases use nothing but the trait; what an engine promises
//! beyond it (files, locks, commits) it tests itself.

#![expect(clippy::unwrap_used, reason = "a suite of tests: a panic is its verdict")]
#![allow(clippy::wildcard_imports, reason = "cases speak of most of the model, as any test beside it would")]

mod alerts;
mod audit;
mod automations;
mod children;
mod claims;
mod configuration;
mod conflicts;
mod connector_state;
mod deletions;
mod erasure;
mod events;
mod fencing;
mod guard;
mod history;
mod linking;
mod logins;
mod matching;
mod oauth;
mod parked;
mod people;
mod recordings;
mod records;
mod rests;
mod retention;
mod rollouts;
mod usage;
mod vault;
mod webhooks;
mod world;

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;

use crate::Store;

/// How a case comes by stores.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// A new, empty store.
    async fn create(&self) -> Arc<dyn Store>;
    /// The same data in a new process. The given store is the last reference to it.
    async fn restart(&self, store: Arc<dyn Store>) -> Arc<dyn Store>;
}

/// A case: panics when the engine breaks the promise that its name states.
pub type Case = fn(Arc<dyn Engine>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! cases {
    ($($module:ident: $($name:ident),+;)+) => {
        /// Every case under its name.
        pub const CASES: &[(&str, Case)] = &[
            $($((concat!(stringify!($module), "::", stringify!($name)), |engine| Box::pin($module::$name(engine)))),+),+
        ];
    };
}

cases! {
    automations:
        a_delivery_comes_with_its_event_and_once_per_key,
        a_webhook_and_a_poll_carry_deliveries_with_their_marks,
        a_connection_that_is_switched_off_handles_nothing,
        deliveries_of_one_contact_are_handled_in_order,
        an_event_that_is_forgotten_keeps_none_of_its_contact_waiting,
        what_mentions_a_person_who_is_forgotten_goes_on_without_the_words,
        what_is_parked_of_a_person_ends_and_what_is_parked_of_others_waits,
        a_webhook_that_is_still_to_be_read_stays_without_the_words,
        a_delivery_waits_for_the_contact_of_its_record,
        a_delivery_of_a_record_that_left_its_link_goes_on,
        a_record_that_leads_to_no_contact_does_not_stop_its_deliveries,
        both_ids_of_a_delivery_are_settled_by_its_first_attempt,
        the_journal_stays_until_its_delivery_is_done,
        a_delivery_is_fenced_like_a_record,
        a_change_of_the_store_and_its_note_are_one,
        a_timer_goes_off_once_in_the_place_of_its_predecessor,
        a_timer_to_come_keeps_no_event_of_its_contact_waiting,
        a_timer_that_is_taken_back_leaves_its_turn_to_the_next,
        a_message_is_claimed_until_it_arrived,
        a_destination_that_does_not_answer_has_its_share_and_no_more,
        a_destination_is_sent_so_many_messages_a_minute_and_the_rest_wait,
        messages_that_wait_are_bounded_and_those_to_a_stopped_destination_expire,
        a_record_is_written_so_often_and_then_a_person_has_to_look,
        what_a_connections_own_handler_wrote_is_known,
        lasting_keys_outlive_events_and_others_do_not;
    parked:
        what_is_parked_for_one_cause_is_a_group,
        what_is_discarded_is_not_done_until_it_is_marked_again,
        a_webhook_that_is_discarded_is_ignored;
    rests:
        a_rest_is_kept_over_a_restart_and_ends_once,
        an_entity_that_rests_stops_no_other_and_one_record_tries_it,
        many_that_rest_hide_nobody_behind_them,
        a_connection_that_rests_gives_out_nothing_until_its_time,
        webhooks_rest_by_themselves,
        automations_of_one_kind_rest_and_those_of_another_go_on;
    rollouts:
        one_version_is_on_trial_and_what_is_counted_survives_a_restart,
        a_version_is_adopted_and_rolled_back_with_its_grants_and_settings,
        a_connection_that_gets_another_component_remembers_the_one_before,
        the_newest_differences_of_a_shadow_are_kept,
        runs_and_handlers_know_the_component_that_they_ran,
        what_a_version_left_undone_is_done_again_when_it_is_taken_back,
        a_policy_is_set_by_itself;
    erasure:
        a_person_is_forgotten_everywhere_and_nobody_else_is,
        a_number_is_found_in_every_notation_and_an_address_also_in_a_request,
        whoever_was_referred_by_a_person_stays,
        several_contacts_of_one_address_are_not_guessed_about,
        a_contact_at_several_partners_is_one_person_and_a_number_is_only_its_own_partners,
        looking_changes_nothing;
    alerts:
        what_is_told_and_that_it_was_told_are_one,
        rules_are_kept_and_ended_alerts_are_forgotten;
    usage:
        calls_are_summed_by_hour_and_priority,
        what_is_left_of_a_day_survives_a_restart,
        what_was_used_of_a_partners_quota_survives_a_restart;
    oauth:
        one_renews_a_grant_and_only_from_the_generation_it_has_read,
        a_lease_whose_holder_died_is_taken_over_with_what_opens_its_letter,
        a_lease_of_a_process_that_is_known_to_have_ended_is_taken_over_at_once,
        what_opens_an_answer_that_was_not_understood_is_kept,
        a_failed_attempt_keeps_the_pair_and_is_due_again,
        a_grant_that_opens_nothing_is_on_record_until_it_opens_something_again,
        a_new_consent_takes_the_place_of_the_old_pair,
        a_consent_ends_once_and_in_time,
        a_later_word_of_an_installation_stands,
        where_the_app_is_installed_is_on_record_for_each_workspace_and_once_for_all_others;
    configuration:
        everything_configured_survives_a_restart,
        a_component_is_approved_by_whoever_may_and_stays_so,
        a_state_is_exchanged_only_for_the_one_it_was_seen_in,
        ids_locations_and_webhook_addresses_are_unique,
        a_webhook_address_is_exchanged_with_its_sealed_token_or_not_at_all,
        unknown_names_are_answered_as_such;
    people:
        users_roles_and_tokens_survive_a_restart,
        what_is_changed_of_a_user_leaves_the_rest,
        a_role_belongs_to_one_workspace_and_nobody_is_platform_admin_of_one,
        a_token_ends_with_the_one_that_it_was_made_with,
        a_token_is_shown_with_what_counts_now;
    logins:
        an_identity_is_one_user_for_good,
        a_session_lasts_until_it_is_ended_or_its_user_is_switched_off,
        a_user_has_so_many_sessions_and_no_old_ones;
    audit:
        changes_are_listed_with_their_ends_and_the_log_grows_in_one_chain,
        the_log_is_asked_by_workspace_actor_and_time_in_pages,
        a_hash_that_was_noted_is_found_again;
    events:
        an_event_is_kept_as_it_came,
        events_are_found_by_what_they_are_about_in_pages_newest_first,
        a_key_is_taken_once_per_source_and_scope,
        an_event_marks_every_connection_that_is_not_switched_off,
        an_event_that_marks_nothing_is_ignored_at_once,
        an_event_of_an_unknown_location_is_held_until_a_workspace_is_bound,
        the_oldest_events_that_are_held_make_room_and_those_of_workspaces_stay,
        an_event_finds_the_workspace_that_was_bound_meanwhile;
    records:
        many_marks_are_one_run_and_every_event_ends_once,
        a_mark_during_the_run_keeps_the_record_dirty,
        a_retry_waits_and_counts_only_when_told,
        a_mark_does_not_shorten_a_back_off_but_a_person_does,
        a_parked_record_is_listed_and_can_be_retried,
        what_a_person_has_done_again_says_so_until_it_is_done,
        a_parked_record_that_succeeds_later_leaves_the_list,
        too_many_hints_become_one_that_forces_a_read,
        a_cursor_moves_only_together_with_its_marks,
        events_on_several_connections_are_as_finished_as_the_least;
    claims:
        a_claimed_record_is_not_given_out_again,
        urgent_work_goes_first_then_older_work,
        only_enabled_connections_get_work,
        a_workspace_has_at_most_its_share_in_flight,
        a_workspace_has_at_most_its_share_of_webhooks_in_flight,
        background_work_leaves_room_to_live_work,
        a_backfill_does_not_keep_another_workspace_waiting,
        connections_take_turns,
        next_due_tells_when_to_look_again;
    fencing:
        a_renewal_keeps_the_token_and_the_claims,
        nobody_takes_a_lease_that_is_held,
        an_expired_lease_is_taken_over_and_the_old_one_is_fenced,
        a_released_lease_is_free_at_once,
        claims_that_nobody_works_on_are_given_back_and_count_for_nothing,
        claims_of_a_crashed_process_are_given_out_again,
        nothing_can_be_completed_twice;
    linking:
        a_link_is_found_from_both_sides,
        both_ids_of_a_link_are_unique_and_a_refused_completion_writes_nothing,
        a_run_may_relink_only_what_it_saw,
        marks_of_both_sides_meet_once_the_record_is_linked,
        what_waits_under_the_partners_id_joins_when_the_link_is_made,
        a_record_in_flight_under_its_other_id_is_not_given_out,
        pages_of_links_leave_none_out;
    children:
        children_are_written_with_the_run_of_their_list,
        contacts_are_found_by_when_their_children_take_place,
        a_child_moves_to_the_parent_that_has_it_now,
        marks_of_a_completion_are_dirty_afterwards,
        what_a_walk_saw_is_kept_by_record,
        a_connection_with_a_cadence_acts_at_its_next_multiple;
    webhooks:
        a_webhook_waits_for_its_connector_and_then_for_its_records,
        a_webhook_without_changes_is_ignored,
        a_webhook_that_cannot_be_read_is_retried_then_parked_then_retried_by_a_person,
        what_cannot_be_read_is_parked_once_until_a_run_of_it_is_done,
        a_webhook_is_fenced_like_a_record;
    history:
        a_run_is_listed_without_and_shown_with_its_calls,
        a_run_of_the_host_itself_belongs_to_a_workspace_and_to_no_connection,
        runs_are_found_by_either_id_in_pages_newest_first,
        contacts_that_only_a_walk_found_are_counted_once_within_their_time,
        counts_follow_what_happens,
        the_age_of_what_waits_tells_live_changes_and_automations_from_a_first_sync;
    conflicts:
        conflicts_are_listed_and_one_that_waits_is_listed_once,
        a_conflict_is_kept_before_its_run_ends_and_once_by_all_runs_that_meet_it,
        conflicts_need_a_run,
        what_waits_is_listed_first_and_by_connection_and_record,
        a_decision_waits_for_its_run_and_ends_with_it,
        a_decision_that_is_made_during_a_run_waits_for_the_next,
        a_decision_can_be_withdrawn_until_it_is_carried_out,
        a_decision_about_what_changed_meanwhile_is_refused,
        a_conflict_that_ended_makes_room_for_the_next,
        conflicts_that_wait_are_not_forgotten;
    matching:
        a_report_lists_each_record_once_and_goes_on_after_a_restart,
        a_page_of_an_earlier_report_changes_nothing,
        what_is_approved_is_marked_once_and_nothing_else_is,
        a_record_waits_until_its_own_bucket_is_approved,
        what_was_approved_for_another_mapping_waits_also_after_the_end,
        who_competes_for_a_counterpart_does_so_after_the_end_until_one_is_left,
        a_counterpart_that_several_would_take_is_ambiguous,
        what_waits_for_an_approval_is_not_forgotten;
    connector_state:
        a_value_is_set_only_in_the_place_of_the_version_that_was_read,
        keys_are_listed_by_prefix_and_belong_to_one_connection,
        cursors_are_kept_per_stream;
    guard:
        changed_records_are_counted_once_by_side_with_the_end_of_their_run,
        what_is_allowed_is_not_counted_and_a_paused_connection_goes_on,
        so_many_more_are_allowed_and_what_was_counted_stays,
        what_stopped_a_connection_is_known_and_nobody_elses_stop_is_taken_over,
        what_a_handler_changed_is_counted_with_the_answer_of_its_call,
        a_record_is_known_to_be_counted_on_its_side_within_the_window;
    deletions:
        a_second_look_is_due_in_time_and_once,
        a_person_decides_once_and_only_about_what_waits,
        what_is_kept_for_an_undo_goes_with_its_window_and_with_the_person,
        a_decision_that_nothing_carries_out_ends_after_three_days,
        a_pair_that_was_to_be_kept_is_given_up_without_a_run,
        a_run_does_not_overwrite_a_second_decision_of_the_same_person,
        a_link_in_use_ends_the_deletions_of_its_records,
        what_a_pair_agreed_on_is_forgotten_after_sixty_days_but_not_that_one_is_gone,
        policies_are_kept_per_connection_and_entity;
    recordings:
        a_recording_is_kept_with_its_run_or_after_it,
        recordings_are_forgotten_before_their_runs_and_beyond_a_share,
        recordings_cannot_be_searched_and_go_with_anybody_who_is_forgotten;
    vault:
        one_data_key_of_a_workspace_is_in_use_and_the_first_counts,
        a_data_key_is_replaced_once_and_the_retired_one_only_opens,
        data_keys_are_wrapped_anew_unless_they_were_meanwhile,
        what_is_sealed_with_a_key_is_found_with_what_it_is_for,
        pages_of_what_is_sealed_are_small_enough_for_one_commit,
        what_changed_since_it_was_read_is_not_sealed_anew,
        a_run_does_not_put_back_what_was_sealed_anew_meanwhile,
        a_retired_data_key_is_forgotten_when_nothing_names_it_and_not_at_once;
    retention:
        what_is_past_its_time_is_forgotten_and_the_rest_is_not,
        a_key_is_remembered_for_four_days_without_its_body,
        each_workspace_keeps_its_history_as_long_as_it_says;
}

/// Runs every case; panics with the names of those that failed.
pub async fn run_all(engine: Arc<dyn Engine>) {
    let mut failed = Vec::new();
    for (name, case) in CASES {
        // A task of its own, so that the other cases still run.
        if tokio::spawn(case(Arc::clone(&engine))).await.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "{} of {} cases failed: {failed:#?}", failed.len(), CASES.len());
}
