//! Watching executions: follows their histories through the API and shows each state as it happens.
//!
//! On a terminal the states under way are redrawn at the bottom, and those that ended stay above them; elsewhere every
//! change is one line. Everything goes to stderr, so that stdout holds only results.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, ClientError};
use crate::history::{Ending, Progress, Visit, Visits};
use crate::terminal::{Paint, Terminal};
use crate::time;

/// Pauses between two looks at an execution in which nothing happens: the first, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(25);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Events asked for at once.
const PAGE_EVENTS: usize = 500;

/// States under way that are drawn at once; the others are counted.
const DRAWN_MAX: usize = 12;

/// One execution being watched.
pub(crate) struct Watch<'a> {
    client: &'a Client,
    execution_arn: String,
    visits: Visits,
}

impl<'a> Watch<'a> {
    /// Watches from its first event.
    pub(crate) fn new(client: &'a Client, execution_arn: &str) -> Self {
        Watch { client, execution_arn: execution_arn.to_owned(), visits: Visits::default() }
    }

    /// The visits so far.
    pub(crate) fn visits(&self) -> &Visits {
        &self.visits
    }

    /// The events that happened since the last call, in order.
    ///
    /// Asks for the newest ones first and only as far back as needed, because the service gives no way to ask for
    /// events after an id.
    pub(crate) async fn news(&mut self) -> Result<Vec<Value>, ClientError> {
        let known = self.visits.last_id();
        let mut newest_first: Vec<Value> = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut request = json!({
                "executionArn": self.execution_arn,
                "reverseOrder": true,
                // Most looks find nothing or a few events; the first finds all there are.
                "maxResults": if known > 0 && token.is_none() { 20 } else { PAGE_EVENTS },
            });
            if let Some(token) = &token {
                request["nextToken"] = json!(token);
            }
            let mut page = self.client.states("GetExecutionHistory", request).await?;
            let events = page["events"].as_array_mut().map(std::mem::take).unwrap_or_default();
            let reached =
                events.is_empty() || events.iter().any(|event| event["id"].as_u64() <= Some(known + 1));
            newest_first.extend(events.into_iter().filter(|event| event["id"].as_u64() > Some(known)));
            token = page["nextToken"].as_str().map(str::to_owned);
            if reached || token.is_none() {
                break;
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    /// Shows the execution until it ends or `deadline` has passed; `None` then. `each` gets every event.
    pub(crate) async fn show(
        &mut self,
        view: &mut View<'_>,
        deadline: Option<Instant>,
        mut each: impl FnMut(&Value) -> std::io::Result<()>,
    ) -> Result<Option<Ending>, WatchError> {
        let mut pause = PAUSE_MIN;
        loop {
            let events = self.news().await?;
            pause = if events.is_empty() { (pause * 3 / 2).min(PAUSE_MAX) } else { PAUSE_MIN };
            let mut ended = Vec::new();
            for event in &events {
                each(event)?;
                ended.extend(self.visits.take(event));
            }
            view.update(&self.visits, &ended);
            if let Some(ending) = self.visits.ending() {
                view.finish();
                return Ok(Some(ending.clone()));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                view.finish();
                return Ok(None);
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Why watching ended without an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    /// The server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Our own output.
    #[error(transparent)]
    Output(#[from] std::io::Error),
}

impl From<WatchError> for crate::outcome::CommandError {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Client(error) => error.into(),
            WatchError::Output(error) => error.into(),
        }
    }
}

/// How states are shown.
pub(crate) struct View<'a> {
    terminal: &'a Terminal,
    /// Shows nothing at all (`--json`).
    silent: bool,
    /// Rows that were announced as running where nothing can be redrawn.
    announced: Vec<usize>,
}

impl<'a> View<'a> {
    /// A view on this terminal; a silent one shows nothing.
    pub(crate) fn new(terminal: &'a Terminal, silent: bool) -> Self {
        View { terminal, silent, announced: Vec::new() }
    }

    /// Shows what changed: the rows `ended`, and those that run.
    fn update(&mut self, visits: &Visits, ended: &[usize]) {
        if self.silent {
            return;
        }
        let running = visits.rows().iter().enumerate().filter(|(_, row)| row.progress == Progress::Running);
        let running: Vec<(usize, &Visit)> = running.collect();
        if !self.terminal.redraws {
            for row in ended {
                self.terminal.note(&self.line(&visits.rows()[*row]));
            }
            for (index, visit) in running {
                if !self.announced.contains(&index) {
                    self.terminal.note(&self.line(visit));
                    self.announced.push(index);
                }
            }
            self.announced.retain(|index| visits.rows()[*index].progress == Progress::Running);
            return;
        }
        let lines = |rows: &mut dyn Iterator<Item = &Visit>| -> String {
            rows.map(|visit| format!("{}\n", self.line(visit))).collect()
        };
        let staying = lines(&mut ended.iter().map(|row| &visits.rows()[*row]));
        let mut drawn = lines(&mut running.iter().take(DRAWN_MAX).map(|(_, visit)| *visit));
        if running.len() > DRAWN_MAX {
            drawn.push_str(&format!("    and {} more under way\n", running.len() - DRAWN_MAX));
        }
        self.terminal.draw(&staying, &drawn);
    }

    /// Leaves what is drawn.
    fn finish(&mut self) {
        self.terminal.leave();
        self.announced.clear();
    }

    fn line(&self, visit: &Visit) -> String {
        let (mark, paint) = match visit.progress {
            Progress::Running => ("▸", Paint::Accent),
            Progress::Succeeded => ("✔", Paint::Good),
            Progress::Caught => ("↷", Paint::Warn),
            Progress::Failed => ("✘", Paint::Bad),
        };
        let kind = match &visit.resource {
            Some(resource) => format!("{} {resource}", visit.kind),
            None => visit.kind.clone(),
        };
        let took = visit.ended.unwrap_or_else(time::now) - visit.entered;
        let mut line = format!(
            "  {} {}  {:<32} {:<26} {:>10}",
            self.terminal.err(Paint::Dim, &time::time_of_day(visit.entered)),
            self.terminal.err(paint, mark),
            shortened(&format!("{:indent$}{}", "", visit.name, indent = visit.depth.min(8) * 2), 32),
            shortened(&kind, 26),
            if visit.progress == Progress::Running && !self.terminal.redraws {
                "running".to_owned()
            } else {
                time::length(took)
            },
        );
        let error = visit.error.as_deref().unwrap_or_default();
        match (visit.progress, visit.retries) {
            (Progress::Caught, _) => {
                line.push_str(&self.remark(Paint::Warn, format!("caught {error}").trim_end()))
            }
            (Progress::Failed, _) if !error.is_empty() => line.push_str(&self.remark(Paint::Bad, error)),
            _ => {}
        }
        if visit.retries > 0 {
            let times =
                if visit.retries == 1 { "once".to_owned() } else { format!("{} times", visit.retries) };
            let after = if error.is_empty() { String::new() } else { format!(" after {error}") };
            line.push_str(&self.remark(Paint::Warn, &format!("retried {times}{after}")));
        }
        line
    }

    fn remark(&self, paint: Paint, text: &str) -> String {
        format!("  {}", self.terminal.err(paint, &shortened(text, 60)))
    }
}

/// At most `columns` characters, without control characters: names come from elsewhere and must not move the cursor.
fn shortened(text: &str, columns: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= columns {
        return clean.collect();
    }
    clean.take(columns - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_hostile_names_stay_on_their_line() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcd", 3), "ab…");
        assert_eq!(shortened("a\x1b[2Jb\n", 20), "a [2Jb ");
    }
}
