//! Small definitions with every type of state, drawn from bytes. Most of them are valid.

#![allow(unreachable_pub)] // The fuzz targets are another crate.

use super::bytes::Bytes;

/// How deep Parallel and Map states stand in one another at most.
const NESTING_MAX: usize = 2;
/// States that a definition has at most.
const STATES_MAX: usize = 24;

/// What the executions of these definitions are started with.
pub const INPUT: &str = r#"{"n":2,"s":"x","z":0,"list":[1,2,3],"o":{"a":[4]},"when":"2024-01-01T00:00:30Z"}"#;

/// The names that failures have, and that `Retry` and `Catch` know.
pub const ERRORS: [&str; 5] = ["E", "F", "States.Timeout", "States.TaskFailed", "States.Runtime"];

/// The text of a definition.
pub fn definition(bytes: &mut Bytes<'_>) -> String {
    let mut drawing = Drawing { bytes, states: 0 };
    let timeout = if drawing.bytes.one_in(6) { r#""TimeoutSeconds":100,"# } else { "" };
    let body = drawing.container(0);
    format!("{{{timeout}{body}}}")
}

struct Drawing<'a, 'b> {
    bytes: &'a mut Bytes<'b>,
    /// Also makes the names unique over the whole machine.
    states: usize,
}

impl Drawing<'_, '_> {
    /// `"StartAt":…,"States":{…}` of a chain of states with detours.
    fn container(&mut self, nesting: usize) -> String {
        let first = self.states;
        let count = (1 + self.bytes.below(4)).min(STATES_MAX.saturating_sub(first)).max(1);
        self.states += count;
        let names: Vec<String> = (first..first + count).map(|i| format!("S{i}")).collect();
        let states: Vec<String> =
            (0..count).map(|i| format!(r#""{}":{{{}}}"#, names[i], self.state(&names, i, nesting))).collect();
        format!(r#""StartAt":"{}","States":{{{}}}"#, names[0], states.join(","))
    }

    fn state(&mut self, names: &[String], i: usize, nesting: usize) -> String {
        let next = match names.get(i + 1) {
            Some(next) => format!(r#""Next":"{next}""#),
            None => r#""End":true"#.into(),
        };
        match self.bytes.below(9) {
            1 | 2 => self.task(names, &next),
            3 if i + 1 < names.len() => self.choice(names, &names[i + 1]),
            4 => self.wait(&next),
            5 if self.has_room(nesting) => self.parallel(names, &next, nesting),
            6 if self.has_room(nesting) => self.map(names, &next, nesting),
            7 if i + 1 == names.len() => self
                .bytes
                .pick(&[r#""Type":"Succeed""#, r#""Type":"Fail","Error":"E","CausePath":"$.s""#])
                .into(),
            8 => self.query(&next),
            _ => self.pass(&next),
        }
    }

    fn has_room(&self, nesting: usize) -> bool {
        nesting < NESTING_MAX && self.states < STATES_MAX
    }

    fn pass(&mut self, next: &str) -> String {
        let fields = self.bytes.pick(&[
            "",
            r#""Result":{"n":3,"list":["a","b"]},"#,
            r#""Result":7,"ResultPath":"$.o.r","#,
            r#""Parameters":{"n.$":"States.MathAdd($.n, 1)","list.$":"$.list","s":"y"},"#,
            r#""Parameters":{"in.$":"$$.Execution.Input"},"ResultPath":null,"#,
            r#""InputPath":"$.o","ResultPath":"$.o","OutputPath":"$","#,
            r#""Assign":{"v.$":"$","w":1},"#,
            r#""Parameters":{"id.$":"States.UUID()","v.$":"$w"},"#,
            r#""OutputPath":"$.missing","#,
            r#""Parameters":{"l.$":"States.ArrayRange(0, 9, 3)"},"ResultPath":"$.r","#,
        ]);
        format!(r#""Type":"Pass",{fields}{next}"#)
    }

    fn query(&mut self, next: &str) -> String {
        let fields = self.bytes.pick(&[
            r#""Output":"{% $states.input %}","#,
            r#""Output":{"n":"{% $states.input.n + 1 %}","list":"{% [1..3] %}"},"#,
            r#""Assign":{"v":"{% $states.context.State.Name %}"},"#,
            r#""Output":"{% $uuid() %}","#,
            r#""Output":"{% $error('no') %}","#,
        ]);
        format!(r#""Type":"Pass","QueryLanguage":"JSONata",{fields}{next}"#)
    }

    fn task(&mut self, names: &[String], next: &str) -> String {
        let resource = self.bytes.pick(&[
            r#""arn:aws:lambda:us-east-1:000000000000:function:f""#,
            r#""arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f","Payload.$":"$"}"#,
            r#""arn:aws:states:us-east-1:000000000000:activity:a""#,
            r#""arn:aws:states:::sqs:sendMessage.waitForTaskToken","Parameters":{"QueueUrl":"q","MessageBody.$":"$$.Task.Token"}"#,
            r#""arn:aws:states:::states:startExecution.sync:2","Parameters":{"StateMachineArn":"m"}"#,
        ]);
        let limits = self.bytes.pick(&[
            "",
            r#""TimeoutSeconds":5,"#,
            r#""TimeoutSeconds":9,"HeartbeatSeconds":3,"#,
            r#""TimeoutSecondsPath":"$.n","#,
        ]);
        let result = self.bytes.pick(&[
            "",
            r#""ResultPath":"$.r","#,
            r#""ResultPath":null,"#,
            r#""ResultSelector":{"got.$":"$"},"#,
            r#""Assign":{"v.$":"$"},"#,
        ]);
        let recovery = self.recovery(names);
        format!(r#""Type":"Task","Resource":{resource},{limits}{result}{recovery}{next}"#)
    }

    /// `Retry` and `Catch`, or one of them, or none.
    fn recovery(&mut self, names: &[String]) -> String {
        let mut text = String::new();
        if self.bytes.one_in(2) {
            let error = self.error_name();
            let more = self.bytes.pick(&[
                "",
                r#","IntervalSeconds":2,"MaxAttempts":2,"BackoffRate":1.5"#,
                r#","MaxAttempts":0"#,
                r#","MaxAttempts":4,"MaxDelaySeconds":3,"JitterStrategy":"FULL""#,
            ]);
            text += &format!(r#""Retry":[{{"ErrorEquals":["{error}"]{more}}}],"#);
        }
        if self.bytes.one_in(2) {
            let error = self.error_name();
            let target = &names[self.bytes.below(names.len())];
            let more = self.bytes.pick(&["", r#","ResultPath":"$.e""#, r#","ResultPath":null"#]);
            text += &format!(r#""Catch":[{{"ErrorEquals":["{error}"],"Next":"{target}"{more}}}],"#);
        }
        text
    }

    fn error_name(&mut self) -> &'static str {
        self.bytes.pick(&[
            "States.ALL",
            "E",
            "States.TaskFailed",
            "States.Timeout",
            "States.HeartbeatTimeout",
        ])
    }

    fn choice(&mut self, names: &[String], default: &str) -> String {
        let test = self.bytes.pick(&[
            r#""Variable":"$.n","NumericLessThan":5"#,
            r#""Variable":"$.s","StringEquals":"x""#,
            r#""Not":{"Variable":"$.r","IsPresent":true}"#,
            r#""And":[{"Variable":"$.n","IsNumeric":true},{"Variable":"$.n","NumericGreaterThanPath":"$.z"}]"#,
            r#""Variable":"$.missing","BooleanEquals":true"#,
        ]);
        let target = &names[self.bytes.below(names.len())];
        format!(r#""Type":"Choice","Choices":[{{{test},"Next":"{target}"}}],"Default":"{default}""#)
    }

    fn wait(&mut self, next: &str) -> String {
        let until = self.bytes.pick(&[
            r#""Seconds":0"#,
            r#""Seconds":7"#,
            r#""SecondsPath":"$.n""#,
            r#""TimestampPath":"$.when""#,
            r#""Timestamp":"2024-01-01T00:01:00Z""#,
        ]);
        format!(r#""Type":"Wait",{until},{next}"#)
    }

    fn parallel(&mut self, names: &[String], next: &str, nesting: usize) -> String {
        let count = 1 + self.bytes.below(3);
        let branches: Vec<String> =
            (0..count).map(|_| format!("{{{}}}", self.container(nesting + 1))).collect();
        let result =
            self.bytes.pick(&["", r#""ResultPath":"$.p","#, r#""ResultSelector":{"first.$":"$[0]"},"#]);
        let recovery = self.recovery(names);
        format!(r#""Type":"Parallel","Branches":[{}],{result}{recovery}{next}"#, branches.join(","))
    }

    fn map(&mut self, names: &[String], next: &str, nesting: usize) -> String {
        let mode = self.bytes.pick(&[
            "",
            r#""ProcessorConfig":{"Mode":"INLINE"},"#,
            r#""ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"#,
        ]);
        let body = self.container(nesting + 1);
        let items =
            self.bytes.pick(&[r#""ItemsPath":"$.list","#, "", r#""ItemsPath":"$.o.a","MaxConcurrency":1,"#]);
        let selector = self.bytes.pick(&[
            "",
            r#""ItemSelector":{"n.$":"$$.Map.Item.Index","list.$":"$.list"},"#,
            r#""MaxConcurrency":2,"ItemSelector":{"n":1,"s":"x","list":[1]},"#,
        ]);
        // Only one of the two may set it.
        let selector = if items.contains("MaxConcurrency") { "" } else { selector };
        let result = self.bytes.pick(&["", r#""ResultPath":"$.m","#]);
        let tolerated = if mode.contains("DISTRIBUTED") {
            self.bytes.pick(&["", r#""ToleratedFailureCount":1,"#, r#""ToleratedFailurePercentage":40,"#])
        } else {
            ""
        };
        let recovery = self.recovery(names);
        format!(
            r#""Type":"Map","ItemProcessor":{{{mode}{body}}},{items}{selector}{result}{tolerated}{recovery}{next}"#
        )
    }
}
