use serde_json::json;

use super::budget::DEEPEST;
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

/// Every way to nest or to chain that the language has.
fn shapes() -> Vec<(String, String, String)> {
    let shape = |before: &str, middle: &str, after: &str| (before.into(), middle.into(), after.into());
    let mut shapes = vec![
        shape("-", "1", ""),
        shape("not ", "1", ""),
        shape("not -", "1", ""),
        shape("-(", "1", ")"),
        shape("not (", "1", ")"),
        shape("(", "1", ")"),
        shape("[", "1", "]"),
        shape("((", "1", "),)"),
        shape("{'a':", "1", "}"),
        shape("{'a':[-", "1", "]}"),
        shape("1 if 1 else ", "1", ""),
        shape("1 if (", "1", ") else 1"),
        shape("a|default(", "1", ")"),
        shape("a[", "1", "]"),
        shape("a[", "1", ":]"),
        shape("a(", "1", ")"),
        shape("a is eq(", "1", ")"),
        shape("", "a", "[0]"),
        shape("", "a", "[1:]"),
        shape("", "a", "()"),
        shape("", "a", ".b"),
        shape("", "a", ".b[0]()"),
        shape("", "a", "|trim"),
        shape("", "a", "|trim is defined"),
        shape("", "a", " is eq -a"),
        shape("", "1", " if 1"),
        shape("(", "a", ".b.b.b.b.b)"),
        shape("(", "l", "+l)[1:]"),
        shape("[", "l", "]+l|reverse"),
        shape("['\\\\',", "1", "]~''"),
        shape("[", "1", "~'\\\\']~''"),
        shape("l|lookup({'0': ", "l", "})"),
    ];
    for operator in ["~", "+", "-", "/", "//", "%", "**", "<", "==", " in ", " not in ", " and ", " or "] {
        shapes.push(shape("", "1", &format!("{operator}1")));
        shapes.push(shape("", "l", &format!("{operator}l")));
    }
    shapes
}

#[test]
fn however_an_expression_nests_or_chains_a_small_stack_holds_it() {
    let refused_or_evaluated = || {
        let lists = Fields::from([
            ("l".into(), Value::Json(json!([0, 0, 0]))),
            ("a".into(), Value::Json(nested(DEEPEST - 1))),
        ]);
        let record = Arc::new(Record::new(lists, Context::default()));
        for (before, middle, after) in shapes() {
            let once = before.len() + after.len();
            let mut evaluated = 0;
            for times in 1..=(LONGEST - middle.len()) / once {
                // Near the limits, and the longest.
                if times > 120 && times < (LONGEST - middle.len()) / once {
                    continue;
                }
                let source = format!("{}{middle}{}", before.repeat(times), after.repeat(times));
                let Ok(expression) = Expression::compile(&source) else { continue };
                let _ = expression.evaluate(&record, &Value::Null);
                evaluated = times;
            }
            assert!(evaluated <= 110, "{before}…{after}: {evaluated}");
        }
    };
    let small = std::thread::Builder::new().stack_size(256 * 1024);
    small.spawn(refused_or_evaluated).unwrap().join().unwrap();
}

fn nested(depth: usize) -> serde_json::Value {
    (1..depth).fold(json!([1]), |inner, _| json!([inner]))
}

#[test]
fn what_nests_or_chains_too_far_is_refused_with_what_is_allowed() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("not ", ""), ("-", ""), ("{'a':", "}"), ("1 if 1 else ", "")]
    {
        let source = |times: usize| format!("{}value{}", open.repeat(times), close.repeat(times));
        assert!(Expression::compile(&source(30)).is_ok(), "{open}");
        assert!(refusal(&source(33)).contains("nests more than 32 brackets"), "{open}");
    }
    for link in ["|trim", ".b", "[0]", " + 1", " and 1", " if 1"] {
        let source = |times: usize| format!("value{}", link.repeat(times));
        assert!(Expression::compile(&source(100)).is_ok(), "{link}");
        assert!(refusal(&source(101)).contains("more than 100 operators"), "{link}");
    }
    let chain = format!("value{}", "|trim".repeat(100));
    assert_eq!(try_eval(&chain, &Value::from(" x ")), Ok(Value::from("x")));
    assert!(refusal(&format!("value{}", "~value".repeat(33))).contains("more than 32 `~`"));
    assert!(refusal(&format!("value{}", "[1:]".repeat(9))).contains("more than 8 slices"));
    assert!(refusal("[[[value ~ 'x']]]").contains("within more than 2 lists"));
    assert!(refusal("[(1, {'a': value ~ 'x'})]").contains("within more than 2 lists"));
    // What stands side by side does not nest.
    let wide = format!("[{}]|length", "-value.a.b, ".repeat(100));
    assert_eq!(try_eval(&wide, &Value::Null).map_err(|_| ()), Err(()));
    let wide = format!("[{}]|length", "(not value.a.b), ".repeat(100));
    assert_eq!(try_eval(&wide, &Value::Null), Ok(Value::from(100)));
    let ands = format!("{}1", "not value and ".repeat(40));
    assert_eq!(try_eval(&ands, &Value::Null), Ok(Value::from(1)));
}

#[test]
fn a_fault_of_the_engine_is_one_failed_expression() {
    for source in ["()[::-1]", "[][::-1]"] {
        assert!(try_eval(source, &Value::Null).unwrap_err().contains("in another way"), "{source}");
    }
}

/// The largest fields that an expression may read.
fn largest() -> Fields {
    let numbers = |count: usize| Value::Json(json!(vec![0; count]));
    let words: Vec<String> = (0..14_000).map(|word| format!("{word:04x}")).collect();
    Fields::from([
        ("a".into(), Value::from("x".repeat(131_000))),
        ("b".into(), Value::from("\\".repeat(131_000))),
        ("l".into(), numbers(11_000)),
        ("m".into(), Value::Json(json!(["y".repeat(130_000)]))),
        ("w".into(), Value::Json(json!(words))),
        ("f".into(), Value::Json(json!(vec![1e308; 11_000]))),
        ("o".into(), Value::Json(json!(vec![json!({"k": "v"}); 6_000]))),
        ("p".into(), Value::from(",x".repeat(65_000))),
        ("phones".into(), Value::Json(json!(vec!["+16502530000"; 8_000]))),
    ])
}

/// Expressions of the worst kinds, each upon the largest fields.
fn costly() -> Vec<String> {
    let joined = |of: &str, by: &str, times: usize| vec![of; times].join(by);
    let mut costly: Vec<String> = [
        "l|lookup({'0': l|lookup({'0': l|lookup({'0': l})})})|string",
        "l|lookup({'0': l|lookup({'0': l})}) == l|lookup({'0': l|lookup({'0': l})})",
        "l|take(9000)|lookup({'0': l})",
        "l|take(9000)|lookup({'0': m})|join|length",
        "l|map('default', m, true)",
        "l|map('choose', m, m)|join",
        "l|map('with', w)",
        "w|with(w)|without(w)",
        "w|select('in', w)|list",
        "w|map('upper')|map('lower')|map('title')|unique|sort|length",
        "w|sort|reverse|sort|max",
        "[a]|with(w)|sort",
        "[a]|with(w)|max",
        "o|sort(attribute=p)",
        "o|map(attribute=a)",
        "o|where(a)",
        "o|sort_by('k')|pluck('k')|join('x')|length",
        "f|string|length",
        "f|map('round', 1000)",
        "a|trim(a)",
        "a|trim(b)|length",
        "a|replace('x', 'yy')|replace('y', 'zz')",
        "a|replace('', a)",
        "a|list|join(a)",
        "a|name_case|title|name_case|title|upper|lower|initials",
        "w|sum(start='')",
        "w|sum(start=[])",
        "phones|map('e164')|map('national_phone')|map('e164')|length",
        "a|parse_date('%Y')",
        "p|split(',')|map('title')|join(',')|split(',')|list|length",
        "a[::-1][::-1][1:][1:][::2]|length",
    ]
    .map(str::to_owned)
    .into();
    for value in ["a", "b", "l", "f", "w", "o"] {
        for operator in ["~", "+", "==", " in ", "<"] {
            costly.push(joined(value, operator, 8));
            costly.push(joined(value, operator, 32));
        }
        costly.push(format!("{value}|string{}", "|string".repeat(90)));
        costly.push(format!("{value}{}", "|default('')".repeat(90)));
        costly.push(format!("[{}]~''~''", joined(value, ",", 6)));
        costly.push(format!("[[[{value},{value}]~'']~'']{}", "~''".repeat(30)));
        costly.push(format!("[{}]{}", joined(value, ",", 6), "[::-1]".repeat(8)));
    }
    costly
}

#[test]
fn the_work_of_one_evaluation_is_bounded_whatever_it_does() {
    let record = Arc::new(Record::new(largest(), Context::of_country("US")));
    for source in costly() {
        let budget = Arc::new(Budget::default());
        let expression = Expression::compile(&source).unwrap_or_else(|error| panic!("{source}: {error:?}"));
        let result = expression.evaluate_within(&budget, &record, &Value::Null);
        assert!(budget.worked() <= budget::WORK, "{source}");
        if let Ok(value) = result {
            assert!(value.to_json().to_string().len() < 1024 * 1024, "{source}");
        }
    }
}

/// `cargo test --release -p contactor-sync -- --ignored --nocapture evaluations` prints how long the worst take.
#[test]
#[ignore = "a measurement"]
fn the_slowest_evaluations() {
    let record = Arc::new(Record::new(largest(), Context::of_country("US")));
    let mut taken: Vec<_> = costly()
        .into_iter()
        .map(|source| {
            let (expression, budget) = (Expression::compile(&source).unwrap(), Arc::default());
            let start = std::time::Instant::now();
            let result = expression.evaluate_within(&budget, &record, &Value::Null).map(|_| "a value");
            (start.elapsed(), budget.worked(), source, result)
        })
        .collect();
    taken.sort();
    for (time, work, source, result) in taken {
        println!("{time:>12?} {work:>10} {source:.60} {result:?}");
    }
}

#[test]
fn what_each_multiplying_filter_makes_is_charged() {
    let refused = |source: &str| evaluate(source, largest(), &Context::default()).unwrap_err();
    for source in [
        "l|take(9000)|lookup({'0': l})|length",
        "l|lookup({'0': m})|length",
        "l|map('default', m, true)|length",
        "l|map('choose', m, m)|length",
        "w|select('in', w)|length",
        "phones|map('e164')|length",
        "o|sort(attribute=p)|length",
        "[a]|with(w)|max",
    ] {
        let reason = refused(source);
        assert!(
            reason.contains("too much work") || reason.contains("would grow beyond"),
            "{source}: {reason}"
        );
    }
    assert!(refused("[a,a,a,a,a,a,a,a,a]|length").contains("reads more than"));
    assert!(refused("w|sum(start='')").contains("starts from a number"));
    let deep = Fields::from([("d".into(), Value::Json(nested(DEEPEST + 2)))]);
    assert!(evaluate("d|length", deep, &Context::default()).unwrap_err().contains("more than 64 deep"));
}

/// Work per character of the largest text that strangers can type.
#[test]
fn no_filter_of_a_text_does_more_than_linear_work() {
    let record = |text: String| {
        Arc::new(Record::new(Fields::from([("a".into(), Value::from(text))]), Context::of_country("US")))
    };
    let worst = ["x", "-", "1", "van ", "e\u{301}", "[", "\u{130}", "\n"];
    let filters = [
        "capitalize",
        "digits",
        "e164",
        "first_word",
        "initials",
        "int(0)",
        "last_word",
        "length",
        "lines",
        "lower",
        "name_case",
        "name_parts",
        "national_phone",
        "number",
        "parse_date('%Y-%m-%d')",
        "rest_words",
        "reverse",
        "split(',')",
        "string",
        "title",
        "trim",
        "upper",
        "yes_no",
        "date_of",
        "in_zone('UTC')",
        "replace('x', 'y')",
    ];
    for unit in worst {
        let [small, large] = [8, 1].map(|part| record(unit.repeat(128 * 1024 / unit.len() / part)));
        for filter in filters {
            let expression = Expression::compile(&format!("a|{filter}|length")).unwrap();
            let [less, more] = [&small, &large].map(|record| {
                let budget = Arc::default();
                let _ = expression.evaluate_within(&budget, record, &Value::Null);
                budget.worked()
            });
            assert!(more <= 9 * less + 100_000, "{filter} of {unit:?}: {less}, {more}");
        }
    }
}
