// The tour with the AWS SDK for JavaScript, version 3.

const fs = require("node:fs");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { SFN } = require("@aws-sdk/client-sfn");

const ROLE = "arn:aws:iam::000000000000:role/tour";
const STATES = "arn:aws:states:us-east-1:000000000000";
// Unlike boto3, the SDK reads no variable that turns host prefixes off.
const states = new SFN({ disableHostPrefix: true });

const short = (arn) => arn.replace(`${STATES}:`, "");
const print = (...words) => console.log(words.join(" "));
const definition = (name) => fs.readFileSync(path.join(__dirname, "..", "definitions", `${name}.asl.json`), "utf8");
const machine = (name, of, more) =>
  states.createStateMachine({ name, definition: definition(of), roleArn: ROLE, ...more });

async function start(stateMachineArn, name, value) {
  return (await states.startExecution({ stateMachineArn, name, input: JSON.stringify(value) })).executionArn;
}

async function showTags(resourceArn) {
  const { tags } = await states.listTagsForResource({ resourceArn });
  print("tags:", ...tags.map((tag) => `${tag.key}=${tag.value}`));
}

async function showEnd(executionArn) {
  let found;
  while ((found = await states.describeExecution({ executionArn })).status === "RUNNING") await sleep(100);
  const details = found.output === undefined ? [found.error, found.cause] : [found.output];
  print(`${found.name}:`, found.status, ...details);
}

async function showAlias(stateMachineAliasArn) {
  const { routingConfiguration } = await states.describeStateMachineAlias({ stateMachineAliasArn });
  const routes = routingConfiguration.map((route) => `${short(route.stateMachineVersionArn)}=${route.weight}`);
  print(short(stateMachineAliasArn), "routes to", ...routes);
}

async function take() {
  const task = await states.getActivityTask({ activityArn: `${STATES}:activity:work`, workerName: "tour" });
  print("worker of activity:work took", task.input);
  return task.taskToken;
}

async function nestedInput(executionArn) {
  for (;;) {
    try {
      return JSON.parse((await states.describeExecution({ executionArn })).input);
    } catch (error) {
      if (error.name !== "ExecutionDoesNotExist") throw error;
      await sleep(100);
    }
  }
}

async function main() {
  // A state machine, its tags, an execution and its history.
  const created = await machine("tour", "pass", { publish: true, tags: [{ key: "team", value: "a" }] });
  const { stateMachineArn: tour, stateMachineVersionArn: firstVersion } = created;
  print("created", short(tour), "and", short(firstVersion));
  await showTags(tour);
  const tags = [{ key: "team", value: "b" }, { key: "env", value: "dev" }];
  await states.tagResource({ resourceArn: tour, tags });
  await showTags(tour);
  await states.untagResource({ resourceArn: tour, tagKeys: ["team"] });
  await showTags(tour);
  const first = await start(tour, "first", {});
  print("started", short(first));
  await showEnd(first);
  const history = await states.getExecutionHistory({ executionArn: first });
  print("history:", ...history.events.map((event) => event.type));
  const newest = await states.getExecutionHistory({ executionArn: first, reverseOrder: true, maxResults: 1 });
  print("newest event:", newest.events[0].type);

  // A second version, an alias, an execution that is stopped.
  const update = { stateMachineArn: tour, definition: definition("wait"), publish: true };
  const secondVersion = (await states.updateStateMachine(update)).stateMachineVersionArn;
  print("published", short(secondVersion));
  const versions = await states.listStateMachineVersions({ stateMachineArn: tour });
  print("versions:", ...versions.stateMachineVersions.map((version) => short(version.stateMachineVersionArn)));
  const routeTo = (stateMachineVersionArn) => [{ stateMachineVersionArn, weight: 100 }];
  const newAlias = { name: "live", routingConfiguration: routeTo(firstVersion) };
  const alias = (await states.createStateMachineAlias(newAlias)).stateMachineAliasArn;
  await showAlias(alias);
  await states.updateStateMachineAlias({ stateMachineAliasArn: alias, routingConfiguration: routeTo(secondVersion) });
  await showAlias(alias);
  const second = await start(alias, "second", {});
  const found = await states.describeExecution({ executionArn: second });
  const by = `by ${short(found.stateMachineAliasArn)}, which is ${short(found.stateMachineVersionArn)}`;
  print("started", short(second), by);
  await states.stopExecution({ executionArn: second, error: "Tour", cause: "it has been seen" });
  await showEnd(second);
  const { executions } = await states.listExecutions({ stateMachineArn: tour });
  print("executions:", ...executions.map((execution) => `${execution.name}=${execution.status}`));

  // A worker of an activity: one task succeeds, one fails.
  await states.createActivity({ name: "work" });
  const worked = (await machine("worked", "activity")).stateMachineArn;
  const third = await start(worked, "third", { n: 1 });
  let taskToken = await take();
  await states.sendTaskHeartbeat({ taskToken });
  print("heard its heartbeat");
  await states.sendTaskSuccess({ taskToken, output: '"done"' });
  await showEnd(third);
  const fourth = await start(worked, "fourth", { n: 2 });
  await states.sendTaskFailure({ taskToken: await take(), error: "Broken", cause: "the worker said so" });
  await showEnd(fourth);

  // A callback: a nested execution is given the task token, and somebody answers.
  const asked = (await machine("asked", "wait")).stateMachineArn;
  const asks = (await machine("asks", "callback")).stateMachineArn;
  const fifth = await start(asks, "fifth", {});
  const question = `${STATES}:execution:asked:question`;
  taskToken = (await nestedInput(question)).token;
  print("fifth waits for the token of", short(question));
  await states.sendTaskSuccess({ taskToken, output: '{"approved":true}' });
  await showEnd(fifth);
  await states.stopExecution({ executionArn: question });

  // An Express state machine, to its end in one call.
  const express = (await machine("express", "pass", { type: "EXPRESS" })).stateMachineArn;
  const ended = await states.startSyncExecution({ stateMachineArn: express, input: "{}" });
  print("express:", ended.status, ended.output);

  // A mistake, and the end.
  try {
    await states.startExecution({ stateMachineArn: `${STATES}:stateMachine:missing` });
  } catch (error) {
    print("refused:", error.name);
  }
  await states.deleteStateMachineAlias({ stateMachineAliasArn: alias });
  await states.deleteStateMachineVersion({ stateMachineVersionArn: firstVersion });
  for (const stateMachineArn of [tour, worked, asked, asks, express]) {
    await states.deleteStateMachine({ stateMachineArn });
  }
  await states.deleteActivity({ activityArn: `${STATES}:activity:work` });
  let left;
  while ((left = (await states.listStateMachines({})).stateMachines.length) > 0) await sleep(100);
  print("machines left:", left);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
