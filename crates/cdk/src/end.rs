//! `Succeed` and `Fail`: end the execution, or the branch.

use serde_json::{Map, Value};

use crate::draft::Specific;
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::state::{in_jsonata, state_type, with_outputs, with_paths};

state_type!(
    /// Ends well, with its input as output.
    ///
    /// ```
    /// use stepwell_cdk::Succeed;
    ///
    /// let finish = Succeed::new("Finish").comment("all items are through");
    /// # let _ = finish;
    /// ```
    Succeed, Success, continues: false
);
with_paths!(Succeed);
with_outputs!(Succeed);
in_jsonata!(Succeed);

/// A Succeed has no fields of its own.
struct Success;

impl Specific for Success {
    fn render(&self, _: &str, _: QueryLanguage, fields: &mut Map<String, Value>) -> Result<(), BuildError> {
        fields.insert("Type".into(), "Succeed".into());
        Ok(())
    }
}

impl Succeed {
    /// A Succeed.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Succeed {
        Succeed::create(name, Success)
    }
}

state_type!(
    /// Ends in failure, with an error name and a cause.
    ///
    /// ```
    /// use stepwell_cdk::Fail;
    ///
    /// let failed = Fail::new("JobFailed").error("Described returned FAILED").cause("AWS Batch Job Failed");
    /// # let _ = failed;
    /// ```
    Fail, Failure, continues: false
);
in_jsonata!(Fail);

#[derive(Default)]
struct Failure {
    error: Option<String>,
    error_path: Option<String>,
    cause: Option<String>,
    cause_path: Option<String>,
}

impl Specific for Failure {
    fn render(
        &self,
        state: &str,
        _: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError> {
        fields.insert("Type".into(), "Fail".into());
        for (literal, path, what) in
            [(&self.error, &self.error_path, "error"), (&self.cause, &self.cause_path, "cause")]
        {
            if literal.is_some() && path.is_some() {
                let problem = format!("{what} and {what}_path exclude each other");
                return Err(BuildError::InvalidSettings { state: state.to_owned(), problem });
            }
        }
        for (field, value) in [
            ("Error", &self.error),
            ("ErrorPath", &self.error_path),
            ("Cause", &self.cause),
            ("CausePath", &self.cause_path),
        ] {
            if let Some(value) = value {
                fields.insert(field.into(), value.clone().into());
            }
        }
        Ok(())
    }
}

impl Fail {
    /// A Fail without error name and cause.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Fail {
        Fail::create(name, Failure::default())
    }

    /// The error's name; in JSONata it may be an expression.
    pub fn error(&self, error: impl Into<String>) -> Fail {
        self.set(|settings| settings.error = Some(error.into()))
    }

    /// Where the error's name is: a path, or an intrinsic function call.
    pub fn error_path(&self, path: impl Into<String>) -> Fail {
        self.set(|settings| settings.error_path = Some(path.into()))
    }

    /// The cause, for readers; in JSONata it may be an expression.
    pub fn cause(&self, cause: impl Into<String>) -> Fail {
        self.set(|settings| settings.cause = Some(cause.into()))
    }

    /// Where the cause is: a path, or an intrinsic function call.
    pub fn cause_path(&self, path: impl Into<String>) -> Fail {
        self.set(|settings| settings.cause_path = Some(path.into()))
    }
}
