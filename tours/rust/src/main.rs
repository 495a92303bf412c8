//! The tour with the AWS SDK for Rust.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sfn::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_sfn::config::{BehaviorVersion, ConfigBag, Intercept, Region, RuntimeComponents};
use aws_sdk_sfn::error::{BoxError, ProvideErrorMetadata};
use aws_sdk_sfn::operation::create_state_machine::builders::CreateStateMachineFluentBuilder;
use aws_sdk_sfn::types::{ExecutionStatus, RoutingConfigurationListItem, StateMachineType, Tag};
use aws_sdk_sfn::{Client, Config};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const ROLE: &str = "arn:aws:iam::000000000000:role/tour";
const STATES: &str = "arn:aws:states:us-east-1:000000000000";
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let tour = Tour { states: client()? };
    let machine = tour.a_machine().await?;
    tour.versions_and_an_alias(&machine).await?;
    tour.a_worker().await?;
    tour.a_callback().await?;
    tour.express().await?;
    tour.the_end(&machine).await
}

/// A client of the server that the usual variables name. The crate that reads them for the SDK would bring TLS along.
fn client() -> Outcome<Client> {
    let key = env::var("AWS_ACCESS_KEY_ID")?;
    let secret = env::var("AWS_SECRET_ACCESS_KEY")?;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(env::var("AWS_ENDPOINT_URL")?)
        .region(Region::new(env::var("AWS_REGION")?))
        .credentials_provider(Credentials::new(key, secret, None, None, "environment"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .interceptor(NoHostPrefix)
        .build();
    Ok(Client::from_conf(config))
}

/// Takes the `sync-` from the host again, which with an address for a host nobody can resolve. The SDK has no setting
/// for that.
#[derive(Debug)]
struct NoHostPrefix;

impl Intercept for NoHostPrefix {
    fn name(&self) -> &'static str {
        "NoHostPrefix"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let plain = request.uri().replace("//sync-", "//");
        Ok(request.set_uri(plain)?)
    }
}

fn short(arn: &str) -> &str {
    arn.strip_prefix(STATES).map_or(arn, |rest| rest.trim_start_matches(':'))
}

fn arn(resource: &str) -> String {
    format!("{STATES}:{resource}")
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn route(version: &str) -> Outcome<RoutingConfigurationListItem> {
    Ok(RoutingConfigurationListItem::builder().state_machine_version_arn(version).weight(100).build()?)
}

fn definition(name: &str) -> Outcome<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../definitions").join(format!("{name}.asl.json"));
    Ok(std::fs::read_to_string(path)?)
}

fn joined<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|word| word.as_ref().to_owned()).collect::<Vec<_>>().join(" ")
}

/// The state machine of the tour and what was made of it.
struct Machine {
    arn: String,
    first_version: String,
}

struct Tour {
    states: Client,
}

impl Tour {
    /// A state machine, its tags, an execution and its history.
    async fn a_machine(&self) -> Outcome<Machine> {
        let created = self.machine("tour", "pass")?.publish(true).tags(tag("team", "a")).send().await?;
        let machine = Machine {
            arn: created.state_machine_arn,
            first_version: created.state_machine_version_arn.ok_or("no version")?,
        };
        println!("created {} and {}", short(&machine.arn), short(&machine.first_version));
        self.show_tags(&machine.arn).await?;
        let tagging = self.states.tag_resource().resource_arn(&machine.arn);
        tagging.tags(tag("team", "b")).tags(tag("env", "dev")).send().await?;
        self.show_tags(&machine.arn).await?;
        self.states.untag_resource().resource_arn(&machine.arn).tag_keys("team").send().await?;
        self.show_tags(&machine.arn).await?;
        let first = self.start(&machine.arn, "first", "{}").await?;
        println!("started {}", short(&first));
        self.show_end(&first).await?;
        let history = self.states.get_execution_history().execution_arn(&first);
        let events = history.clone().send().await?.events;
        println!("history: {}", joined(events.iter().map(|event| event.r#type.as_str())));
        let newest = history.reverse_order(true).max_results(1).send().await?.events;
        println!("newest event: {}", joined(newest.iter().map(|event| event.r#type.as_str())));
        Ok(machine)
    }

    /// A second version, an alias, an execution that is stopped.
    async fn versions_and_an_alias(&self, machine: &Machine) -> Outcome {
        let states = &self.states;
        let update = states.update_state_machine().state_machine_arn(&machine.arn).publish(true);
        let updated = update.definition(definition("wait")?).send().await?;
        let second_version = updated.state_machine_version_arn.ok_or("no version")?;
        println!("published {}", short(&second_version));
        let listed = states.list_state_machine_versions().state_machine_arn(&machine.arn).send().await?;
        let versions = listed.state_machine_versions.iter().map(|v| short(&v.state_machine_version_arn));
        println!("versions: {}", joined(versions));
        let new = states.create_state_machine_alias().name("live");
        let created = new.routing_configuration(route(&machine.first_version)?).send().await?;
        let alias = created.state_machine_alias_arn;
        self.show_alias(&alias).await?;
        let update = states.update_state_machine_alias().state_machine_alias_arn(&alias);
        update.routing_configuration(route(&second_version)?).send().await?;
        self.show_alias(&alias).await?;
        let second = self.start(&alias, "second", "{}").await?;
        let found = states.describe_execution().execution_arn(&second).send().await?;
        let by = found.state_machine_alias_arn.ok_or("no alias")?;
        let version = found.state_machine_version_arn.ok_or("no version")?;
        println!("started {} by {}, which is {}", short(&second), short(&by), short(&version));
        let stop = states.stop_execution().execution_arn(&second);
        stop.error("Tour").cause("it has been seen").send().await?;
        self.show_end(&second).await?;
        let listed = states.list_executions().state_machine_arn(&machine.arn).send().await?;
        let executions = listed.executions.iter().map(|e| format!("{}={}", e.name, e.status.as_str()));
        println!("executions: {}", joined(executions));
        states.delete_state_machine_alias().state_machine_alias_arn(alias).send().await?;
        Ok(())
    }

    /// A worker of an activity: one task succeeds, one fails.
    async fn a_worker(&self) -> Outcome {
        let states = &self.states;
        states.create_activity().name("work").send().await?;
        let worked = self.machine("worked", "activity")?.send().await?.state_machine_arn;
        let third = self.start(&worked, "third", r#"{"n":1}"#).await?;
        let token = self.take().await?;
        states.send_task_heartbeat().task_token(&token).send().await?;
        println!("heard its heartbeat");
        states.send_task_success().task_token(token).output("\"done\"").send().await?;
        self.show_end(&third).await?;
        let fourth = self.start(&worked, "fourth", r#"{"n":2}"#).await?;
        let failure = states.send_task_failure().task_token(self.take().await?);
        failure.error("Broken").cause("the worker said so").send().await?;
        self.show_end(&fourth).await
    }

    /// A callback: a nested execution is given the task token, and somebody answers.
    async fn a_callback(&self) -> Outcome {
        self.machine("asked", "wait")?.send().await?;
        let asks = self.machine("asks", "callback")?.send().await?.state_machine_arn;
        let fifth = self.start(&asks, "fifth", "{}").await?;
        let question = arn("execution:asked:question");
        let input: serde_json::Value = serde_json::from_str(&self.nested_input(&question).await?)?;
        println!("fifth waits for the token of {}", short(&question));
        let token = input["token"].as_str().ok_or("no token")?;
        self.states.send_task_success().task_token(token).output(r#"{"approved":true}"#).send().await?;
        self.show_end(&fifth).await?;
        self.states.stop_execution().execution_arn(question).send().await?;
        Ok(())
    }

    /// An Express state machine, to its end in one call.
    async fn express(&self) -> Outcome {
        let express = self.machine("express", "pass")?.r#type(StateMachineType::Express).send().await?;
        let start = self.states.start_sync_execution().state_machine_arn(express.state_machine_arn);
        let ended = start.input("{}").send().await?;
        println!("express: {} {}", ended.status.as_str(), ended.output.unwrap_or_default());
        Ok(())
    }

    /// A mistake, and the end.
    async fn the_end(&self, machine: &Machine) -> Outcome {
        let states = &self.states;
        let missing = states.start_execution().state_machine_arn(arn("stateMachine:missing")).send().await;
        let refusal = missing.err().ok_or("what is missing was started")?;
        println!("refused: {}", refusal.code().unwrap_or_default());
        let version = &machine.first_version;
        states.delete_state_machine_version().state_machine_version_arn(version).send().await?;
        for name in ["tour", "worked", "asked", "asks", "express"] {
            let of = arn(&format!("stateMachine:{name}"));
            states.delete_state_machine().state_machine_arn(of).send().await?;
        }
        states.delete_activity().activity_arn(arn("activity:work")).send().await?;
        while !states.list_state_machines().send().await?.state_machines.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
        println!("machines left: 0");
        Ok(())
    }

    fn machine(&self, name: &str, of: &str) -> Outcome<CreateStateMachineFluentBuilder> {
        let create = self.states.create_state_machine();
        Ok(create.name(name).definition(definition(of)?).role_arn(ROLE))
    }

    async fn start(&self, machine: &str, name: &str, input: &str) -> Outcome<String> {
        let start = self.states.start_execution().state_machine_arn(machine);
        Ok(start.name(name).input(input).send().await?.execution_arn)
    }

    async fn show_tags(&self, arn: &str) -> Outcome {
        let listed = self.states.list_tags_for_resource().resource_arn(arn).send().await?;
        let text =
            |tag: &Tag| format!("{}={}", tag.key().unwrap_or_default(), tag.value().unwrap_or_default());
        println!("tags: {}", joined(listed.tags().iter().map(text)));
        Ok(())
    }

    async fn show_end(&self, execution: &str) -> Outcome {
        let describe = self.states.describe_execution().execution_arn(execution);
        loop {
            let found = describe.clone().send().await?;
            if found.status != ExecutionStatus::Running {
                let details = [found.output, found.error, found.cause].into_iter().flatten();
                let name = found.name.unwrap_or_default();
                println!("{name}: {} {}", found.status.as_str(), joined(details));
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn show_alias(&self, alias: &str) -> Outcome {
        let found = self.states.describe_state_machine_alias().state_machine_alias_arn(alias).send().await?;
        let text = |route: &RoutingConfigurationListItem| {
            format!("{}={}", short(&route.state_machine_version_arn), route.weight)
        };
        println!("{} routes to {}", short(alias), joined(found.routing_configuration().iter().map(text)));
        Ok(())
    }

    /// A task of the activity; its token.
    async fn take(&self) -> Outcome<String> {
        let poll = self.states.get_activity_task().activity_arn(arn("activity:work"));
        let task = poll.worker_name("tour").send().await?;
        println!("worker of activity:work took {}", task.input.unwrap_or_default());
        Ok(task.task_token.ok_or("no task")?)
    }

    async fn nested_input(&self, execution: &str) -> Outcome<String> {
        let describe = self.states.describe_execution().execution_arn(execution);
        loop {
            match describe.clone().send().await {
                Ok(found) => return Ok(found.input.ok_or("no input")?),
                Err(error) if error.code() == Some("ExecutionDoesNotExist") => {
                    tokio::time::sleep(PAUSE).await
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
