//! `Choice`: the first rule that holds says where to go, else `Default`.

use stepwell_asl::environment::StatesError;
use stepwell_asl::program::{Assign, Choice, ResultPath, State, StateId};
use stepwell_asl::template::Template;

use super::flow::{self, Leaving, Outcome};
use crate::decide::{Deciding, Stop};
use crate::event::ThreadId;

/// Where to go, and the fields that belong to that way.
struct Taken<'a> {
    next: StateId,
    output: Option<&'a Template>,
    assign: Option<&'a Assign>,
    location: String,
}

pub(super) fn work(
    deciding: &mut Deciding<'_>,
    thread: ThreadId,
    state: &State,
    choice: &Choice,
) -> Result<(), Stop> {
    let raw = super::visit(deciding, thread).input.clone();
    let surroundings = deciding.surroundings(thread, state);
    let effective = flow::input(&surroundings, state, &choice.input_path, None, None)?;
    let mut taken = choice.default.map(|next| Taken {
        next,
        output: choice.output.as_ref(),
        assign: choice.assign.as_ref(),
        location: String::new(),
    });
    let scope = flow::scope(&surroundings);
    for (index, rule) in choice.rules.iter().enumerate() {
        let holds = if flow::is_jsonata(state) {
            rule.condition.evaluate_query(&scope, &format!("Choices[{index}]/Condition"))?
        } else {
            rule.condition.evaluate(effective.value(), &surroundings)?
        };
        if holds {
            let (output, assign) = (rule.output.as_ref(), rule.assign.as_ref());
            taken = Some(Taken { next: rule.next, output, assign, location: format!("Choices[{index}]/") });
            break;
        }
    }
    drop(scope);
    drop(surroundings);
    let Some(Taken { next, output, assign, location }) = taken else {
        // The specification's States.NoChoiceMatched; AWS reports this.
        return Err(Stop::Failed(StatesError::runtime(
            "Failed to transition out of the state. The state does not point to a next state.",
        )));
    };
    let leaving = Leaving {
        result_selector: None,
        result_path: &ResultPath::Replace,
        output_path: &choice.output_path,
        output,
        assign,
        next: Some(next),
        location: &location,
    };
    flow::leave(deciding, thread, state, &leaving, &Outcome::Input(effective), &[&raw])
}
