use serde_json::json;

use super::*;

fn contact() -> Fields {
    Fields::from([
        ("firstName".into(), Value::from("  ann marie ")),
        ("lastName".into(), Value::from("Smith")),
        ("companyName".into(), Value::Null),
        ("phone".into(), Value::from("(650) 253-0000")),
        ("score".into(), Value::from(7)),
        ("tags".into(), ["vip", "internal", "new"].into_iter().collect()),
        ("customFields.plan".into(), Value::from("gold")),
        ("customFields.deep.er".into(), Value::from("down")),
        ("utm source".into(), Value::from("ads")),
        ("address".into(), Value::Json(json!({"city": "Berlin", "lines": ["a", "b"]}))),
    ])
}

fn try_eval(source: &str, own: &Value) -> Result<Value, String> {
    let record = Arc::new(Record::new(contact(), Context::of_country("US")));
    Expression::compile(source).map_err(|CompileError(reason)| reason)?.evaluate(&record, own)
}

fn eval(source: &str) -> Value {
    try_eval(source, &Value::from("own")).unwrap()
}

fn refusal(source: &str) -> String {
    Expression::compile(source).map(|_| ()).unwrap_err().0
}

fn fields(source: &str) -> Vec<String> {
    Expression::compile(source).unwrap().fields().iter().cloned().collect()
}

#[test]
fn expressions_read_the_record_and_the_rows_own_field() {
    assert_eq!(eval("value"), Value::from("own"));
    assert_eq!(eval("firstName|trim|title"), Value::from("Ann Marie"));
    assert_eq!(eval("score + 1"), Value::from(8));
    assert_eq!(eval("score > 5 and 'vip' in tags"), Value::from(true));
    assert_eq!(eval("'big' if score is gt(5) else 'small'"), Value::from("big"));
}

#[test]
fn fields_with_dots_and_blanks_are_in_reach() {
    assert_eq!(eval("customFields.plan|upper"), Value::from("GOLD"));
    assert_eq!(eval("customFields['plan']"), Value::from("gold"));
    assert_eq!(eval("customFields.deep.er"), Value::from("down"));
    assert_eq!(eval("field('customFields.plan')"), Value::from("gold"));
    assert_eq!(eval("field('utm source')"), Value::from("ads"));
    assert_eq!(eval("address.city"), Value::from("Berlin"));
}

#[test]
fn what_is_not_there_is_nothing_and_no_error() {
    assert_eq!(eval("nickname"), Value::Null);
    assert_eq!(eval("customFields.nothing.at.all"), Value::Null);
    assert_eq!(eval("field('nickname')"), Value::Null);
    assert_eq!(eval("companyName ~ '!'"), Value::from("!"));
    assert_eq!(eval("companyName|default('none given')"), Value::from("none given"));
    assert_eq!(eval("companyName|trim|title"), Value::from(""));
    assert_eq!(try_eval("value|digits", &Value::Null), Ok(Value::from("")));
    assert_eq!(try_eval("value|first_word", &Value::Null), Ok(Value::from("")));
    assert_eq!(try_eval("value|with('a')", &Value::Null), Ok(["a"].into_iter().collect()));
}

#[test]
fn names_phones_and_sets_have_filters_of_their_own() {
    assert_eq!(eval("'Ann Marie Smith'|first_word"), Value::from("Ann"));
    assert_eq!(eval("'Ann Marie Smith'|rest_words"), Value::from("Marie Smith"));
    assert_eq!(eval("phone|digits"), Value::from("6502530000"));
    assert_eq!(eval("phone|e164"), Value::from("+16502530000"));
    assert_eq!(eval("'020 7946 0958'|e164('GB')"), Value::from("+442079460958"));
    assert_eq!(eval("tags|without('internal', 'x')"), ["new", "vip"].into_iter().collect());
    assert_eq!(eval("tags|with('vip', 'customer')|sort|join(',')"), Value::from("customer,internal,new,vip"));
    assert_eq!(eval("tags|map('upper')"), ["INTERNAL", "NEW", "VIP"].into_iter().collect());
    assert_eq!(eval("'a, b'|split(',')"), ["a", " b"].into_iter().collect());
    assert_eq!(eval("score|times(100)"), Value::from(700));
    assert_eq!(eval("score|times(0.5)"), Value::from(3.5));
    assert_eq!(eval("address.lines"), ["a", "b"].into_iter().collect());
    assert_eq!(eval("{'city': address.city}"), Value::Json(json!({"city": "Berlin"})));
}

#[test]
fn an_expression_knows_the_fields_that_it_reads() {
    assert_eq!(fields("firstName ~ ' ' ~ lastName"), ["firstName", "lastName"]);
    assert_eq!(fields("value|default(customFields.plan)"), ["customFields.plan"]);
    assert_eq!(fields("field('utm source')|default(field(\"b\"))"), ["b", "utm source"]);
    assert_eq!(fields("'not a field: field(1) '|trim"), Vec::<String>::new());
}

#[test]
fn mistakes_are_found_when_the_expression_is_compiled() {
    assert!(refusal("firstName |").contains("syntax error"));
    assert_eq!(refusal("firstName|tirm"), "there is no filter `tirm`");
    assert_eq!(refusal("firstName is empty"), "there is no test `empty`");
    assert_eq!(refusal("firstName is not empty"), "there is no test `empty`");
    assert_eq!(refusal("range(10)"), "there is no function `range`");
    assert!(refusal("field(firstName)").contains("one name in quotes"));
    assert!(refusal("field").contains("one name in quotes"));
    assert!(refusal("'a").contains("closing quote"));
    assert!(refusal(&"a~".repeat(2_000)).contains("longer than"));
    assert!(refusal("score * 100").contains("times"));
    assert!(!refusal("").is_empty());
}

#[test]
fn a_failing_expression_says_why() {
    assert_eq!(
        try_eval("value|int", &Value::from("abc")),
        Err("invalid operation: invalid float literal".to_owned())
    );
    assert!(try_eval("value|e164('XX')", &Value::from("12345")).unwrap_err().contains("XX"));
    assert!(try_eval("score|times('2')", &Value::Null).unwrap_err().contains("two numbers"));
    assert!(try_eval("score // 0", &Value::Null).is_err());
}

#[test]
fn no_expression_grows_a_text_without_bound() {
    let long = Value::from("x".repeat(100_000));
    for bomb in [
        "value|replace('', value)",
        "value|list|join(value)",
        "value|list|map('default', value)|map('upper')|join",
        "value|list|map('attr', 'x')|map('default', value)|list",
    ] {
        assert!(try_eval(bomb, &long).unwrap_err().contains("would grow beyond"), "{bomb}");
    }
    assert!(try_eval("value ~ value ~ value", &long).unwrap_err().contains("larger than"));
    let list = try_eval("value|list|map('default', 'y')|map('trim')|list", &long);
    assert!(list.unwrap_err().contains("would grow beyond"));
    assert!(try_eval("value|trim", &Value::from("x".repeat(200_000))).unwrap_err().contains("too much"));
}

#[test]
fn nesting_ends_in_an_error_rather_than_in_a_crash() {
    for (open, close) in [("(", ")"), ("[", "]"), ("not ", ""), ("-", ""), ("{'a':", "}")] {
        let source = format!("{}value{}", open.repeat(300), close.repeat(300));
        let _ = try_eval(&source, &Value::from(1));
    }
    let chain = format!("value{}", "|trim".repeat(390));
    assert_eq!(try_eval(&chain, &Value::from(" x ")), Ok(Value::from("x")));
}

#[test]
fn a_fault_of_the_engine_is_one_failed_expression() {
    for source in ["()[::-1]", "[][::-1]"] {
        assert!(try_eval(source, &Value::Null).unwrap_err().contains("in another way"), "{source}");
    }
}
