use serde_json::json;

use super::*;

fn read(field_type: FieldType, value: impl Into<Value>) -> Result<Value, CanonicalError> {
    canonical(field_type, &value.into(), &Context::default())
}

fn same(field_type: FieldType, spellings: &[&str], canonical: impl Into<Value>) {
    let canonical = canonical.into();
    for spelling in spellings {
        assert_eq!(read(field_type, *spelling).as_ref(), Ok(&canonical), "{spelling:?}");
    }
    assert_eq!(super::canonical(field_type, &canonical, &Context::default()), Ok(canonical));
}

fn refusal(field_type: FieldType, value: impl Into<Value>) -> String {
    read(field_type, value).unwrap_err().to_string()
}

#[test]
fn text_is_trimmed_and_an_empty_text_is_no_value() {
    same(FieldType::Text, &["Ann", " Ann\n", "\u{a0}Ann", "A\0nn"], "Ann");
    same(FieldType::Text, &["one\r\ntwo", "one\rtwo", "one\ntwo "], "one\ntwo");
    same(FieldType::Text, &["", " ", "\r\n"], Value::Null);
    assert_eq!(read(FieldType::Text, 5), Ok(Value::from("5")));
    assert_eq!(read(FieldType::Text, true), Ok(Value::from("true")));
    assert_eq!(read(FieldType::Text, ["b", "a"].into_iter().collect::<Value>()), Ok(Value::from("a, b")));
    let json = |json: serde_json::Value| read(FieldType::Text, Value::Json(json));
    assert_eq!(json(serde_json::json!(["b", 1, null])), Ok(Value::from("b, 1")));
    for shape in [serde_json::json!({ "given": "Ann" }), serde_json::json!([["Ann"]])] {
        assert!(matches!(json(shape), Err(CanonicalError::Shape { .. })));
    }
}

#[test]
fn emails_are_compared_in_lower_case() {
    same(FieldType::Email, &["Ann@Example.COM", " ann@example.com "], "ann@example.com");
    same(FieldType::Email, &["", "  "], Value::Null);
    same(FieldType::Email, &["ann+news@münchen.example"], "ann+news@münchen.example");
}

#[test]
fn what_highlevel_would_refuse_as_an_email_is_refused_here() {
    assert!(refusal(FieldType::Email, "ann").contains("no @"));
    assert!(refusal(FieldType::Email, "@example.com").contains("nothing stands before"));
    for wrong in ["ann@", "ann@localhost", "ann@ex..com", "ann@-ex.com", "ann@example.com."] {
        assert!(refusal(FieldType::Email, wrong).contains("domain"), "{wrong}");
    }
    for wrong in ["a@b.c, d@e.f", "Ann <ann@example.com>", "a n@example.com", "a@b@example.com"] {
        assert!(read(FieldType::Email, wrong).is_err(), "{wrong}");
    }
    assert!(refusal(FieldType::Email, 5).contains("cannot be read as an email address"));
}

#[test]
fn phones_become_e164_whatever_their_decoration() {
    same(
        FieldType::Phone,
        &[
            "+16502530000",
            "+1 650 253 0000",
            "+1 (650) 253-0000",
            "tel:+1-650-253-0000",
            "+1 650.253.0000 ext. 12",
        ],
        "+16502530000",
    );
    same(
        FieldType::Phone,
        &["+44 20 7946 0958", "+44 (0)20 7946 0958", "+44 020 7946 0958"],
        "+442079460958",
    );
    same(FieldType::Phone, &["+39 06 698 1234"], "+39066981234");
    same(FieldType::Phone, &["+1 555 555 0100"], "+15555550100");
    same(FieldType::Phone, &["", "  "], Value::Null);
}

#[test]
fn a_number_is_known_in_the_spellings_of_people_and_of_systems() {
    let spellings = phone_spellings("+16502530000");
    for text in [
        "+16502530000",
        "16502530000",
        "6502530000",
        "(650) 253-0000",
        "(650)253-0000",
        "650-253-0000",
        "650.253.0000",
        "650 253 0000",
        "1-650-253-0000",
        "1 (650) 253-0000",
    ] {
        assert!(spellings.iter().any(|spelling| text.contains(spelling.as_str())), "{text}: {spellings:?}");
    }
    let british = phone_spellings("+442079460958");
    for text in ["020 7946 0958", "+44 20 7946 0958", "02079460958", "44-20-7946-0958"] {
        assert!(british.iter().any(|spelling| text.contains(spelling.as_str())), "{text}: {british:?}");
    }
    assert!(
        spellings.iter().chain(&british).all(|spelling| spelling.len() >= 9),
        "{spellings:?} {british:?}"
    );
    assert_eq!(phone_spellings("no number").len(), 1);
}

#[test]
fn a_national_phone_is_read_in_its_country_and_refused_without_one() {
    let read = |text: &str, country: &str| {
        canonical(FieldType::Phone, &Value::from(text), &Context::of_country(country))
            .map(|value| value.to_json())
    };
    assert_eq!(read("(650) 253-0000", "US"), Ok(json!("+16502530000")));
    assert_eq!(read("1 650 253 0000", "us"), Ok(json!("+16502530000")));
    assert_eq!(read("020 7946 0958", "GB"), Ok(json!("+442079460958")));
    assert_eq!(read("(02) 9374 4000", "AU"), Ok(json!("+61293744000")));
    assert_eq!(read("0011 44 20 7946 0958", "AU"), Ok(json!("+442079460958")));
    assert_eq!(read("06 698 1234", "IT"), Ok(json!("+39066981234")));
    assert_eq!(read("+44 20 7946 0958", "US"), Ok(json!("+442079460958")));

    assert!(refusal(FieldType::Phone, "(650) 253-0000").contains("no country is known"));
    assert_eq!(read("12345", "ZZ"), Err(CanonicalError::UnknownCountry("ZZ".into())));
    assert!(read("020 7946 0958", "US").unwrap_err().to_string().contains("US"));
}

#[test]
fn a_phone_that_cannot_exist_is_refused_with_the_reason() {
    // HighLevel stores such a number; it must not travel on.
    assert!(refusal(FieldType::Phone, "+178655689546").contains("too few or too many digits"));
    assert!(refusal(FieldType::Phone, "+1 800 FLOWERS").contains("other than digits"));
    assert!(refusal(FieldType::Phone, "+0 123 456").contains("country's code"));
    assert!(refusal(FieldType::Phone, "++").contains("other than digits"));
    assert!(refusal(FieldType::Phone, "+").contains("too few digits"));
    assert!(refusal(FieldType::Phone, "1".repeat(30)).contains("too many digits"));
    assert!(refusal(FieldType::Phone, "1".repeat(3_000)).contains("far too long"));
}

#[test]
fn tags_are_trimmed_and_lower_cased_and_other_sets_keep_their_case() {
    let raw: Value = [" VIP ", "vip", "", "New"].into_iter().collect();
    assert_eq!(read(FieldType::Tags, raw.clone()), Ok(["new", "vip"].into_iter().collect()));
    assert_eq!(read(FieldType::Set, raw), Ok(["New", "VIP", "vip"].into_iter().collect()));
    assert_eq!(
        read(FieldType::Tags, Value::Json(json!(["A", 1, null]))),
        Ok(["1", "a"].into_iter().collect())
    );
    assert_eq!(read(FieldType::Tags, "One, Two"), Ok(["one, two"].into_iter().collect()));
    assert_eq!(read(FieldType::Set, Value::Set([" ".to_owned()].into())), Ok(Value::Null));
    assert!(refusal(FieldType::Tags, Value::Json(json!({"a": 1}))).contains("a set of texts"));
}

#[test]
fn instants_are_utc_in_whole_milliseconds() {
    same(
        FieldType::Instant,
        &["2026-03-01T09:30:00Z", "2026-03-01T10:30:00+01:00", "2026-03-01 09:30:00.0004Z"],
        "2026-03-01T09:30:00.000Z",
    );
    same(FieldType::Instant, &["1969-12-31T23:59:59.9999Z"], "1969-12-31T23:59:59.999Z");
    assert!(refusal(FieldType::Instant, "2026-03-01T09:30:00").contains("zone is missing"));
    assert!(refusal(FieldType::Instant, "tomorrow").contains("not RFC 3339"));
    assert!(refusal(FieldType::Instant, 1_767_225_600).contains("a point in time"));
}

#[test]
fn dates_are_read_in_every_spelling_that_highlevel_takes() {
    same(
        FieldType::Date,
        &[
            "1990-05-06",
            "1990/05/06",
            "1990.05.06",
            "1990_05_06",
            "05/06/1990",
            "05-06-1990",
            "05.06.1990",
            "5_6_1990",
            "1990-05-06T00:00:00.000Z",
            "1990-05-06T00:00:00+10:00",
            "1990-05-06T00:00:00",
        ],
        "1990-05-06",
    );
    for wrong in ["31/12/1990", "1990-02-30", "1990-05/06", "06.05.90", "May 6", "1990", "1990-05-06x"] {
        assert!(read(FieldType::Date, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn truth_and_numbers_are_read_in_their_usual_spellings() {
    same(FieldType::Boolean, &["true", "YES", " y ", "1", "on", "T"], true);
    same(FieldType::Boolean, &["false", "No", "n", "0", "off", "f"], false);
    assert_eq!(read(FieldType::Boolean, 1), Ok(Value::from(true)));
    assert!(refusal(FieldType::Boolean, "maybe").contains("yes or no"));
    same(FieldType::Integer, &["42", " +42 ", "42.0"], 42);
    same(FieldType::Integer, &["9223372036854775807"], i64::MAX);
    assert!(read(FieldType::Integer, "42.5").is_err());
    assert!(read(FieldType::Integer, 1e300).is_err());
    same(FieldType::Number, &["0.3", ".3", "3e-1", "0.30000000000000004"], 0.3);
    assert_eq!(read(FieldType::Number, 0.1 + 0.2), Ok(Value::from(0.3)));
    assert_eq!(read(FieldType::Number, 5), Ok(Value::from(5.0)));
    assert!(read(FieldType::Number, f64::MAX).is_err(), "rounding to 15 digits overflows");
    for wrong in ["1,234.5", "inf", "NaN", "1e999", "12 €", "0x10"] {
        assert!(read(FieldType::Number, wrong).is_err(), "{wrong}");
    }
    assert!(read(FieldType::Number, f64::NAN).is_err());
}

#[test]
fn json_keeps_its_content_and_orders_its_keys() {
    let text = read(FieldType::Json, Value::Json(json!({"b": [2, 1], "a": {"d": 1, "c": 2}}))).unwrap();
    assert_eq!(text.to_json().to_string(), r#"{"a":{"c":2,"d":1},"b":[2,1]}"#);
    assert_eq!(read(FieldType::Json, Value::Json(json!(null))), Ok(Value::Null));
}

#[test]
fn a_refusal_shows_the_value_but_not_all_of_a_long_one() {
    assert_eq!(
        refusal(FieldType::Boolean, "ü".repeat(100)),
        format!("`{}…` cannot be read as yes or no", "ü".repeat(60))
    );
}
