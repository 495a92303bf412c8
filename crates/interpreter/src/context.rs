//! The surroundings of an evaluation: the context object, variables and entropy of one visit of a state.

use std::cell::{Cell, OnceCell};

use stepwell_asl::environment::Environment;
use stepwell_asl::program::{Program, StateKind};
use stepwell_asl::timestamp::Timestamp;
use stepwell_asl::value::{Object, Value};

use crate::execution::{Execution, ExecutionKind, Thread, Visit};

/// The item of a Map iteration.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub index: u32,
    pub value: Value,
}

/// Built per decision step; the context object only when an expression looks at it.
pub(crate) struct Surroundings<'a> {
    pub program: &'a Program,
    /// The decision's time.
    pub now_ms: i64,
    pub execution: &'a Execution,
    pub thread: &'a Thread,
    pub visit: &'a Visit,
    pub state_name: &'a str,
    /// Task and Map states show `State.RetryCount`.
    pub shows_retry_count: bool,
    /// The item that an ItemSelector is evaluated for; inside an iteration it is looked up.
    pub item: Option<Item>,
    /// The task token of the attempt that is being scheduled, where it has one.
    pub token: Option<String>,
    /// Each evaluation of a decision draws further numbers from the command's entropy.
    pub entropy: &'a Cell<u64>,
    pub context: OnceCell<Value>,
}

impl Environment for Surroundings<'_> {
    fn context(&self) -> &Value {
        self.context.get_or_init(|| self.build_context())
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        self.execution.variable(self.thread, name).map(|stored| stored.payload.value())
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_epoch_ms(self.now_ms)
    }

    fn random_u64(&self) -> u64 {
        // SplitMix64: every state of the counter gives a well mixed number.
        let state = self.entropy.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.entropy.set(state);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Surroundings<'_> {
    fn build_context(&self) -> Value {
        let info = &self.execution.info;
        let time = |ms| Value::from(Timestamp::from_epoch_ms(ms).to_iso8601());
        let mut execution = Object::new();
        execution.insert("Id", info.execution_arn.clone());
        if let Some(input) = &self.execution.input {
            execution.insert("Input", input.payload.value().clone());
        }
        execution.insert("StartTime", time(info.start_ms));
        execution.insert("Name", info.name.clone());
        execution.insert("RoleArn", info.role_arn.clone());
        // AWS leaves it out of an execution that is waited for.
        if info.kind != ExecutionKind::SyncExpress {
            execution.insert("RedriveCount", i64::from(self.execution.redrive_count));
        }
        if let Some(redriven_ms) = self.execution.redriven_ms {
            execution.insert("RedriveTime", time(redriven_ms));
        }
        let mut machine = Object::new();
        machine.insert("Id", info.state_machine_arn.clone());
        machine.insert("Name", info.state_machine_name.clone());
        let mut state = Object::new();
        state.insert("Name", self.state_name);
        state.insert("EnteredTime", time(self.visit.entered_ms));
        if self.shows_retry_count {
            state.insert("RetryCount", i64::from(self.visit.retry_count()));
        }
        let mut context = Object::new();
        context.insert("Execution", execution);
        context.insert("StateMachine", machine);
        context.insert("State", state);
        if let Some(item) = self.item.clone().or_else(|| self.enclosing_item()) {
            let mut members = Object::new();
            members.insert("Index", i64::from(item.index));
            members.insert("Value", item.value);
            members.insert("Source", "STATE_DATA");
            context.insert("Map", Object::from_iter([("Item", members)]));
        }
        if let Some(token) = &self.token {
            context.insert("Task", Object::from_iter([("Token", token.as_str())]));
        }
        context.into()
    }

    /// The same surroundings for an ItemSelector.
    pub(crate) fn for_item(&self, item: Item) -> Surroundings<'_> {
        Surroundings { item: Some(item), token: None, context: OnceCell::new(), ..*self }
    }

    /// The item of the innermost Map iteration that this chain belongs to.
    fn enclosing_item(&self) -> Option<Item> {
        let mut thread = self.thread;
        loop {
            let parent = thread.parent?;
            let container = self.execution.threads.get(&parent.thread)?;
            let visit = container.visit()?;
            let state = self.program.state(visit.state);
            if let StateKind::Map(map) = &state.kind {
                let surroundings = Surroundings {
                    thread: container,
                    visit,
                    state_name: &state.name,
                    shows_retry_count: true,
                    item: None,
                    token: None,
                    context: OnceCell::new(),
                    ..*self
                };
                let items = crate::states::map::items(&surroundings, state, map).ok()?;
                let value = crate::items::item(&items, parent.index)?.clone();
                return Some(Item { index: parent.index, value });
            }
            thread = container;
        }
    }
}
