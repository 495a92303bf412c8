//! `Parallel` states.

use super::Compiler;
use super::container::{Around, Siblings};
use super::fields::Fields;
use super::query::{AFTER, BEFORE};
use crate::program::{Branch, Parallel, StateId};

impl Compiler {
    pub(super) fn parallel(
        &mut self,
        fields: &Fields<'_>,
        id: StateId,
        siblings: &mut Siblings,
    ) -> Option<Parallel> {
        self.require(fields, &["Branches"]);
        let input_path = self.path_field(fields, "InputPath");
        let parameters = self.template(fields, "Parameters");
        let arguments = self.query(fields, "Arguments", BEFORE);
        let result_selector = self.template(fields, "ResultSelector");
        let result_path = self.result_path(fields);
        let output_path = self.path_field(fields, "OutputPath");
        let output = self.query(fields, "Output", AFTER);
        let assign = self.assign(fields, AFTER);
        let retry = self.retry(fields);
        let catch = self.catch(fields, id, siblings);
        let transition = self.transition(fields, id, siblings);
        let branches = self.branches(fields);
        Some(Parallel {
            input_path,
            parameters,
            arguments,
            branches: branches?,
            result_selector,
            result_path,
            output_path,
            output,
            assign,
            retry,
            catch,
            transition: transition?,
        })
    }

    fn branches(&mut self, fields: &Fields<'_>) -> Option<Vec<Branch>> {
        let members = self.objects(fields, "Branches");
        if fields.get("Branches").and_then(|node| node.as_array()).is_some_and(<[_]>::is_empty) {
            self.report.schema(fields.at_field("Branches"), fields.span("Branches"), "Value cannot be empty");
            return None;
        }
        let mut branches = Vec::with_capacity(members.len());
        for member in &members {
            self.check_names(member, &["Comment", "StartAt", "States"]);
            let comment = self.string(member, "Comment");
            let start_at = self.container(member, Around::Container);
            branches.push(start_at.map(|start_at| Branch { comment, start_at }));
        }
        branches.into_iter().collect()
    }
}
