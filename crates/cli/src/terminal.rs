//! Where output goes and whether it may be coloured: data to stdout, all else to stderr, colours only on a terminal.

use std::io::{IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

/// Lines at the bottom of stderr that whatever is written next replaces. One per process, as stderr is.
static DRAWN: Mutex<usize> = Mutex::new(0);

/// Lines that are too long are cut by the terminal, or wrapped.
const WRAPPING_OFF: &str = "\x1b[?7l";
const WRAPPING_ON: &str = "\x1b[?7h";

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
        let _ = write_over(&format!("{line}\n"), "");
    }

    /// Lines that stay, then lines that the next output replaces. Only where [`Terminal::redraws`].
    pub(crate) fn draw(&self, staying: &str, drawn: &str) {
        let _ = write_over(staying, drawn);
    }

    /// Leaves what is drawn.
    pub(crate) fn leave(&self) {
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = 0;
    }
}

/// Writes over what is drawn. `drawn` is not wrapped, so that each of its lines is one line to erase, however narrow the
/// terminal.
fn write_over(staying: &str, drawn: &str) -> std::io::Result<()> {
    let mut lines = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = if *lines == 0 { String::new() } else { format!("\x1b[{}A\r\x1b[J", *lines) };
    text.push_str(staying);
    if !drawn.is_empty() {
        text.extend([WRAPPING_OFF, drawn, WRAPPING_ON]);
    }
    *lines = drawn.matches('\n').count();
    // One write, so that nothing of ours comes between.
    let mut stderr = std::io::stderr().lock();
    stderr.write_all(text.as_bytes())?;
    stderr.flush()
}

/// Stderr for the log: lines appear above what is drawn, which the next drawing restores.
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        write_over(&String::from_utf8_lossy(bytes), "")?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn painted(colours: bool, paint: Paint, text: &str) -> String {
    if colours { format!("\x1b[{}m{text}\x1b[0m", paint.code()) } else { text.to_owned() }
}
