//! The steps of each type of state, with a note of what is seen between them.

use std::cell::Cell;
use std::sync::Arc;

use serde_json::Value as Json;
use stepwell_asl::environment::StatesError;
use stepwell_asl::fields::WaitTarget;
use stepwell_asl::jsonata::{Scope, States};
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{
    Assign, Choice, CountField, Fail, FailText, ItemBatcher, Map, Parallel, Pass, PathField, QueryLanguage,
    Resource, ResultPath, StateId, StateKind, Succeed, Task, Transition, Wait,
};
use stepwell_asl::template::Template;
use stepwell_asl::value::{Object, Value};
use stepwell_engine::HttpExchange;
use stepwell_interpreter::Batching;

use super::context::{Surroundings, with_item};
use super::failure::Failure;
use super::items;
use super::{Inspection, Mock, TaskError, Tested, Trial};
use crate::limits::PAYLOAD_BYTES_MAX;

/// How far a state came by itself.
#[derive(Debug)]
pub(crate) enum Begun {
    /// To its end: the answer.
    Ended(Json),
    /// It waits until so many milliseconds since 1970.
    Waiting(i64, Paused),
    /// It calls a task.
    Calling(Call, Paused),
}

/// What to call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) resource: Resource,
    pub(crate) parameters: Payload,
    pub(crate) role_arn: String,
}

/// What was seen up to the pause.
#[derive(Debug)]
pub(crate) struct Paused(Inspection);

impl Paused {
    /// Takes note of what the state's HTTP task has sent and got.
    pub(crate) fn note_exchange(&mut self, exchange: HttpExchange) {
        self.0.note_exchange(exchange);
    }
}

/// Runs a state up to its end, or to the point where it needs somebody else.
pub(crate) fn begin(trial: &Trial) -> Begun {
    let mut work = Work::new(trial, Inspection::default());
    work.inspection.note("input", &trial.input);
    match work.begin() {
        Ok(Step::Ended(tested)) => Begun::Ended(work.answer(tested)),
        Ok(Step::Waiting(due_ms)) => Begun::Waiting(due_ms, Paused(work.inspection)),
        Ok(Step::Calling(call)) => Begun::Calling(call, Paused(work.inspection)),
        Err(failure) => {
            let tested = work.recover(failure);
            Begun::Ended(work.answer(tested))
        }
    }
}

/// Ends a state that has paused: `reply` is what its task gave, or nothing where it only waited.
pub(crate) fn end(trial: &Trial, paused: Paused, reply: Option<Result<Payload, TaskError>>) -> Json {
    let mut work = Work::new(trial, paused.0);
    let done = match (&trial.state().kind, reply) {
        (StateKind::Task(task), Some(Ok(result))) => work.task_ended(task, result),
        (StateKind::Wait(wait), None) => work.wait_ended(wait),
        (_, Some(Err(error))) => Err(error.into()),
        _ => Err(StatesError::runtime("The state has no reply to wait for.").into()),
    };
    let tested = done.unwrap_or_else(|failure| work.recover(failure));
    work.answer(tested)
}

enum Step {
    Ended(Tested),
    Waiting(i64),
    Calling(Call),
}

/// The fields by which a state is left. Those of the other query language are absent.
pub(super) struct Leaving<'a> {
    pub(super) result_selector: Option<&'a Template>,
    pub(super) result_path: &'a ResultPath,
    pub(super) output_path: &'a PathField,
    pub(super) output: Option<&'a Template>,
    pub(super) assign: Option<&'a Assign>,
    pub(super) next: Option<StateId>,
    /// What stands before the names of JSONata fields in AWS's texts.
    pub(super) location: &'a str,
}

/// What a state has come to.
pub(super) enum Outcome {
    /// It has only its effective input, which goes on.
    Input(Payload),
    /// A result, and whether the steps that it goes through are shown.
    Result(Payload),
    /// An error that a catcher has caught.
    Caught(Payload),
}

/// A state at work.
pub(super) struct Work<'a> {
    pub(super) trial: &'a Trial,
    pub(super) inspection: Inspection,
    surroundings: Surroundings<'a>,
}

impl<'a> Work<'a> {
    fn new(trial: &'a Trial, inspection: Inspection) -> Work<'a> {
        let surroundings = Surroundings {
            context: &trial.context,
            variables: &trial.variables,
            entropy: Cell::new(trial.entropy),
        };
        Work { trial, inspection, surroundings }
    }

    fn answer(mut self, tested: Tested) -> Json {
        let shown = self.inspection.0.contains_key("variables");
        if !shown && !self.trial.variables.is_empty() {
            let variables = Payload::from_value(self.trial.variables.clone().into());
            self.inspection.note("variables", &variables);
        }
        tested.into_answer(self.trial.inspects.then_some(self.inspection))
    }

    fn begin(&mut self) -> Result<Step, Failure> {
        let trial = self.trial;
        let tested = match &trial.state().kind {
            StateKind::Pass(pass) => self.pass(pass)?,
            StateKind::Task(task) => return self.task(task),
            StateKind::Choice(choice) => self.choice(choice)?,
            StateKind::Wait(wait) => return self.wait(wait),
            StateKind::Succeed(succeed) => self.succeed(succeed)?,
            StateKind::Fail(fail) => self.fail(fail)?,
            StateKind::Parallel(parallel) => self.parallel(parallel)?,
            StateKind::Map(map) => self.map(map)?,
        };
        Ok(Step::Ended(tested))
    }

    fn is_jsonata(&self) -> bool {
        self.trial.state().query_language == QueryLanguage::Jsonata
    }

    fn scope(&self) -> Scope<'_> {
        let input = self.trial.input.value();
        Scope::new(States { input, result: None, error_output: None }, &self.surroundings)
    }

    /// `InputPath`, which only JSONPath has.
    fn input(&mut self, path: &PathField) -> Result<Payload, Failure> {
        if self.is_jsonata() {
            return Ok(self.trial.input.clone());
        }
        let effective = path.apply(&self.trial.input, &self.surroundings)?;
        self.inspection.note("afterInputPath", &effective);
        Ok(effective)
    }

    /// `Parameters` or `Arguments`.
    fn parameters(
        &mut self,
        effective: Payload,
        parameters: Option<&Template>,
        arguments: Option<&Template>,
    ) -> Result<Payload, Failure> {
        let (member, made) = if self.is_jsonata() {
            let made =
                arguments.map(|template| template.evaluate_query(&self.scope(), "Arguments")).transpose()?;
            ("afterArguments", made)
        } else {
            let evaluate = |template: &Template| template.evaluate(effective.value(), &self.surroundings);
            ("afterParameters", parameters.map(evaluate).transpose()?)
        };
        let made = made.map_or(effective, Payload::from_value);
        self.inspection.note(member, &made);
        Ok(made)
    }

    fn pass(&mut self, pass: &Pass) -> Result<Tested, Failure> {
        let outcome = match &pass.result {
            _ if self.is_jsonata() => Outcome::Input(self.trial.input.clone()),
            Some(result) => {
                let result = Payload::from_value(result.clone());
                self.inspection.note("result", &result);
                Outcome::Result(result)
            }
            None => {
                let effective = self.input(&pass.input_path)?;
                Outcome::Result(self.parameters(effective, pass.parameters.as_ref(), None)?)
            }
        };
        let leaving = Leaving {
            result_selector: None,
            result_path: &pass.result_path,
            output_path: &pass.output_path,
            output: pass.output.as_ref(),
            assign: pass.assign.as_ref(),
            next: target(pass.transition),
            location: "",
        };
        self.leave(&leaving, &outcome)
    }

    fn choice(&mut self, choice: &Choice) -> Result<Tested, Failure> {
        let effective = self.input(&choice.input_path)?;
        let mut taken = None;
        for (index, rule) in choice.rules.iter().enumerate() {
            let holds = if self.is_jsonata() {
                rule.condition.evaluate_query(&self.scope(), &format!("Choices[{index}]/Condition"))?
            } else {
                rule.condition.evaluate(effective.value(), &self.surroundings)?
            };
            if holds {
                taken = Some((rule.next, &rule.output, &rule.assign, format!("Choices[{index}]/")));
                break;
            }
        }
        let default = || choice.default.map(|next| (next, &choice.output, &choice.assign, String::new()));
        let Some((next, output, assign, location)) = taken.or_else(default) else {
            let cause = "Failed to transition out of the state. The state does not point to a next state.";
            return Err(StatesError::runtime(cause).into());
        };
        let leaving = Leaving {
            result_selector: None,
            result_path: &ResultPath::Replace,
            output_path: &choice.output_path,
            output: output.as_ref(),
            assign: assign.as_ref(),
            next: Some(next),
            location: &location,
        };
        self.leave(&leaving, &Outcome::Input(effective))
    }

    fn succeed(&mut self, succeed: &Succeed) -> Result<Tested, Failure> {
        let effective = self.input(&succeed.input_path)?;
        let leaving = Leaving {
            result_selector: None,
            result_path: &ResultPath::Replace,
            output_path: &succeed.output_path,
            output: succeed.output.as_ref(),
            assign: None,
            next: None,
            location: "",
        };
        self.leave(&leaving, &Outcome::Input(effective))
    }

    fn fail(&mut self, fail: &Fail) -> Result<Tested, Failure> {
        self.input(&PathField::Whole)?;
        let resolve = |text: &Option<FailText>, field, path_field| -> Result<Option<Arc<str>>, Failure> {
            let Some(text) = text else { return Ok(None) };
            if self.is_jsonata() {
                return Ok(Some(text.resolve_query(field, &self.scope())?));
            }
            Ok(Some(text.resolve(path_field, self.trial.input.value(), &self.surroundings)?))
        };
        Ok(Tested {
            status: "FAILED",
            error: resolve(&fail.error, "Error", "ErrorPath")?,
            cause: resolve(&fail.cause, "Cause", "CausePath")?,
            ..Tested::default()
        })
    }

    fn wait(&mut self, wait: &Wait) -> Result<Step, Failure> {
        let effective = self.input(&wait.input_path)?;
        let until = if self.is_jsonata() {
            wait.until.resolve_query(&self.scope())?
        } else {
            wait.until.resolve(effective.value(), &self.surroundings)?
        };
        let due_ms = match until {
            WaitTarget::Seconds(seconds) => {
                self.trial.now_ms.saturating_add_unsigned(seconds.saturating_mul(1000))
            }
            WaitTarget::At(timestamp) => timestamp.epoch_ms(),
        };
        if due_ms <= self.trial.now_ms {
            return self.wait_ended(wait).map(Step::Ended);
        }
        Ok(Step::Waiting(due_ms))
    }

    fn wait_ended(&mut self, wait: &Wait) -> Result<Tested, Failure> {
        let effective = self.input(&wait.input_path)?;
        let leaving = Leaving {
            result_selector: None,
            result_path: &ResultPath::Replace,
            output_path: &wait.output_path,
            output: wait.output.as_ref(),
            assign: wait.assign.as_ref(),
            next: target(wait.transition),
            location: "",
        };
        self.leave(&leaving, &Outcome::Input(effective))
    }

    fn task(&mut self, task: &Task) -> Result<Step, Failure> {
        let effective = self.input(&task.input_path)?;
        let parameters = self.parameters(effective, task.parameters.as_ref(), task.arguments.as_ref())?;
        match &self.trial.mock {
            Some(Mock::Result(result)) => self.task_ended(task, result.clone()).map(Step::Ended),
            Some(Mock::Error(error)) => Err(error.clone().into()),
            None => Ok(Step::Calling(Call {
                resource: task.resource.clone(),
                parameters,
                role_arn: self.trial.role_arn.clone().unwrap_or_default(),
            })),
        }
    }

    fn task_ended(&mut self, task: &Task, result: Payload) -> Result<Tested, Failure> {
        self.inspection.note("result", &result);
        let leaving = Leaving {
            result_selector: task.result_selector.as_ref(),
            result_path: &task.result_path,
            output_path: &task.output_path,
            output: task.output.as_ref(),
            assign: task.assign.as_ref(),
            next: target(task.transition),
            location: "",
        };
        self.leave(&leaving, &Outcome::Result(result))
    }

    fn parallel(&mut self, parallel: &Parallel) -> Result<Tested, Failure> {
        // AWS does not show what the branches get, but evaluates it.
        let seen = self.inspection.clone();
        let effective = self.input(&parallel.input_path)?;
        self.parameters(effective, parallel.parameters.as_ref(), parallel.arguments.as_ref())?;
        self.inspection = seen;
        let leaving = Leaving {
            result_selector: parallel.result_selector.as_ref(),
            result_path: &parallel.result_path,
            output_path: &parallel.output_path,
            output: parallel.output.as_ref(),
            assign: parallel.assign.as_ref(),
            next: target(parallel.transition),
            location: "",
        };
        let result = self.mocked()?;
        self.leave(&leaving, &Outcome::Result(result))
    }

    fn map(&mut self, map: &Map) -> Result<Tested, Failure> {
        let effective = self.input(&map.input_path)?;
        let tolerated = self.map_limits(map, &effective)?;
        let items = self.items(map, &effective)?;
        let result = self.mocked()?;
        let iterations = items.or_else(|| result.value().as_array().map(<[Value]>::len)).unwrap_or(0);
        if tolerated.is_exceeded(self.trial.failed_iterations, iterations) {
            let cause = "The specified tolerated failure threshold was exceeded";
            let error = "States.ExceedToleratedFailureThreshold";
            return Err(StatesError { error, cause: cause.into(), names_state: false }.into());
        }
        let leaving = Leaving {
            result_selector: map.result_selector.as_ref(),
            result_path: &map.result_path,
            output_path: &map.output_path,
            output: map.output.as_ref(),
            assign: map.assign.as_ref(),
            next: target(map.transition),
            location: "",
        };
        self.leave(&leaving, &Outcome::Result(result))
    }

    /// What the mock gives in the place of all branches or iterations.
    fn mocked(&self) -> Result<Payload, Failure> {
        match &self.trial.mock {
            Some(Mock::Result(result)) => Ok(result.clone()),
            Some(Mock::Error(error)) => Err(error.clone().into()),
            None => Err(StatesError::runtime("The state needs a mock.").into()),
        }
    }

    /// The items, noted; how many there are, where that is known.
    fn items(&mut self, map: &Map, effective: &Payload) -> Result<Option<usize>, Failure> {
        let items = if let Some(reader) = &map.distributed.item_reader {
            let Some(data) = &self.trial.reader_data else { return Ok(None) };
            match &reader.items_pointer {
                Some(pointer) => {
                    let items = items::pointed(data.value(), pointer)?.clone();
                    self.inspection.note("afterItemsPointer", &Payload::from_value(items.clone()));
                    items
                }
                None => data.value().clone(),
            }
        } else if self.is_jsonata() {
            map.items.resolve_query(&self.scope())?
        } else {
            let items = map.items.resolve(effective.value(), &self.surroundings)?;
            self.inspection.note("afterItemsPath", &Payload::from_value(items.clone()));
            items
        };
        let Some(elements) = items.as_array() else { return Ok(None) };
        let mut inputs = elements.to_vec();
        if let Some(selector) = &map.item_selector {
            for (index, item) in elements.iter().enumerate() {
                inputs[index] = self.select(selector, effective, index, item)?;
            }
            self.inspection.note("afterItemSelector", &Payload::from_value(inputs.clone().into()));
        }
        if let Some(batcher) = &map.distributed.item_batcher {
            let inputs: Vec<Payload> = inputs.into_iter().map(Payload::from_value).collect();
            let batches = self.batching(batcher, effective)?.cut(&inputs);
            let batches: Vec<Value> = batches.iter().map(|(batch, _)| batch.value().clone()).collect();
            self.inspection.note("afterItemBatcher", &Payload::from_value(batches.into()));
        }
        Ok(Some(elements.len()))
    }

    fn batching(&self, batcher: &ItemBatcher, effective: &Payload) -> Result<Batching, Failure> {
        let count = |name: &'static str, field: &Option<CountField>| -> Result<Option<u32>, Failure> {
            Ok(match field {
                None => None,
                Some(field) if self.is_jsonata() => Some(field.resolve_query(name, &self.scope())?),
                Some(field) => Some(field.resolve(name, effective.value(), &self.surroundings)?),
            })
        };
        Ok(Batching {
            items_max: count("MaxItemsPerBatch", &batcher.max_items_per_batch)?,
            bytes_max: count("MaxInputBytesPerBatch", &batcher.max_input_bytes_per_batch)?,
            common: match &batcher.batch_input {
                None => None,
                Some(template) if self.is_jsonata() => {
                    Some(template.evaluate_query(&self.scope(), "ItemBatcher/BatchInput")?)
                }
                Some(template) => Some(template.evaluate(effective.value(), &self.surroundings)?),
            },
        })
    }

    fn select(
        &self,
        selector: &Template,
        effective: &Payload,
        index: usize,
        item: &Value,
    ) -> Result<Value, Failure> {
        let context = with_item(&self.trial.context, index, item);
        let surroundings = Surroundings {
            context: &context,
            variables: &self.trial.variables,
            entropy: Cell::new(self.surroundings.entropy.get()),
        };
        if !self.is_jsonata() {
            return Ok(selector.evaluate(effective.value(), &surroundings)?);
        }
        let input = self.trial.input.value();
        let scope = Scope::new(States { input, result: None, error_output: None }, &surroundings);
        Ok(selector.evaluate_query(&scope, "ItemSelector")?)
    }

    /// Concurrency and tolerated failures, noted as far as the state sets them.
    fn map_limits(&mut self, map: &Map, effective: &Payload) -> Result<Tolerated, Failure> {
        let is_jsonata = self.is_jsonata();
        let (mut concurrency, mut tolerated) = (0, Tolerated::default());
        for (field, setting) in [
            ("MaxConcurrency", &map.max_concurrency),
            ("ToleratedFailureCount", &map.distributed.tolerated_failure_count),
        ] {
            let Some(setting) = setting else { continue };
            let count = if is_jsonata {
                setting.resolve_query(field, &self.scope())?
            } else {
                setting.resolve(field, effective.value(), &self.surroundings)?
            };
            match field {
                "MaxConcurrency" => concurrency = count,
                _ => tolerated.count = Some(count),
            }
        }
        if let Some(setting) = &map.distributed.tolerated_failure_percentage {
            tolerated.percentage = Some(if is_jsonata {
                setting.resolve_query(&self.scope())?
            } else {
                setting.resolve(effective.value(), &self.surroundings)?
            });
        }
        self.inspection.note_value("maxConcurrency", concurrency);
        if let Some(count) = tolerated.count {
            self.inspection.note_value("toleratedFailureCount", count);
        }
        if let Some(percentage) = tolerated.percentage {
            self.inspection.note_value("toleratedFailurePercentage", percentage);
        }
        Ok(tolerated)
    }

    /// From what a state has come to, to its output and variables.
    pub(super) fn leave(&mut self, leaving: &Leaving<'_>, outcome: &Outcome) -> Result<Tested, Failure> {
        let (output, assigned) = if self.is_jsonata() {
            self.by_jsonata(leaving, outcome)?
        } else {
            self.by_jsonpath(leaving, outcome)?
        };
        if output.is_longer_than(PAYLOAD_BYTES_MAX) {
            let name = &self.trial.state().name;
            let cause = format!(
                "The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service \
                 limit."
            );
            return Err(StatesError { error: "States.DataLimitExceeded", cause, names_state: false }.into());
        }
        if let Some(assigned) = assigned.as_ref().and_then(Value::as_object) {
            let mut variables: Object = self.trial.variables.clone();
            for (name, value) in assigned.iter() {
                variables.insert(name.clone(), value.clone());
            }
            self.inspection.note("variables", &Payload::from_value(variables.into()));
        }
        let next = leaving.next.map(|id| self.trial.program.state(id).name.clone());
        Ok(Tested { status: "SUCCEEDED", output: Some(output), next, ..Tested::default() })
    }

    fn by_jsonpath(
        &mut self,
        leaving: &Leaving<'_>,
        outcome: &Outcome,
    ) -> Result<(Payload, Option<Value>), Failure> {
        let (result, is_shown) = match outcome {
            Outcome::Input(effective) => (effective.clone(), false),
            Outcome::Result(result) => (result.clone(), true),
            Outcome::Caught(result) => (result.clone(), false),
        };
        let result = match leaving.result_selector {
            Some(template) => Payload::from_value(template.evaluate(result.value(), &self.surroundings)?),
            None => result,
        };
        if is_shown {
            self.inspection.note("afterResultSelector", &result);
        }
        let assigned = match leaving.assign {
            Some(Assign(template)) => Some(template.evaluate(result.value(), &self.surroundings)?),
            None => None,
        };
        let placed = match outcome {
            Outcome::Input(_) => result,
            _ => leaving.result_path.apply(&self.trial.input, result)?,
        };
        if is_shown {
            self.inspection.note("afterResultPath", &placed);
        }
        Ok((leaving.output_path.apply(&placed, &self.surroundings)?, assigned))
    }

    fn by_jsonata(
        &self,
        leaving: &Leaving<'_>,
        outcome: &Outcome,
    ) -> Result<(Payload, Option<Value>), Failure> {
        let raw = &self.trial.input;
        let (default, result, error_output) = match outcome {
            Outcome::Input(_) => (raw, None, None),
            Outcome::Result(result) => (result, Some(result.value()), None),
            Outcome::Caught(error_output) => (error_output, None, Some(error_output.value())),
        };
        let scope = Scope::new(States { input: raw.value(), result, error_output }, &self.surroundings);
        let at = |field: &str| format!("{}{field}", leaving.location);
        let output = match leaving.output {
            Some(template) => Payload::from_value(template.evaluate_query(&scope, &at("Output"))?),
            None => default.clone(),
        };
        let assigned = match leaving.assign {
            Some(Assign(template)) => Some(template.evaluate_query(&scope, &at("Assign"))?),
            None => None,
        };
        Ok((output, assigned))
    }
}

/// What a Map state bears.
#[derive(Default)]
struct Tolerated {
    count: Option<u32>,
    percentage: Option<f64>,
}

impl Tolerated {
    /// Whether so many failures are too many. Without a setting nothing is: the mock has said what comes of it.
    fn is_exceeded(&self, failed: u32, iterations: usize) -> bool {
        let over_count = self.count.is_some_and(|count| failed > count);
        let over_percentage = self
            .percentage
            .is_some_and(|percentage| f64::from(failed) * 100.0 > percentage * iterations as f64);
        over_count || over_percentage
    }
}

fn target(transition: Transition) -> Option<StateId> {
    match transition {
        Transition::Next(id) => Some(id),
        Transition::End => None,
    }
}
