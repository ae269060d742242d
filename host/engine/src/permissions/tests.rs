use proptest::prelude::*;

use contactor_store::{Policy, PolicyProblem};

use super::*;
use crate::made::{BEARER, manifest};

/// The same credential in a header that partners repeat, and no secret any more.
const HEADER: &str = r#"
[[auth]]
id = "token"
title = "Token"
kind = "prefixed-header"
header = "X-Request-Id"
value = "{token}"
credential = [{ name = "token", title = "Token", secret = false }]
"#;
const OTHER: &str = r#"
[[auth]]
id = "other"
title = "Other"
kind = "query"
parameter = "key"
value = "{key}"
credential = [{ name = "key", title = "Key" }]
"#;
const READS: &str = "[[scope]]\nname = \"contacts.readonly\"\nwhy = \"Compares both sides.\"\n";
const WRITES: &str = "[[scope]]\nname = \"contacts.write\"\nwhy = \"Creates people.\"\n";
const CONTACTS: &str = r#"
[[entity]]
name = "contact"
partner_name = "person"
support = "native"
direction = "both"

[[field]]
entity = "contact"
name = "email"
type = "email"
title = "Email"

[[mapping]]
entity = "contact"
partner = "email"
highlevel = "email"
"#;
const TO_HIGHLEVEL: &str = "[[entity]]\nname = \"contact\"\npartner_name = \"person\"\nsupport = \"native\"\ndirection = \"to-highlevel\"\n";
const EVENTS: &str =
    "[[trigger]]\nname = \"ContactCreate\"\ntitle = \"Contact created\"\nsource = \"highlevel\"\n";
const REPEATS: &str = "[[repeatable]]\npaths = [\"/a\", \"/b\"]\nwhy = \"It is the same.\"\n";

fn names(permissions: &[Permission]) -> Vec<&str> {
    permissions.iter().map(|one| one.name.as_str()).collect()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn everything_that_a_connector_can_do_has_a_name_and_words() {
    let asked = asked(&manifest(&[BEARER, READS, CONTACTS, EVENTS, REPEATS].concat()));
    assert_eq!(
        names(&asked),
        [
            "contacts.readonly",
            "host:api.test.example",
            "auth:token",
            "records:contact:both",
            "event:ContactCreate",
            "repeat:/a",
            "repeat:/b"
        ]
    );
    let words: Vec<_> = asked.iter().map(|one| one.words.as_str()).collect();
    assert!(words[0].ends_with("appointments: Compares both sides."), "{words:?}");
    assert_eq!(words[2], "Sends your credential as a bearer token: \"{token}\".");
    assert_eq!(words[3], "Carries each contact between HighLevel and Testbed, both ways.");
    assert_eq!(words[4], "Is told by HighLevel: Contact created.");
}

#[test]
fn what_was_granted_before_other_things_than_scopes_were_means_all_of_them() {
    let manifest = manifest(&[READS, WRITES, CONTACTS].concat());
    let old = owned(&["contacts.readonly"]);
    let whole = whole(&old, &manifest);
    assert_eq!(whole, ["contacts.readonly", "host:api.test.example", "records:contact:both"]);
    assert_eq!(super::whole(&whole, &manifest), whole);
    let less = owned(&["contacts.readonly", "host:api.test.example"]);
    assert_eq!(super::whole(&less, &manifest), less, "records were withheld, and stay so");
}

#[test]
fn naming_some_of_a_kind_withholds_the_others_of_that_kind() {
    let manifest = manifest(&[READS, WRITES, CONTACTS, REPEATS].concat());
    let all = chosen(&manifest, None, &[]).unwrap();
    assert_eq!(all.len(), 6);
    let scope = owned(&["contacts.readonly"]);
    let rest = ["host:api.test.example", "records:contact:both", "repeat:/a", "repeat:/b"];
    assert_eq!(chosen(&manifest, Some(&scope), &[]).unwrap(), [&["contacts.readonly"], &rest[..]].concat());
    assert_eq!(chosen(&manifest, Some(&[]), &[]).unwrap(), rest);
    let some = owned(&["contacts.readonly", "repeat:/b"]);
    let granted = chosen(&manifest, Some(&some), &[]).unwrap();
    assert_eq!(granted, ["contacts.readonly", "host:api.test.example", "records:contact:both", "repeat:/b"]);
    let withheld = owned(&["repeat:/a", "contacts.write"]);
    assert_eq!(chosen(&manifest, None, &withheld).unwrap(), granted);
    let unknown = chosen(&manifest, Some(&owned(&["calendars.write"])), &[]).unwrap_err();
    assert_eq!(unknown, "scope `calendars.write`: test asks for contacts.readonly, contacts.write");
    let unknown = chosen(&manifest, None, &owned(&["host:evil.example"])).unwrap_err();
    assert_eq!(unknown, "`host:evil.example`: test asks for host:api.test.example");
    assert!(
        chosen(&manifest, None, &owned(&["host:api.test.example"])).unwrap_err().contains("without a host")
    );
}

#[test]
fn what_a_connection_has_not_is_given_by_name_and_not_by_withholding_something_else() {
    let manifest = manifest(&[READS, WRITES, CONTACTS, REPEATS].concat());
    let has = owned(&["contacts.readonly", "host:api.test.example", "repeat:/b"]);
    assert_eq!(changed(&manifest, &has, None, &[]).unwrap(), has);
    let less = changed(&manifest, &has, None, &owned(&["repeat:/b", "contacts.write"])).unwrap();
    assert_eq!(less, ["contacts.readonly", "host:api.test.example"]);
    let named = owned(&["contacts.write", "records:contact:both"]);
    assert_eq!(
        changed(&manifest, &has, Some(&named), &[]).unwrap(),
        ["contacts.write", "host:api.test.example", "records:contact:both", "repeat:/b"]
    );
    let hostless = changed(&manifest, &has, None, &owned(&["host:api.test.example"])).unwrap_err();
    assert!(hostless.contains("without a host"), "{hostless}");
}

#[test]
fn what_is_not_granted_is_not_in_what_works_with_the_connection() {
    let manifest = manifest(&[READS, CONTACTS, EVENTS, REPEATS].concat());
    let all = chosen(&manifest, None, &[]).unwrap();
    assert_eq!(effective(&manifest, &all), manifest);
    assert_eq!(hosts(&manifest, &all), manifest.partner.allowed_hosts());
    let left = effective(&manifest, &owned(&["host:api.test.example", "repeat:/b"]));
    assert_eq!(left.entity("contact").unwrap().support, Support::Unsupported);
    assert!(left.mappings.is_empty() && left.triggers.is_empty());
    assert!(left.is_repeatable("/b") && !left.is_repeatable("/a"));
    assert!(effective(&manifest, &[]).repeatables.is_empty());
    assert!(hosts(&manifest, &owned(&["host:other.example"])).is_empty());
}

#[test]
fn another_version_is_given_what_was_granted_and_more_only_with_approval() {
    let before = manifest(&[READS, WRITES, TO_HIGHLEVEL].concat());
    let after = manifest(&[READS, WRITES, CONTACTS, EVENTS].concat());
    let difference = Difference::between(&before, &after);
    assert_eq!(names(&difference.more), ["records:contact:both", "event:ContactCreate"]);
    assert_eq!(names(&difference.less), [] as [&str; 0], "both ways cover one");
    // `contacts.write` was withheld, and is so of every version.
    let granted = owned(&["contacts.readonly", "host:api.test.example", "records:contact:to-highlevel"]);
    assert_eq!(
        difference.granted(&granted, &after, true).unwrap(),
        ["contacts.readonly", "host:api.test.example", "records:contact:both", "event:ContactCreate"]
    );
    let kept = difference.granted(&granted, &after, false).unwrap();
    assert_eq!(kept, ["contacts.readonly", "host:api.test.example"]);
    // Nothing of it would be held: without a host it looks like a connection from before they were granted.
    let hostless = difference.granted(&owned(&["contacts.readonly"]), &after, true).unwrap_err();
    assert!(hostless.contains("without a host"), "{hostless}");
    let back = Difference::between(&after, &before);
    assert_eq!(names(&back.more), [] as [&str; 0]);
    assert_eq!(names(&back.less), ["records:contact:both", "event:ContactCreate"]);
}

#[test]
fn a_version_that_is_used_again_is_given_what_it_had_but_for_what_was_withheld_since() {
    let before = manifest(&[READS, WRITES, CONTACTS, EVENTS].concat());
    let had = chosen(&before, None, &[]).unwrap();
    // This one asks for less: what it does not ask for, nobody withheld.
    let present = manifest(&[READS, TO_HIGHLEVEL, REPEATS].concat());
    let all = chosen(&present, None, &[]).unwrap();
    assert_eq!(given_again(&had, &before, &all, &present).unwrap(), had);
    let less =
        chosen(&present, None, &owned(&["contacts.readonly", "records:contact:to-highlevel"])).unwrap();
    let again = ["contacts.write", "host:api.test.example", "event:ContactCreate"];
    assert_eq!(given_again(&had, &before, &less, &present).unwrap(), again);
    // From before hosts were granted: all but scopes was meant.
    let old = owned(&["contacts.readonly", "contacts.write"]);
    assert_eq!(given_again(&old, &before, &less, &present).unwrap(), again);
    // Its one host was withheld: it is not taken for one from before hosts were granted.
    let present = manifest(&["hosts = [\"api.test.example\", \"b.example\"]\n", READS].concat());
    let other = chosen(&present, None, &owned(&["host:api.test.example"])).unwrap();
    let hostless = given_again(&had, &before, &other, &present).unwrap_err();
    assert!(hostless.contains("without a host"), "{hostless}");
}

#[test]
fn a_version_that_sends_the_credential_otherwise_asks_for_more_under_the_same_name() {
    let (before, after) = (manifest(BEARER), manifest(HEADER));
    let difference = Difference::between(&before, &after);
    assert_eq!((names(&difference.more), names(&difference.less)), (vec!["auth:token"], vec!["auth:token"]));
    let words = &difference.more[0].words;
    assert!(
        words.contains("X-Request-Id") && words.contains("may read what is no secret of it: token"),
        "{words}"
    );
    assert_eq!(Difference::between(&before, &before), Difference::default());
    // Its title is no other way.
    let renamed = manifest(&BEARER.replace("title = \"Token\"", "title = \"Access token\""));
    assert_eq!(Difference::between(&before, &renamed), Difference::default());
    let added = Difference::between(&before, &manifest(&[BEARER, OTHER].concat()));
    assert_eq!((names(&added.more), added.less), (vec!["auth:other"], Vec::new()));
}

#[test]
fn the_way_to_send_the_credential_comes_with_the_connector() {
    let manifest = manifest(&[BEARER, OTHER, READS].concat());
    let all = owned(&["contacts.readonly", "host:api.test.example", "auth:token", "auth:other"]);
    for named in [&["contacts.readonly"][..], &["contacts.readonly", "auth:other"]] {
        assert_eq!(chosen(&manifest, Some(&owned(named)), &[]).unwrap(), all);
    }
    assert!(can_be_withheld(&owned(&["auth:token"])).unwrap_err().contains("cannot be withheld"));
    assert_eq!(can_be_withheld(&owned(&["contacts.readonly", "host:auth.example"])), Ok(()));
    // A connection from before it had a name has it, and goes on as it was.
    let old = owned(&["contacts.readonly", "host:api.test.example"]);
    assert!(is_granted(&old, "auth:token"));
    assert_eq!(whole(&old, &manifest), old);
    assert_eq!(effective(&manifest, &old), manifest);
    assert_eq!(scopes(&all), ["contacts.readonly"]);
}

#[test]
fn a_policy_takes_from_every_connector_what_it_names() {
    let policy = Policy { connectors: Some(owned(&["test"])), deny: owned(&["contacts.write", "event:*"]) };
    assert!(policy.lets("test") && !policy.lets("other") && Policy::default().lets("other"));
    let granted = owned(&["contacts.readonly", "contacts.write", "event:ContactCreate", "host:a.example"]);
    assert_eq!(policy.leaves(granted.clone()), ["contacts.readonly", "host:a.example"]);
    assert_eq!(Policy::default().leaves(granted.clone()), granted);
    assert!(policy.check().is_ok());
    let refused = |deny: &[&str]| Policy { connectors: None, deny: owned(deny) }.check();
    assert_eq!(refused(&["host:*.example"]), Ok(()));
    assert_eq!(refused(&["contacts*.write"]), Err(PolicyProblem::Star("contacts*.write".to_owned())));
    assert_eq!(refused(&[" "]), Err(PolicyProblem::Empty));
}

fn any_manifest() -> impl Strategy<Value = Manifest> {
    let part = |text: &'static str| prop_oneof![Just(""), Just(text)];
    let auth = prop_oneof![Just(""), Just(BEARER), Just(HEADER)];
    let contacts = prop_oneof![Just(""), Just(CONTACTS), Just(TO_HIGHLEVEL)];
    (auth, part(READS), part(WRITES), contacts, part(EVENTS), part(REPEATS))
        .prop_map(|(a, b, c, d, e, f)| manifest(&[a, b, c, d, e, f].concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_upgrade_without_approval_never_gives_what_was_not_granted(
        before in any_manifest(),
        after in any_manifest(),
        keeps in proptest::collection::vec(any::<bool>(), 8),
    ) {
        let asked_before = asked(&before);
        let granted: Vec<String> =
            asked_before.iter().zip(keeps.iter().cycle()).filter(|(_, keep)| **keep).map(|(one, _)| one.name.clone()).collect();
        let difference = Difference::between(&before, &after);
        // What is loaded is what a connection is taken to have.
        let given = |approved| difference.granted(&granted, &after, approved).map(|given| whole(&given, &after));
        for name in given(false).into_iter().flatten() {
            prop_assert!(is_granted(&granted, &name), "{name}");
        }
        // With approval: nothing that was withheld from the present version.
        for name in given(true).into_iter().flatten() {
            let was_withheld = asked_before.iter().any(|one| covers(&one.name, &name)) && !is_granted(&granted, &name);
            prop_assert!(!was_withheld, "{name}");
        }
    }

    #[test]
    fn grants_never_add_to_a_manifest(
        manifest in any_manifest(),
        keeps in proptest::collection::vec(any::<bool>(), 8),
        junk in proptest::collection::vec("[a-z:./]{1,20}", 0..3),
    ) {
        let before = asked(&manifest);
        let kept = before.iter().zip(keeps.iter().cycle()).filter(|(_, keep)| **keep).map(|(one, _)| one.name.clone());
        let granted: Vec<String> = kept.chain(junk).collect();
        let left = asked(&effective(&manifest, &granted));
        prop_assert!(left.iter().all(|one| before.contains(one)), "{left:?}");
        for one in &before {
            // Scopes and hosts are held apart.
            let is_held = [RECORDS, EVENT, REPEAT].contains(&kind(&one.name));
            let is_left = left.contains(one);
            prop_assert_eq!(is_left, !is_held || is_granted(&granted, &one.name), "{}", one.name);
        }
        for host in hosts(&manifest, &granted) {
            prop_assert!(granted.contains(&format!("{HOST}{host}")), "{host}");
        }
    }
}
