//! Where output goes and whether it may be coloured: data to stdout, all else to stderr, colours only on a terminal.

use std::io::{IsTerminal as _, Write as _};

/// What a piece of text is, so that one place decides about its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Succeeded.
    Good,
    /// Failed.
    Bad,
    /// Retried, caught, without effect.
    Warn,
    /// Under way, advice.
    Accent,
    /// Times, ids.
    Dim,
    /// Headings.
    Strong,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Paint::Good => "32",
            Paint::Bad => "31",
            Paint::Warn => "33",
            Paint::Accent => "36",
            Paint::Dim => "2",
            Paint::Strong => "1",
        }
    }
}

/// The process's two outputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    stdout_colours: bool,
    stderr_colours: bool,
    /// Whether stderr is a terminal that can redraw lines.
    pub(crate) redraws: bool,
}

impl Terminal {
    /// As the environment says: `NO_COLOR` (any non-empty value) and `TERM=dumb` switch colours off.
    pub(crate) fn from_environment() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let stderr = std::io::stderr().is_terminal();
        Terminal {
            stdout_colours: std::io::stdout().is_terminal() && !dumb && !refused,
            stderr_colours: stderr && !dumb && !refused,
            redraws: stderr && !dumb,
        }
    }

    /// `text` for stdout, painted.
    pub(crate) fn out(&self, paint: Paint, text: &str) -> String {
        painted(self.stdout_colours, paint, text)
    }

    /// `text` for stderr, painted.
    pub(crate) fn err(&self, paint: Paint, text: &str) -> String {
        painted(self.stderr_colours, paint, text)
    }

    /// Whether stderr takes colours; for renderers that paint on their own.
    pub(crate) fn stderr_colours(&self) -> bool {
        self.stderr_colours
    }

    /// A line of data.
    ///
    /// Errors: stdout is closed or full.
    pub(crate) fn data(&self, line: &str) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(line.as_bytes())?;
        stdout.write_all(b"\n")?;
        stdout.flush()
    }

    /// A line of anything else. That it cannot be written is nobody's loss.
    pub(crate) fn note(&self, line: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    /// Text without an added line end, for redrawing.
    pub(crate) fn draw(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

fn painted(colours: bool, paint: Paint, text: &str) -> String {
    if colours { format!("\x1b[{}m{text}\x1b[0m", paint.code()) } else { text.to_owned() }
}
