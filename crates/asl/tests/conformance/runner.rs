//! A small interpreter for what needs nothing outside of the language: no tasks, no time, no history.

use std::cell::Cell;
use std::collections::BTreeMap;

use stepwell_asl::jsonata::{QueryFailure, Scope, States};
use stepwell_asl::program::{
    Choice, Fail, FailText, Pass, Program, QueryLanguage, State, StateId, StateKind, Transition, Wait,
};
use stepwell_asl::template::Template;
use stepwell_asl::{Environment, Payload, StatesError, Value};

/// A context object and variables for an execution.
#[derive(Clone)]
pub(crate) struct Surroundings {
    context: Value,
    variables: BTreeMap<String, Value>,
    random: Cell<u64>,
}

impl Environment for Surroundings {
    fn context(&self) -> &Value {
        &self.context
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.get(name)
    }

    fn random_u64(&self) -> u64 {
        self.random.set(self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        self.random.get()
    }
}

impl Surroundings {
    pub(crate) fn new(context: Value) -> Self {
        Surroundings { context, variables: BTreeMap::new(), random: Cell::new(7) }
    }

    fn assign(&mut self, values: &Value) {
        for (name, value) in values.as_object().unwrap().iter() {
            self.variables.insert(name.to_string(), value.clone());
        }
    }
}

/// How an execution ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    Succeeded(Value),
    Failed(Option<String>, Option<String>),
}

#[derive(Debug)]
pub(crate) enum Stop {
    /// The execution needs what this runner does not have.
    NotHere,
    Error(StatesError),
    /// A Fail state inside of a branch.
    Failed(Option<String>, Option<String>),
}

impl From<StatesError> for Stop {
    fn from(error: StatesError) -> Stop {
        Stop::Error(error)
    }
}

impl From<QueryFailure> for Stop {
    fn from(failure: QueryFailure) -> Stop {
        Stop::Error(failure.error)
    }
}

/// Runs the machine to its end.
pub(crate) fn run(program: &Program, input: &str, environment: &mut Surroundings) -> Result<End, Stop> {
    match chain(program, program.start_at, Payload::parse(input).unwrap(), environment) {
        Ok(output) => Ok(End::Succeeded(output.value().clone())),
        Err(Stop::Failed(error, cause)) => Ok(End::Failed(error, cause)),
        Err(stop) => Err(stop),
    }
}

fn chain(program: &Program, start: StateId, input: Payload, env: &mut Surroundings) -> Result<Payload, Stop> {
    let (mut at, mut data) = (start, input);
    for _ in 0..1000 {
        let state = program.state(at);
        let (output, transition) = match &state.kind {
            StateKind::Pass(pass) => (self::pass(state, pass, &data, env)?, pass.transition),
            StateKind::Choice(choice) => {
                let (output, next) = self::choice(state, choice, &data, env)?;
                (output, Transition::Next(next))
            }
            StateKind::Wait(wait) => (self::wait(state, wait, &data, env)?, wait.transition),
            StateKind::Succeed(succeed) => {
                let output = match state.query_language {
                    QueryLanguage::JsonPath => {
                        succeed.output_path.apply(&succeed.input_path.apply(&data, env)?, env)?
                    }
                    QueryLanguage::Jsonata => query(succeed.output.as_ref(), "Output", &data, None, env)?,
                };
                (output, Transition::End)
            }
            StateKind::Fail(state_fields) => return Err(self::fail(state, state_fields, &data, env)?),
            StateKind::Task(_) => return Err(Stop::NotHere),
            StateKind::Parallel(parallel) => {
                (containers::parallel(program, state, parallel, &data, env)?, parallel.transition)
            }
            StateKind::Map(map) => (containers::map(program, state, map, &data, env)?, map.transition),
        };
        data = output;
        match transition {
            Transition::Next(next) => at = next,
            Transition::End => return Ok(data),
        }
    }
    Err(Stop::NotHere)
}

/// `Output` or `Arguments` of a JSONata state; without it the input or, once there is one, the result.
fn query(
    template: Option<&Template>,
    field: &str,
    input: &Payload,
    result: Option<&Payload>,
    env: &Surroundings,
) -> Result<Payload, Stop> {
    let Some(template) = template else { return Ok(result.unwrap_or(input).clone()) };
    let states = States { input: input.value(), result: result.map(Payload::value), error_output: None };
    Ok(Payload::from_value(template.evaluate_query(&Scope::new(states, env), field)?))
}

fn pass(state: &State, pass: &Pass, data: &Payload, env: &mut Surroundings) -> Result<Payload, Stop> {
    if state.query_language == QueryLanguage::Jsonata {
        let output = query(pass.output.as_ref(), "Output", data, None, env)?;
        if let Some(assign) = &pass.assign {
            let assigned = query(Some(&assign.0), "Assign", data, None, env)?;
            env.assign(assigned.value());
        }
        return Ok(output);
    }
    let effective = pass.input_path.apply(data, env)?;
    let mut result = effective.clone();
    if let Some(parameters) = &pass.parameters {
        result = Payload::from_value(parameters.evaluate(effective.value(), env)?);
    }
    if let Some(value) = &pass.result {
        result = Payload::from_value(value.clone());
    }
    let assigned = match &pass.assign {
        Some(assign) => assign.0.evaluate(result.value(), env)?,
        None => Value::empty_object(),
    };
    let merged = pass.result_path.apply(data, result)?;
    let output = pass.output_path.apply(&merged, env)?;
    env.assign(&assigned);
    Ok(output)
}

fn choice(
    state: &State,
    choice: &Choice,
    data: &Payload,
    env: &mut Surroundings,
) -> Result<(Payload, StateId), Stop> {
    if state.query_language == QueryLanguage::Jsonata {
        let states = States { input: data.value(), result: None, error_output: None };
        let mut taken = None;
        for (i, rule) in choice.rules.iter().enumerate() {
            let scope = Scope::new(states, &*env);
            if rule.condition.evaluate_query(&scope, &format!("Choices[{i}]/Condition"))? {
                taken = Some((rule.next, &rule.assign, &rule.output));
                break;
            }
        }
        let default = choice.default.map(|next| (next, &choice.assign, &choice.output));
        let (next, assign, output) = taken.or(default).ok_or(Stop::NotHere)?;
        let output = query(output.as_ref(), "Output", data, None, env)?;
        if let Some(assign) = assign {
            let assigned = query(Some(&assign.0), "Assign", data, None, env)?;
            env.assign(assigned.value());
        }
        return Ok((output, next));
    }
    let effective = choice.input_path.apply(data, env)?;
    let mut taken = choice.default.map(|next| (next, &choice.assign));
    for rule in &choice.rules {
        if rule.condition.evaluate(effective.value(), env)? {
            taken = Some((rule.next, &rule.assign));
            break;
        }
    }
    let (next, assign) = taken.ok_or(Stop::NotHere)?;
    let output = choice.output_path.apply(&effective, env)?;
    if let Some(assign) = assign {
        let values = assign.0.evaluate(effective.value(), env)?;
        env.assign(&values);
    }
    Ok((output, next))
}

fn wait(state: &State, wait: &Wait, data: &Payload, env: &mut Surroundings) -> Result<Payload, Stop> {
    if state.query_language == QueryLanguage::Jsonata {
        let states = States { input: data.value(), result: None, error_output: None };
        wait.until.resolve_query(&Scope::new(states, &*env))?;
        return query(wait.output.as_ref(), "Output", data, None, env);
    }
    let effective = wait.input_path.apply(data, env)?;
    wait.until.resolve(effective.value(), env)?;
    Ok(wait.output_path.apply(&effective, env)?)
}

fn fail(state: &State, fail: &Fail, data: &Payload, env: &Surroundings) -> Result<Stop, Stop> {
    let text = |field: &Option<FailText>, name, path_name| -> Result<Option<String>, Stop> {
        let Some(field) = field else { return Ok(None) };
        let states = States { input: data.value(), result: None, error_output: None };
        Ok(Some(match state.query_language {
            QueryLanguage::JsonPath => field.resolve(path_name, data.value(), env)?.to_string(),
            QueryLanguage::Jsonata => field.resolve_query(name, &Scope::new(states, env))?.to_string(),
        }))
    };
    Ok(Stop::Failed(text(&fail.error, "Error", "ErrorPath")?, text(&fail.cause, "Cause", "CausePath")?))
}

/// Parallel and inline Map, one branch or iteration after the other.
mod containers {
    use stepwell_asl::program::{Assign, Map, Parallel, PathField, ProcessorMode, ResultPath};
    use stepwell_asl::value::Object;

    use super::*;

    pub(super) fn parallel(
        program: &Program,
        state: &State,
        parallel: &Parallel,
        data: &Payload,
        env: &mut Surroundings,
    ) -> Result<Payload, Stop> {
        if !parallel.retry.is_empty() || !parallel.catch.is_empty() {
            return Err(Stop::NotHere);
        }
        let mut input = query(parallel.arguments.as_ref(), "Arguments", data, None, env)?;
        if state.query_language == QueryLanguage::JsonPath {
            input = parallel.input_path.apply(data, env)?;
            if let Some(parameters) = &parallel.parameters {
                input = Payload::from_value(parameters.evaluate(input.value(), env)?);
            }
        }
        let mut outputs = Vec::new();
        for branch in &parallel.branches {
            outputs.push(chain(program, branch.start_at, input.clone(), &mut env.clone())?.value().clone());
        }
        let fields = Leaving {
            result_selector: &parallel.result_selector,
            result_path: &parallel.result_path,
            output_path: &parallel.output_path,
            output: &parallel.output,
            assign: &parallel.assign,
        };
        leave(state, &fields, data, outputs, env)
    }

    pub(super) fn map(
        program: &Program,
        state: &State,
        map: &Map,
        data: &Payload,
        env: &mut Surroundings,
    ) -> Result<Payload, Stop> {
        let distributed = map.processor.mode != ProcessorMode::Inline;
        if !map.retry.is_empty()
            || !map.catch.is_empty()
            || map.distributed.item_reader.is_some()
            || distributed
        {
            return Err(Stop::NotHere);
        }
        let effective = map.input_path.apply(data, env)?;
        let states = States { input: data.value(), result: None, error_output: None };
        if let Some(limit) = &map.max_concurrency {
            match state.query_language {
                QueryLanguage::JsonPath => limit.resolve("MaxConcurrency", effective.value(), env)?,
                QueryLanguage::Jsonata => {
                    limit.resolve_query("MaxConcurrency", &Scope::new(states, &*env))?
                }
            };
        }
        let items = match state.query_language {
            QueryLanguage::JsonPath => map.items.resolve(effective.value(), &*env)?,
            QueryLanguage::Jsonata => map.items.resolve_query(&Scope::new(states, &*env))?,
        };
        let Value::Array(items) = items else { return Err(Stop::NotHere) };
        let mut outputs = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let mut inner = env.clone();
            let place: Object =
                [("Index", Value::from(i as i64)), ("Value", item.clone())].into_iter().collect();
            let place: Object = [("Item", place)].into_iter().collect();
            let mut context = env.context.as_object().unwrap().clone();
            context.insert("Map", place);
            inner.context = context.into();
            let input = match &map.item_selector {
                None => Payload::from_value(item.clone()),
                Some(selector) if state.query_language == QueryLanguage::JsonPath => {
                    Payload::from_value(selector.evaluate(effective.value(), &inner)?)
                }
                Some(selector) => query(Some(selector), "ItemSelector", data, None, &inner)?,
            };
            outputs.push(chain(program, map.processor.start_at, input, &mut inner)?.value().clone());
        }
        let fields = Leaving {
            result_selector: &map.result_selector,
            result_path: &map.result_path,
            output_path: &map.output_path,
            output: &map.output,
            assign: &map.assign,
        };
        leave(state, &fields, data, outputs, env)
    }

    struct Leaving<'a> {
        result_selector: &'a Option<Template>,
        result_path: &'a ResultPath,
        output_path: &'a PathField,
        output: &'a Option<Template>,
        assign: &'a Option<Assign>,
    }

    fn leave(
        state: &State,
        fields: &Leaving<'_>,
        data: &Payload,
        outputs: Vec<Value>,
        env: &mut Surroundings,
    ) -> Result<Payload, Stop> {
        let mut result = Payload::from_value(outputs.into());
        if state.query_language == QueryLanguage::Jsonata {
            let output = query(fields.output.as_ref(), "Output", data, Some(&result), env)?;
            if let Some(assign) = fields.assign {
                let assigned = query(Some(&assign.0), "Assign", data, Some(&result), env)?;
                env.assign(assigned.value());
            }
            return Ok(output);
        }
        if let Some(selector) = fields.result_selector {
            result = Payload::from_value(selector.evaluate(result.value(), env)?);
        }
        let assigned = match fields.assign {
            Some(assign) => assign.0.evaluate(result.value(), env)?,
            None => Value::empty_object(),
        };
        let output = fields.output_path.apply(&fields.result_path.apply(data, result)?, env)?;
        env.assign(&assigned);
        Ok(output)
    }
}
