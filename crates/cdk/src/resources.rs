//! Handles of what tasks call: functions, tables, queues … by name or ARN.
//!
//! A name becomes an ARN in region `us-east-1` of account `000000000000`, partition `aws`: those of a server with its
//! default settings. [`Environment`] gives other ones.

use std::fmt;

/// Where resources are.
///
/// ```
/// use stepwell_cdk::Environment;
///
/// let here = Environment::new("eu-west-1", "123456789012");
/// assert_eq!(here.function("Work").arn(), "arn:aws:lambda:eu-west-1:123456789012:function:Work");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    region: String,
    account: String,
}

impl Default for Environment {
    fn default() -> Environment {
        Environment::new("us-east-1", "000000000000")
    }
}

impl Environment {
    /// A region and an account.
    #[must_use]
    pub fn new(region: impl Into<String>, account: impl Into<String>) -> Environment {
        Environment { region: region.into(), account: account.into() }
    }

    /// The function `name`.
    #[must_use]
    pub fn function(&self, name: &str) -> Function {
        Function { arn: self.arn("lambda", format_args!("function:{name}")) }
    }

    /// The queue `name`.
    #[must_use]
    pub fn queue(&self, name: &str) -> Queue {
        Queue { url: format!("https://sqs.{}.amazonaws.com/{}/{name}", self.region, self.account) }
    }

    /// The topic `name`.
    #[must_use]
    pub fn topic(&self, name: &str) -> Topic {
        Topic { arn: self.arn("sns", format_args!("{name}")) }
    }

    /// The activity `name`.
    #[must_use]
    pub fn activity(&self, name: &str) -> Activity {
        Activity { arn: self.arn("states", format_args!("activity:{name}")) }
    }

    /// The state machine `name`.
    #[must_use]
    pub fn state_machine(&self, name: &str) -> StateMachineRef {
        StateMachineRef { arn: self.arn("states", format_args!("stateMachine:{name}")) }
    }

    fn arn(&self, service: &str, resource: fmt::Arguments<'_>) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }
}

/// Handles that are an ARN.
macro_rules! by_arn {
    ($(#[$doc:meta])* $name:ident, $from_name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            arn: String,
        }

        impl $name {
            #[doc = concat!("The ", $what, " `name` of the default [`Environment`].")]
            #[must_use]
            pub fn from_name(name: &str) -> $name {
                Environment::default().$from_name(name)
            }

            #[doc = concat!("The ", $what, " with this ARN.")]
            #[must_use]
            pub fn from_arn(arn: impl Into<String>) -> $name {
                $name { arn: arn.into() }
            }

            /// Its ARN.
            #[must_use]
            pub fn arn(&self) -> &str {
                &self.arn
            }
        }
    };
}

by_arn!(
    /// A Lambda function.
    ///
    /// ```
    /// use stepwell_cdk::Function;
    ///
    /// assert_eq!(Function::from_name("SubmitFunction").arn(), "arn:aws:lambda:us-east-1:000000000000:function:SubmitFunction");
    /// ```
    Function, function, "function"
);
by_arn!(
    /// An SNS topic.
    Topic, topic, "topic"
);
by_arn!(
    /// A Step Functions activity, which a worker asks for tasks.
    Activity, activity, "activity"
);
by_arn!(
    /// Another state machine, to be started by a task.
    StateMachineRef, state_machine, "state machine"
);

/// A DynamoDB table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    name: String,
}

impl Table {
    /// The table `name`.
    #[must_use]
    pub fn from_name(name: impl Into<String>) -> Table {
        Table { name: name.into() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// An SQS queue.
///
/// ```
/// use stepwell_cdk::Queue;
///
/// assert_eq!(Queue::from_name("Outbox").url(), "https://sqs.us-east-1.amazonaws.com/000000000000/Outbox");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    url: String,
}

impl Queue {
    /// The queue `name` of the default [`Environment`].
    #[must_use]
    pub fn from_name(name: &str) -> Queue {
        Environment::default().queue(name)
    }

    /// The queue with this URL.
    #[must_use]
    pub fn from_url(url: impl Into<String>) -> Queue {
        Queue { url: url.into() }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
