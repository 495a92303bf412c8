//! What is run: a few machines picked by hand, and any number generated.
//!
//! A generated machine only ever goes forward, so it ends whatever its tasks answer; the loops are hand-picked.

use std::fmt::Write as _;

use crate::random::Random;

/// Activities that machines name.
pub const ACTIVITIES: [&str; 2] = ["first", "second"];

const PICKED: &[&str] = &[
    // Needs nobody.
    r#"{"StartAt":"P","States":{"P":{"Type":"Pass","Result":{"x":1},"ResultPath":"$.r","End":true}}}"#,
    // The poller: waits, asks, decides, until the answer's number is even.
    r#"{"StartAt":"Wait","States":{
        "Wait":{"Type":"Wait","Seconds":30,"Next":"Ask"},
        "Ask":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","ResultPath":"$.answer",
            "TimeoutSeconds":60,"Next":"Done?",
            "Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":2,"BackoffRate":2}],
            "Catch":[{"ErrorEquals":["States.ALL"],"Next":"Broken"}]},
        "Done?":{"Type":"Choice","Choices":[{"Variable":"$.answer.even","BooleanEquals":true,"Next":"Done"}],"Default":"Wait"},
        "Broken":{"Type":"Fail","Error":"Broken","Cause":"the task failed"},
        "Done":{"Type":"Succeed"}}}"#,
    // Counts to ten.
    r#"{"StartAt":"Zero","States":{
        "Zero":{"Type":"Pass","Result":{"i":0},"Next":"Add"},
        "Add":{"Type":"Pass","Parameters":{"i.$":"States.MathAdd($.i, 1)"},"Next":"Enough?"},
        "Enough?":{"Type":"Choice","Choices":[{"Variable":"$.i","NumericLessThan":10,"Next":"Add"}],"Default":"Done"},
        "Done":{"Type":"Succeed"}}}"#,
    // A machine that times out as a whole.
    r#"{"StartAt":"Ask","TimeoutSeconds":90,"States":{
        "Ask":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Next":"Rest",
            "Retry":[{"ErrorEquals":["States.TaskFailed"],"IntervalSeconds":20,"MaxAttempts":5,"JitterStrategy":"FULL"}]},
        "Rest":{"Type":"Wait","Seconds":60,"End":true}}}"#,
    // A callback with a heartbeat.
    r#"{"StartAt":"Call","States":{
        "Call":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","TimeoutSeconds":300,"HeartbeatSeconds":40,
            "Parameters":{"QueueUrl":"q","MessageBody":{"token.$":"$$.Task.Token","input.$":"$"}},
            "Retry":[{"ErrorEquals":["States.HeartbeatTimeout"],"MaxAttempts":1}],
            "Catch":[{"ErrorEquals":["States.Timeout"],"ResultPath":"$.error","Next":"Late"}],"End":true},
        "Late":{"Type":"Pass","End":true}}}"#,
    // An activity with a heartbeat, then a job.
    r#"{"StartAt":"Work","States":{
        "Work":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:first","TimeoutSeconds":600,"HeartbeatSeconds":120,
            "Catch":[{"ErrorEquals":["States.ALL"],"Next":"Job"}],"Next":"Job"},
        "Job":{"Type":"Task","Resource":"arn:aws:states:::glue:startJobRun.sync","Parameters":{"JobName":"j"},"TimeoutSeconds":900,
            "Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":1}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"Done"}],"Next":"Done"},
        "Done":{"Type":"Succeed"}}}"#,
    // A Map Run: an execution of its own for every item.
    r#"{"StartAt":"Items","States":{"Items":{"Type":"Pass","Result":{"list":[1,2,3,4,5]},"Next":"All"},
        "All":{"Type":"Map","ItemsPath":"$.list","MaxConcurrency":3,"ToleratedFailureCount":1,
            "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"Rest","States":{
                "Rest":{"Type":"Wait","Seconds":20,"Next":"Ask"},
                "Ask":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}}},
            "Catch":[{"ErrorEquals":["States.ALL"],"Next":"After"}],"Next":"After"},
        "After":{"Type":"Wait","Seconds":500,"End":true}}}"#,
    // A Map Run of Express executions.
    r#"{"StartAt":"Items","States":{"Items":{"Type":"Pass","Result":{"list":[1,2,3]},"Next":"All"},
        "All":{"Type":"Map","ItemsPath":"$.list","MaxConcurrency":2,"ToleratedFailureCount":1,
            "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"Ask","States":{
                "Ask":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Next":"Rest"},
                "Rest":{"Type":"Wait","Seconds":20,"Next":"Again"},
                "Again":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}}},
            "Catch":[{"ErrorEquals":["States.ALL"],"Next":"After"}],"Next":"After"},
        "After":{"Type":"Wait","Seconds":50,"End":true}}}"#,
    // Waits until a time of its input.
    r#"{"StartAt":"W","States":{"W":{"Type":"Wait","SecondsPath":"$.n","Next":"T"},
        "T":{"Type":"Wait","Timestamp":"2001-09-09T02:00:00Z","End":true}}}"#,
];

/// Machines that can be Express ones.
pub const EXPRESS: &[&str] = &[
    // Needs nobody.
    r#"{"StartAt":"P","States":{"P":{"Type":"Pass","Result":{"x":1},"ResultPath":"$.r","End":true}}}"#,
    // Calls, waits, calls again, and catches what fails.
    r#"{"StartAt":"Ask","States":{
        "Ask":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f",
            "Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":1}],
            "Catch":[{"ErrorEquals":["States.ALL"],"Next":"Rest"}],"Next":"Rest"},
        "Rest":{"Type":"Wait","Seconds":20,"Next":"Again"},
        "Again":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","TimeoutSeconds":40,"End":true}}}"#,
    // Calls side by side; one failure cancels the others.
    r#"{"StartAt":"All","TimeoutSeconds":100,"States":{"All":{"Type":"Parallel","End":true,"Branches":[
        {"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}}},
        {"StartAt":"B","States":{"B":{"Type":"Wait","Seconds":2,"Next":"C"},
            "C":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}}}]}}}"#,
    // Is over in five minutes, whatever it waits for.
    r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}"#,
];

/// Runs in circles until its history is full; slow, so rarely picked.
pub const CIRCLES: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},
    "B":{"Type":"Choice","Choices":[{"Variable":"$.never","IsPresent":true,"Next":"C"}],"Default":"A"},"C":{"Type":"Succeed"}}}"#;

/// One of the hand-picked machines.
pub fn picked(random: &mut Random) -> &'static str {
    random.pick(PICKED)
}

/// All hand-picked machines that end by themselves.
#[must_use]
pub fn all_picked() -> &'static [&'static str] {
    PICKED
}

/// The text of a random, valid machine.
pub fn generated(random: &mut Random) -> String {
    let mut generator = Generator { random, names: 0 };
    let budget = generator.random.between(1, 7);
    let mut text = generator.states(budget, 0);
    if generator.random.one_in(6) {
        let seconds = generator.random.between(1, 400);
        write!(text, r#","TimeoutSeconds":{seconds}"#).expect("a string takes everything");
    }
    format!("{{{text}}}")
}

struct Generator<'a> {
    random: &'a mut Random,
    names: usize,
}

impl Generator<'_> {
    /// `"StartAt":…,"States":…` of `count` states, at `depth` containers.
    fn states(&mut self, count: usize, depth: usize) -> String {
        let names: Vec<String> = (0..count).map(|i| format!("S{}", self.names + i)).collect();
        self.names += count;
        let mut states = Vec::new();
        // Every state but the first must be reachable: the one before leads to it.
        for (index, name) in names.iter().enumerate() {
            states.push(format!(r#""{name}":{{{}}}"#, self.state(&names[index + 1..], depth)));
        }
        format!(r#""StartAt":"{}","States":{{{}}}"#, names[0], states.join(","))
    }

    fn state(&mut self, later: &[String], depth: usize) -> String {
        let transition = match later.first() {
            Some(next) => format!(r#""Next":"{next}""#),
            None => r#""End":true"#.to_owned(),
        };
        let containers = if depth < 2 { 2 } else { 0 };
        let choice = if later.is_empty() { 0 } else { 3 };
        let last = if later.is_empty() { 1 } else { 0 };
        match self.random.weighted(&[3, 7, choice, 3, last, last, containers, containers]) {
            0 => self.pass(&transition),
            1 => self.task(&transition, later),
            2 => self.choice(later),
            3 => self.wait(&transition),
            4 => r#""Type":"Succeed""#.to_owned(),
            5 => r#""Type":"Fail","Error":"Own.Error","Cause":"as written""#.to_owned(),
            6 => self.parallel(&transition, later, depth),
            _ => self.map(&transition, later, depth),
        }
    }

    fn pass(&mut self, transition: &str) -> String {
        self.names += 1;
        // A variable of its own: what is assigned outside may not be assigned inside.
        let assign = format!(r#","Assign":{{"kept{0}.$":"$","count{0}":1}}"#, self.names);
        let body = self.random.pick(&[
            "",
            r#","Result":{"n":7,"list":[1,2,3]},"ResultPath":"$.passed""#,
            r#","Parameters":{"n.$":"$.n","fixed":[1,{"a":null}]}"#,
            r#","InputPath":"$.n","ResultPath":"$.copy""#,
            r#","OutputPath":"$.missing""#,
            r#","Parameters":{"id.$":"States.UUID()","n.$":"States.MathRandom(1, 9)"}"#,
            r#","QueryLanguage":"JSONata","Output":{"n":"{% $states.input.n + 1 %}","chance":"{% $random() %}"}"#,
            r#","QueryLanguage":"JSONata","Output":"{% $states.input %}""#,
            &assign,
        ]);
        format!(r#""Type":"Pass"{body},{transition}"#)
    }

    fn wait(&mut self, transition: &str) -> String {
        let until = match self.random.below(4) {
            0 if self.random.one_in(2) => {
                r#""QueryLanguage":"JSONata","Seconds":"{% $states.input.n %}""#.to_owned()
            }
            0 => r#""SecondsPath":"$.n""#.to_owned(),
            // The simulation begins at 1,000,000,000 s.
            1 => format!(r#""Timestamp":"2001-09-09T0{}:46:40Z""#, self.random.between(1, 3)),
            _ => format!(r#""Seconds":{}"#, self.random.below(120)),
        };
        format!(r#""Type":"Wait",{until},{transition}"#)
    }

    fn choice(&mut self, later: &[String]) -> String {
        let mut rules = Vec::new();
        for index in 0..self.random.between(1, 2) {
            let target = self.random.pick(later);
            let threshold = self.random.below(10);
            let test = match self.random.below(3) {
                0 => format!(r#""Variable":"$.n","NumericGreaterThan":{threshold}"#),
                1 => r#""Variable":"$.error","IsPresent":true"#.to_owned(),
                _ => format!(
                    r#""And":[{{"Variable":"$.n","IsPresent":true}},{{"Variable":"$.n","NumericLessThan":{threshold}}}]"#
                ),
            };
            let target = if index == 0 { later[0].clone() } else { target };
            rules.push(format!(r#"{{{test},"Next":"{target}"}}"#));
        }
        let default = self.random.pick(later);
        let default =
            if self.random.one_in(5) { String::new() } else { format!(r#","Default":"{default}""#) };
        format!(r#""Type":"Choice","Choices":[{}]{default}"#, rules.join(","))
    }

    /// A task in the other query language.
    fn query_task(&mut self, transition: &str, later: &[String]) -> String {
        let call = self.random.pick(&[
            r#""Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","Arguments":{"FunctionName":"f","Payload":{"token":"{% $states.context.Task.Token %}"}}"#,
            r#""Resource":"arn:aws:states:::dynamodb:getItem","Arguments":{"TableName":"t","Key":"{% $states.input %}"}"#,
        ]);
        let rest = self.random.pick(&[
            "",
            r#","Output":{"answer":"{% $states.result %}","n":"{% $states.input.n %}"}"#,
            r#","TimeoutSeconds":"{% 10 + 20 %}""#,
        ]);
        let mut text = format!(r#""Type":"Task","QueryLanguage":"JSONata",{call}{rest},{transition}"#);
        self.handlers(&mut text, later, false);
        text
    }

    fn task(&mut self, transition: &str, later: &[String]) -> String {
        if self.random.one_in(5) {
            return self.query_task(transition, later);
        }
        let token = r#"{"token.$":"$$.Task.Token"}"#;
        let (resource, may_beat) = match self.random.below(7) {
            0 => (format!(r#""Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","Parameters":{{"FunctionName":"f","Payload":{token}}}"#), true),
            1 => (format!(r#""Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Parameters":{{"QueueUrl":"q","MessageBody":{token}}}"#), true),
            2 => (format!(r#""Resource":"arn:aws:states:us-east-1:000000000000:activity:{}""#, self.random.pick(&ACTIVITIES)), true),
            3 => (r#""Resource":"arn:aws:states:::glue:startJobRun.sync","Parameters":{"JobName":"j"}"#.to_owned(), false),
            4 => (r#""Resource":"arn:aws:states:::dynamodb:getItem","Parameters":{"TableName":"t","Key":{"id":{"S":"1"}}}"#.to_owned(), false),
            _ => (r#""Resource":"arn:aws:lambda:us-east-1:000000000000:function:f""#.to_owned(), false),
        };
        let mut text = format!(r#""Type":"Task",{resource},{transition}"#);
        let mut timeout = 0;
        if self.random.one_in(2) {
            timeout = self.random.between(2, 300);
            write!(text, r#","TimeoutSeconds":{timeout}"#).expect("a string takes everything");
        }
        if may_beat && self.random.one_in(2) && timeout > 2 {
            let heartbeat = self.random.between(1, timeout - 1);
            write!(text, r#","HeartbeatSeconds":{heartbeat}"#).expect("a string takes everything");
        }
        self.names += 1;
        let assign = format!(r#","Assign":{{"answer{}.$":"$"}}"#, self.names);
        let rest: &str = self.random.pick(&[
            "",
            "",
            r#","ResultPath":"$.result""#,
            r#","ResultPath":null"#,
            r#","ResultSelector":{"picked.$":"$.n"},"ResultPath":"$.selected""#,
            &assign,
        ]);
        text.push_str(rest);
        self.handlers(&mut text, later, true);
        text
    }

    fn handlers(&mut self, text: &mut String, later: &[String], has_paths: bool) {
        if self.random.one_in(2) {
            let names =
                self.random.pick(&["States.ALL", "Script.Error", "States.Timeout", "States.TaskFailed"]);
            let (interval, attempts) = (self.random.between(1, 20), self.random.below(4));
            let rest = self.random.pick(&[
                "",
                r#","BackoffRate":3"#,
                r#","JitterStrategy":"FULL""#,
                r#","MaxDelaySeconds":25"#,
            ]);
            write!(
                text,
                r#","Retry":[{{"ErrorEquals":["{names}"],"IntervalSeconds":{interval},"MaxAttempts":{attempts}{rest}}}]"#
            )
            .expect("a string takes everything");
        }
        if !later.is_empty() && self.random.one_in(2) {
            let target = self.random.pick(later);
            let path = if has_paths && self.random.one_in(2) { r#","ResultPath":"$.error""# } else { "" };
            write!(text, r#","Catch":[{{"ErrorEquals":["States.ALL"],"Next":"{target}"{path}}}]"#)
                .expect("a string takes everything");
        }
    }

    fn parallel(&mut self, transition: &str, later: &[String], depth: usize) -> String {
        let mut branches = Vec::new();
        for _ in 0..self.random.between(1, 3) {
            let count = self.random.between(1, 3);
            branches.push(format!("{{{}}}", self.states(count, depth + 1)));
        }
        let mut text = format!(r#""Type":"Parallel","Branches":[{}],{transition}"#, branches.join(","));
        self.handlers(&mut text, later, true);
        text
    }

    fn map(&mut self, transition: &str, later: &[String], depth: usize) -> String {
        let count = self.random.between(1, 3);
        let processor = self.states(count, depth + 1);
        let concurrency = self.random.below(3);
        // `$.list` is not always there, nor a list: such a Map fails.
        let items = self.random.pick(&[r#","ItemsPath":"$.list""#, r#","ItemsPath":"$.passed.list""#, ""]);
        // Items that become executions of their own; at the top only, so that there are not too many.
        let mode = if depth == 0 && self.random.one_in(3) {
            r#""ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"#
        } else {
            ""
        };
        let mut text = format!(
            r#""Type":"Map","ItemProcessor":{{{mode}{processor}}},"MaxConcurrency":{concurrency}{items},{transition}"#
        );
        self.handlers(&mut text, later, true);
        text
    }
}

#[cfg(test)]
mod tests {
    use stepwell_asl::{MachineType, compile_as};

    use super::*;

    #[test]
    fn every_machine_is_valid() {
        for text in all_picked().iter().chain(&[CIRCLES]) {
            compile_as(text, MachineType::Standard).expect("a picked machine compiles");
        }
        for text in EXPRESS {
            compile_as(text, MachineType::Express).expect("an Express machine compiles");
        }
        let mut random = Random::new(1);
        for _ in 0..2000 {
            let text = generated(&mut random);
            if let Err(problems) = compile_as(&text, MachineType::Standard) {
                panic!("{text}\n{problems:?}");
            }
        }
    }
}
