//! How a command ends: what is told on stderr and which exit code the process has.

use std::process::ExitCode;

use crate::terminal::{Paint, Terminal};

/// A command that did what it was asked to. Whether the answer is good news is another matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Exit code 0.
    Success,
    /// Exit code 1: an execution, a validation or a deployment failed, and the command has already said so.
    Failure,
    /// Exit code 130: the user stopped it with Ctrl-C.
    Interrupted,
}

/// Why a command could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// Exit code 1: what the command acted on is wrong.
    #[error("{message}")]
    Failed {
        /// For a person.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Exit code 2: usage, files, connection.
    #[error("{message}")]
    Unusable {
        /// For a person.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Exit code 0: whoever read our output has seen enough (`stepwell … | head`). Nobody is there to be told.
    #[error("the output is closed")]
    OutputClosed,
}

impl CommandError {
    /// Exit code 1, without a hint.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        CommandError::Failed { message: message.into(), hint: None }
    }

    /// Exit code 2, without a hint.
    pub(crate) fn unusable(message: impl Into<String>) -> Self {
        CommandError::Unusable { message: message.into(), hint: None }
    }

    /// The same with advice.
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        match &mut self {
            CommandError::Failed { hint, .. } | CommandError::Unusable { hint, .. } => {
                *hint = Some(text.into())
            }
            CommandError::OutputClosed => {}
        }
        self
    }
}

impl From<std::io::Error> for CommandError {
    /// For writing to stdout; files are named where they are used.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => CommandError::OutputClosed,
            _ => CommandError::unusable(format!("the output cannot be written: {error}")),
        }
    }
}

/// What every command returns.
pub(crate) type CommandResult = Result<Outcome, CommandError>;

/// Tells the error, if there is one, and gives the exit code.
pub(crate) fn report(terminal: &Terminal, result: CommandResult) -> ExitCode {
    let (code, message, hint) = match result {
        Ok(Outcome::Success) | Err(CommandError::OutputClosed) => return ExitCode::SUCCESS,
        Ok(Outcome::Failure) => return ExitCode::from(1),
        Ok(Outcome::Interrupted) => return ExitCode::from(130),
        Err(CommandError::Failed { message, hint }) => (1, message, hint),
        Err(CommandError::Unusable { message, hint }) => (2, message, hint),
    };
    terminal.note(&format!("{} {message}", terminal.err(Paint::Bad, "error:")));
    if let Some(hint) = hint {
        terminal.note(&format!(" {} {hint}", terminal.err(Paint::Accent, "hint:")));
    }
    ExitCode::from(code)
}
