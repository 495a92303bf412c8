//! No expression may stall, overflow the stack, or fill the memory, and what takes the short cut gives what the whole
//! evaluation gives.

use proptest::prelude::*;
use stepwell_asl::jsonata::{Allowed, Expression, Scope, States};
use stepwell_asl::value::Object;
use stepwell_asl::{Environment, Value, json};

struct Nothing(Value);

impl Environment for Nothing {
    fn context(&self) -> &Value {
        &self.0
    }

    fn variable(&self, _name: &str) -> Option<&Value> {
        None
    }

    fn random_u64(&self) -> u64 {
        4
    }
}

fn evaluate(text: &str, input: &Value) -> Result<Value, String> {
    let environment = Nothing(Value::empty_object());
    let expression = Expression::parse(text, Allowed::default()).map_err(|p| p[0].message.clone())?;
    let states = States { input, result: None, error_output: None };
    expression.evaluate(&Scope::new(states, &environment), "Output").map_err(|f| f.error.cause)
}

#[test]
fn what_does_not_end_is_stopped() {
    let input = json::parse(r#"{"s":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#).unwrap();
    for text in [
        "(function($f) { $f($f) })(function($f) { $f($f) })",
        "($f := function($n) { $f($n + 1) }; $f(0))",
        "($f := function($n) { $f($n + 1) + 1 }; $f(0))",
        "($a := function($n) { $b($n) }; $b := function($n) { $a($n) }; $a(1))",
        "$map([1..3000], function($x) { $map([1..3000], function($y) { $x * $y }) })",
        "$reduce([1..60], function($s, $i) { $s & $s }, 'ab')",
        "[1..9999999]",
        "$pad('x', 2e9)",
        "$pad('x', -1e300)",
        "$string([1..400000])",
        "$join($map([1..100000], $string), $pad('', 100000))",
        "$replace($pad('', 1000000, 'a'), /a/, $pad('', 1000000))",
        "$replace($states.input.s, /(a+)+$/, 'b')",
        "$match($pad('', 100000, 'a'), /(a*)*b/)",
        "$reduce([1..20000], function($s, $i) { [$s] })",
        "$formatNumber(1, $pad('', 100000, '#'))",
        "$power(10, 400)",
        "$formatBase(1e300, 36)",
        "**.**.**.**",
        "$reduce([1..40], function($s, $i) { [$s, $s] }, [1, 2])",
        "$reduce([1..200], function($s, $i) { {'a': $s, 'b': $s} }, 1)",
        "($x := $reduce([1..200], function($s, $i) { {'a': $s, 'b': $s} }, 1); $x = $x)",
        "($x := $map([1..300], function($i) { $pad('', 1000000) }); $string($x))",
        "$replace($pad('', 500000, 'a'), /a/, function($m) { $pad('', 100000) })",
        "$match($pad('', 4000000, 'a'), /a/)",
        "$reduce([1..60], $append, [1, 2])",
    ] {
        // Whether it fails or not: it comes back.
        let _ = evaluate(text, &input);
    }
}

#[test]
fn deep_expressions_and_results_are_refused() {
    let input = Value::empty_object();
    for (open, close) in [("(", ")"), ("[", "]"), ("{'a':", "}"), ("-", ""), ("$not(", ")"), ("1 + (", ")")] {
        let text = format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
        assert!(evaluate(&text, &input).is_err(), "{open}");
    }
    let deep = evaluate("$reduce([1..2000], function($s, $i) { {'a': $s} }, 1)", &input);
    assert!(deep.unwrap_err().contains("large"));
    let long = format!("1{}", " + 1".repeat(20_000));
    let _ = evaluate(&long, &input);
}

/// A value of objects, lists and scalars under the names a, b and c.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1000_i64..1000).prop_map(Value::from),
        "[a-z]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[abc]", inner), 0..4)
                .prop_map(|members| Value::from(members.into_iter().collect::<Object>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_short_cut_gives_what_the_evaluator_gives(value in values(), names in prop::collection::vec("[abc]", 0..4)) {
        let path: String = names.iter().map(|name| format!(".{name}")).collect();
        let short = evaluate(&format!("$states.input{path}"), &value);
        // A block keeps the expression from being a plain path.
        let whole = evaluate(&format!("($x := 1; $states.input{path})"), &value);
        prop_assert_eq!(short.ok(), whole.ok());
    }

    #[test]
    fn any_text_is_evaluated_or_refused(text in r"[$a-c.\[\]{}()'0-9,:;=<>&|+*/%~^@# -]{0,40}", value in values()) {
        let _ = evaluate(&text, &value);
    }

    #[test]
    fn values_come_back_as_they_went_in(value in values()) {
        prop_assert_eq!(evaluate("($x := $states.input; {'v': $x}).v", &value).ok(), Some(value));
    }
}
