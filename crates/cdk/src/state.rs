//! What the types of states share: the shape of a handle and the settings that several types have.
//!
//! Every type is a struct of a [`Handle`](crate::draft::Handle) and its own settings, both shared by all clones; these
//! macros write the parts that are the same.

/// Defines the handle of a state type: `state_type!(/// docs Name, Settings, continues)`.
macro_rules! state_type {
    ($(#[$doc:meta])* $name:ident, $settings:ty, continues: $continues:literal) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            state: crate::draft::Handle,
            #[allow(dead_code, reason = "types without settings of their own keep an empty one")]
            settings: std::rc::Rc<std::cell::RefCell<$settings>>,
        }

        impl $name {
            fn create(name: impl Into<String>, settings: $settings) -> Self {
                let settings = std::rc::Rc::new(std::cell::RefCell::new(settings));
                let state = crate::draft::Handle::new(name.into(), settings.clone(), $continues);
                $name { state, settings }
            }

            #[allow(dead_code, reason = "types without settings of their own have no use for it")]
            fn set(&self, change: impl FnOnce(&mut $settings)) -> Self {
                change(&mut self.settings.borrow_mut());
                self.clone()
            }

            fn common(&self, field: &str, value: impl Into<serde_json::Value>) -> Self {
                let value = value.into();
                self.state.edit(|node| {
                    node.common.insert(field.to_owned(), value);
                });
                self.clone()
            }

            #[allow(dead_code, reason = "a state given as JSON has its language there")]
            fn in_language(&self, language: crate::language::QueryLanguage) -> Self {
                self.state.edit(|node| node.language = Some(language));
                self.clone()
            }

            /// A comment, for readers of the definition.
            pub fn comment(&self, comment: impl Into<String>) -> Self {
                self.common("Comment", comment.into())
            }
        }

        impl crate::chain::Chainable for $name {
            fn start_state(&self) -> crate::draft::Handle {
                self.state.clone()
            }

            fn open_ends(&self) -> Vec<crate::chain::OpenEnd> {
                if $continues { vec![crate::chain::OpenEnd::Next(self.state.clone())] } else { Vec::new() }
            }
        }
    };
}

/// `next`.
macro_rules! continued {
    ($name:ident) => {
        impl $name {
            /// Goes to `next` when this state is done; the chain that both make can be continued in turn.
            ///
            /// A second `next` on the same state is reported when the definition is written.
            #[allow(clippy::should_implement_trait, reason = "the CDK's name; a state is no iterator")]
            pub fn next(&self, next: impl crate::chain::Chainable) -> crate::chain::Chain {
                crate::chain::Chain::start(self).next(next)
            }
        }
    };
}

/// `InputPath` and `OutputPath`.
macro_rules! with_paths {
    ($name:ident) => {
        impl $name {
            /// The part of the input that the state gets: `InputPath`. Default: all of it.
            pub fn input_path(&self, path: impl Into<crate::values::PathSetting>) -> Self {
                self.common("InputPath", path.into())
            }

            /// The part of the outcome that goes on: `OutputPath`. Default: all of it.
            pub fn output_path(&self, path: impl Into<crate::values::PathSetting>) -> Self {
                self.common("OutputPath", path.into())
            }
        }
    };
}

/// `jsonata`, which takes what `new` takes: `in_jsonata!(Wait, time: WaitTime)`.
macro_rules! in_jsonata {
    ($name:ident $(, $argument:ident: $type:ty)*) => {
        impl $name {
            /// As [`new`](Self::new), with JSONata as query language: `{% … %}` in strings is an expression.
            #[must_use]
            pub fn jsonata(name: impl Into<String>, $($argument: $type),*) -> $name {
                $name::new(name, $($argument),*).in_language(crate::language::QueryLanguage::Jsonata)
            }
        }
    };
}

/// `Output`, of states in JSONata.
macro_rules! with_outputs {
    ($name:ident) => {
        impl $name {
            /// What goes on, in JSONata: an expression, or a value with expressions inside. Default: the result.
            pub fn outputs(&self, outputs: impl Into<serde_json::Value>) -> Self {
                self.common("Output", outputs)
            }
        }
    };
}

/// `ResultPath`.
macro_rules! with_result_path {
    ($name:ident) => {
        impl $name {
            /// Where the result goes in the input: `ResultPath`. Default: it replaces the input.
            pub fn result_path(&self, path: impl Into<crate::values::PathSetting>) -> Self {
                self.common("ResultPath", path.into())
            }
        }
    };
}

/// `ResultSelector`.
macro_rules! with_result_selector {
    ($name:ident) => {
        impl $name {
            /// Shapes the result before `ResultPath`: a payload template, keys that end in `.$` have paths.
            pub fn result_selector(&self, template: serde_json::Value) -> Self {
                self.common("ResultSelector", template)
            }
        }
    };
}

/// `Assign`.
macro_rules! with_assign {
    ($name:ident) => {
        impl $name {
            /// Sets variables: an object of variable names, in JSONPath with `.$` appended where the value is a path.
            pub fn assign(&self, variables: serde_json::Value) -> Self {
                self.common("Assign", variables)
            }
        }
    };
}

/// `Retry` and `Catch`.
macro_rules! with_error_handling {
    ($name:ident) => {
        impl $name {
            /// Repeats the state when it fails with one of the retrier's errors. `States.ALL` is moved to the end.
            pub fn add_retry(&self, retry: crate::retry::Retry) -> Self {
                retry.attach(&self.state);
                self.clone()
            }

            /// Goes to `handler` when the state fails with one of the catcher's errors and no retry is left.
            /// `States.ALL` is moved to the end.
            pub fn add_catch(
                &self,
                handler: impl crate::chain::Chainable,
                catch: crate::retry::Catch,
            ) -> Self {
                catch.attach(&self.state, &handler.start_state());
                self.clone()
            }
        }
    };
}

/// All that a Task has besides its own parameters.
macro_rules! task_type {
    ($(#[$doc:meta])* $name:ident, $settings:ty) => {
        crate::state::state_type!($(#[$doc])* $name, $settings, continues: true);
        crate::state::continued!($name);
        crate::state::with_paths!($name);
        crate::state::with_result_path!($name);
        crate::state::with_result_selector!($name);
        crate::state::with_assign!($name);
        crate::state::with_outputs!($name);
        crate::state::with_error_handling!($name);

        impl $name {
            /// How long the task may take: `TimeoutSeconds`. Default: for ever.
            pub fn task_timeout(&self, timeout: crate::values::Timeout) -> Self {
                self.timeout_field("TimeoutSeconds", "TimeoutSecondsPath", timeout)
            }

            /// How long the task may stay silent: `HeartbeatSeconds`. Default: for ever.
            pub fn heartbeat_timeout(&self, timeout: crate::values::Timeout) -> Self {
                self.timeout_field("HeartbeatSeconds", "HeartbeatSecondsPath", timeout)
            }

            /// The role under which the task is called: an ARN, or the path to one.
            pub fn credentials(&self, role_arn: impl Into<crate::values::Text>) -> Self {
                let mut credentials = serde_json::Map::new();
                role_arn.into().insert_into(&mut credentials, "RoleArn");
                self.common("Credentials", credentials)
            }

            fn timeout_field(
                &self,
                literal: &'static str,
                path: &'static str,
                timeout: crate::values::Timeout,
            ) -> Self {
                let (field, other, value) = match timeout {
                    crate::values::Timeout::At(at) => (path, literal, at.into()),
                    crate::values::Timeout::Jsonata(expression) => (literal, path, expression.into()),
                    crate::values::Timeout::Duration(duration) => {
                        match crate::values::seconds(duration, literal, &self.state.name()) {
                            Ok(seconds) => (literal, path, seconds),
                            Err(error) => {
                                self.state.report(error);
                                return self.clone();
                            }
                        }
                    }
                };
                self.state.edit(|node| {
                    node.common.remove(other);
                });
                self.common(field, value)
            }
        }
    };
}

pub(crate) use {
    continued, in_jsonata, state_type, task_type, with_assign, with_error_handling, with_outputs, with_paths,
    with_result_path, with_result_selector,
};
