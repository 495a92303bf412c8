//! Templates against what they evaluate to: the cases are the Markdown files in `tests/spec`.
//!
//! A case is a heading, a block `template`, optionally a block `parameters` (JSON), and either a block `json` (the
//! evaluated properties of all resources that exist, by logical id, and the outputs under `Outputs`) or a block
//! `error` whose lines are the problems. `Ref` of a resource gives `<Name>`, an attribute `<Name.Attribute>`.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use stepwell_aws::Account;
use stepwell_deploy::intrinsics::{Evaluator, Lookup, Pseudo, Resources, Scope, check_rules, conditions};
use stepwell_deploy::parameters::{ParameterError, resolve};
use stepwell_deploy::{NoParameters, Problem, Template};

struct Named<'t>(&'t Template);

impl Resources for Named<'_> {
    fn reference(&self, logical_id: &str) -> Lookup {
        match self.0.resources.contains_key(logical_id) {
            true => Lookup::Value(json!(format!("<{logical_id}>"))),
            false => Lookup::Missing,
        }
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Lookup {
        match self.0.resources.contains_key(logical_id) {
            true => Lookup::Value(json!(format!("<{logical_id}.{attribute}>"))),
            false => Lookup::Missing,
        }
    }
}

fn evaluate(text: &str, given: &BTreeMap<String, String>) -> Result<Value, Vec<Problem>> {
    let template = Template::parse(text).map_err(|error| error.problems)?;
    let pseudo = Pseudo {
        account: Account::default(),
        stack_name: "demo".into(),
        stack_id: "arn:aws:cloudformation:us-east-1:000000000000:stack/demo/1".into(),
    };
    let parameters = support::block_on(resolve(&template, given, &BTreeMap::new(), &NoParameters));
    let parameters = match parameters {
        Ok(parameters) => parameters,
        Err(ParameterError::Problems(problems)) => return Err(problems),
        Err(ParameterError::Store(error)) => panic!("{error}"),
    };
    let conditions = conditions(&template, &pseudo, &parameters.values)?;
    let exports = BTreeMap::from([("shared-topic".to_owned(), "arn:of:topic".to_owned())]);
    let named = Named(&template);
    let scope = Scope {
        template: &template,
        pseudo: &pseudo,
        parameters: &parameters.values,
        conditions: &conditions,
        resources: &named,
        exports: &exports,
    };
    check_rules(scope)?;
    let holds = |condition: &Option<String>| condition.as_ref().is_none_or(|name| conditions[name]);
    let mut evaluated = Map::new();
    for (name, decl) in template.resources.iter().filter(|(_, decl)| holds(&decl.condition)) {
        let mut evaluator = Evaluator::new(scope, &format!("Resources/{name}/Properties"));
        let value = evaluator.value(&decl.properties).map_err(|problem| vec![problem])?;
        evaluated.insert(name.clone(), value.unwrap_or_default());
    }
    let mut outputs = Map::new();
    for (name, decl) in template.outputs.iter().filter(|(_, decl)| holds(&decl.condition)) {
        let mut evaluator = Evaluator::new(scope, &format!("Outputs/{name}/Value"));
        let value = evaluator.text(&decl.value).map_err(|problem| vec![problem])?;
        outputs.insert(name.clone(), json!(value));
    }
    if !outputs.is_empty() {
        evaluated.insert("Outputs".into(), outputs.into());
    }
    Ok(evaluated.into())
}

#[derive(Default)]
struct Case {
    title: String,
    blocks: BTreeMap<String, String>,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match (&open, line.strip_prefix("```")) {
            (None, Some(kind)) => {
                open = Some(kind.to_owned());
                cases
                    .last_mut()
                    .expect("a block follows a heading")
                    .blocks
                    .insert(kind.to_owned(), String::new());
            }
            (Some(_), Some(_)) => open = None,
            (Some(kind), None) => {
                let block =
                    cases.last_mut().and_then(|case| case.blocks.get_mut(kind)).expect("the block is open");
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {
                if let Some(title) = line.strip_prefix("## ") {
                    cases.push(Case { title: title.to_owned(), ..Case::default() });
                }
            }
        }
    }
    cases
}

#[test]
fn every_case_evaluates_to_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of cases") {
        let path = entry.expect("an entry").path();
        for case in cases(&std::fs::read_to_string(&path).expect("a file of cases")) {
            count += 1;
            let given = case.blocks.get("parameters").map_or_else(BTreeMap::new, |text| {
                serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", case.title))
            });
            let template =
                case.blocks.get("template").unwrap_or_else(|| panic!("{}: no template", case.title));
            let outcome = evaluate(template, &given);
            if let Some(expected) = case.blocks.get("json") {
                let expected: Value =
                    serde_json::from_str(expected).unwrap_or_else(|error| panic!("{}: {error}", case.title));
                if outcome.as_ref() != Ok(&expected) {
                    wrong.push(format!("{}\n  expected {expected}\n  got      {outcome:?}", case.title));
                }
            } else {
                let expected: Vec<&str> = case.blocks["error"].lines().collect();
                let got = match &outcome {
                    Ok(value) => vec![format!("no error: {value}")],
                    Err(problems) => problems.iter().map(ToString::to_string).collect(),
                };
                if got != expected {
                    wrong.push(format!("{}\n  expected {expected:#?}\n  got      {got:#?}", case.title));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 30, "only {count} cases found");
}
