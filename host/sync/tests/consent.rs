//! Consent only ever gets stricter, whatever is written, channel by channel.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_sync::{Fields, Value, keep_consent, keep_consent_of_any, touches_consent};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value as Json, json};

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 2_000,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

const CHANNELS: [&str; 4] = ["Email", "SMS", "Call", "WhatsApp"];

fn settings() -> impl Strategy<Value = Json> {
    let status = prop::sample::select(vec!["active", "inactive", "permanent"]);
    let setting = status.prop_map(|status| json!({ "status": status }));
    prop::collection::btree_map(prop::sample::select(CHANNELS.to_vec()), setting, 0..4)
        .prop_map(|settings| json!(settings))
}

fn consent() -> impl Strategy<Value = Fields> {
    let all = prop::option::of(prop::sample::select(vec!["active", "inactive"]));
    (prop::option::of(any::<bool>()), prop::option::of(settings()), all).prop_map(|(dnd, settings, all)| {
        let mut fields = Fields::from([("firstName".to_owned(), Value::from("Ada"))]);
        fields.extend(dnd.map(|dnd| ("dnd".to_owned(), Value::Boolean(dnd))));
        fields.extend(settings.map(|settings| ("dndSettings".to_owned(), Value::Json(settings))));
        let inbound = all.map(|status| Value::Json(json!({ "all": { "status": status } })));
        fields.extend(inbound.map(|inbound| ("inboundDndSettings".to_owned(), inbound)));
        fields
    })
}

/// A write may also clear.
fn wish() -> impl Strategy<Value = Fields> {
    (consent(), prop::collection::vec(prop::sample::select(vec!["dnd", "dndSettings"]), 0..2)).prop_map(
        |(mut wish, cleared)| {
            wish.extend(cleared.into_iter().map(|name| (name.to_owned(), Value::Null)));
            wish
        },
    )
}

fn rank(fields: &Fields, channel: &str) -> u8 {
    let status = match fields.get("dndSettings") {
        Some(Value::Json(settings)) => settings[channel]["status"].as_str().unwrap_or("inactive"),
        _ => "inactive",
    };
    let own = ["inactive", "active", "permanent"].iter().position(|known| *known == status).unwrap();
    u8::try_from(own).unwrap().max(u8::from(fields.get("dnd") == Some(&Value::Boolean(true))))
}

fn inbound(fields: &Fields) -> bool {
    matches!(fields.get("inboundDndSettings"), Some(Value::Json(json)) if json["all"]["status"] == "active")
}

/// What stands there after a write, where settings are replaced as a whole, and where each channel is set by itself.
fn written(present: &Fields, wish: &Fields) -> [Fields; 2] {
    let mut replaced = present.clone();
    replaced.extend(wish.clone());
    let mut set = replaced.clone();
    for name in ["dndSettings", "inboundDndSettings"] {
        if let (Some(Value::Json(before)), Some(Value::Json(after))) = (present.get(name), wish.get(name)) {
            let mut merged = before.as_object().unwrap().clone();
            merged.extend(after.as_object().unwrap().clone());
            set.insert(name.to_owned(), Value::Json(Json::Object(merged)));
        }
    }
    [replaced, set]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_write_gives_consent_back(present in consent(), wish in wish()) {
        let mut kept = wish.clone();
        keep_consent(&present, &mut kept);
        for after in written(&present, &kept) {
            for channel in CHANNELS {
                prop_assert!(rank(&after, channel) >= rank(&present, channel), "{channel}: {kept:?}");
            }
            prop_assert!(inbound(&after) || !inbound(&present), "{kept:?}");
        }
    }

    #[test]
    fn what_is_stricter_is_written_whatever_else_is_held_back(present in consent(), wish in wish()) {
        let mut kept = wish.clone();
        keep_consent(&present, &mut kept);
        for after in written(&present, &kept) {
            for channel in CHANNELS {
                prop_assert!(rank(&after, channel) >= rank(&wish, channel), "{channel}: {kept:?}");
            }
            prop_assert!(inbound(&after) || !inbound(&wish), "{kept:?}");
        }
        prop_assert_eq!(kept.get("firstName"), wish.get("firstName"));
    }

    #[test]
    fn whichever_of_two_contacts_is_written_gets_no_consent_back(one in consent(), other in consent(), wish in wish()) {
        let mut kept = wish.clone();
        keep_consent_of_any(&[one.clone(), other.clone()], &mut kept);
        for after in [&one, &other].into_iter().flat_map(|present| written(present, &kept)) {
            for channel in CHANNELS {
                prop_assert!(rank(&after, channel) >= rank(&wish, channel), "{channel}: {kept:?}");
            }
        }
        for present in [&one, &other] {
            for after in written(present, &kept) {
                for channel in CHANNELS {
                    prop_assert!(rank(&after, channel) >= rank(present, channel), "{channel}: {kept:?}");
                }
                prop_assert!(inbound(&after) || !inbound(present), "{kept:?}");
            }
        }
    }

    #[test]
    fn what_was_held_back_once_is_not_held_back_again(present in consent(), wish in wish()) {
        let mut once = wish.clone();
        keep_consent(&present, &mut once);
        let mut twice = once.clone();
        prop_assert_eq!(keep_consent(&present, &mut twice), []);
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn nothing_is_held_back_that_is_not_told(present in consent(), wish in consent()) {
        let mut kept = wish.clone();
        let told = keep_consent(&present, &mut kept);
        let loosens = CHANNELS.iter().any(|channel| {
            matches!(wish.get("dndSettings"), Some(Value::Json(json)) if json.get(channel).is_some())
                && rank(&Fields::from([("dndSettings".to_owned(), wish["dndSettings"].clone())]), channel) < rank(&present, channel)
        });
        let lifts = present.get("dnd") == Some(&Value::Boolean(true)) && wish.get("dnd") == Some(&Value::Boolean(false));
        let ends = inbound(&present) && wish.contains_key("inboundDndSettings") && !inbound(&wish);
        prop_assert_eq!(!told.is_empty(), loosens || lifts || ends, "{:?}", told);
    }
}

fn fields(json: &Json) -> Fields {
    json.as_object()
        .unwrap()
        .iter()
        .map(|(name, json)| (name.clone(), Value::from_json(json.clone())))
        .collect()
}

fn kept(present: &Json, wanted: &Json) -> (Fields, Vec<String>) {
    let mut wanted = fields(wanted);
    let told = keep_consent(&fields(present), &mut wanted);
    (wanted, told.iter().map(ToString::to_string).collect())
}

#[test]
fn one_channel_is_given_back_by_nobody_while_another_is_withdrawn() {
    let present = json!({ "dndSettings": { "SMS": { "status": "active", "message": "stop" } } });
    let wanted = json!({ "city": "Rome", "dndSettings": { "sms": { "status": "inactive" }, "Email": { "status": "active" } } });
    let written = json!({ "city": "Rome", "dndSettings": { "Email": { "status": "active" }, "SMS": { "status": "active", "message": "stop" } } });
    let told = vec!["consent kept stricter: `dndSettings` of sms stays blocked".to_owned()];
    assert_eq!(kept(&present, &wanted), (fields(&written), told));
}

#[test]
fn a_status_that_is_not_known_counts_as_blocked() {
    let present = json!({ "dndSettings": { "SMS": { "status": "snoozed" } } });
    let (written, told) = kept(&present, &json!({ "dndSettings": { "SMS": { "status": "inactive" } } }));
    assert_eq!((written, told.len()), (Fields::new(), 1));
}

#[test]
fn under_do_not_disturb_no_channel_is_opened() {
    let wanted = json!({ "dnd": false, "dndSettings": { "SMS": { "status": "inactive" } } });
    let (written, told) = kept(&json!({ "dnd": true }), &wanted);
    assert_eq!((written, told.len()), (Fields::new(), 2));
}

#[test]
fn do_not_disturb_is_not_switched_off_again_over_a_channel_that_is_blocked() {
    for blocked in [
        json!({ "dnd": false, "dndSettings": { "SMS": { "status": "active" } } }),
        json!({ "dndSettings": { "Email": { "status": "permanent" } } }),
        json!({ "dnd": false, "inboundDndSettings": { "all": { "status": "active" } } }),
    ] {
        for off in [json!({ "dnd": false }), json!({ "dnd": null })] {
            assert_eq!(kept(&blocked, &off), (Fields::new(), vec![]), "{blocked}");
        }
    }
    let open = json!({ "dnd": false, "dndSettings": { "SMS": { "status": "inactive" } } });
    assert_eq!(kept(&open, &json!({ "dnd": false })).0, fields(&json!({ "dnd": false })));
}

#[test]
fn only_a_write_that_may_loosen_consent_needs_to_know_what_stands_there() {
    for (wanted, touches) in [
        (json!({ "city": "Rome" }), false),
        (json!({ "dnd": true }), false),
        (json!({ "dnd": false }), true),
        (json!({ "dnd": null }), true),
        (json!({ "dndSettings": { "SMS": { "status": "active" } } }), true),
        (json!({ "inboundDndSettings": null }), true),
    ] {
        assert_eq!(touches_consent(&fields(&wanted)), touches, "{wanted}");
    }
}
