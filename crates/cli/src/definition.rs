//! What a path on the command line holds: a definition in JSON or YAML, a CloudFormation template, or a cdk.out.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stepwell_deploy::template::parse_document;

use crate::outcome::CommandError;

/// Bytes of a file that is read; far above the largest definition or template that AWS takes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What stands for stdin.
const STDIN: &str = "-";

/// A path, looked at.
#[derive(Debug)]
pub(crate) enum Source {
    /// The definition of one state machine.
    Definition(Definition),
    /// A CloudFormation template, as written.
    Template(String),
    /// A directory that the CDK synthesized.
    Assembly,
}

/// The definition of one state machine.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    /// JSON text.
    pub(crate) text: String,
    /// The text it was made from, where that was YAML.
    pub(crate) yaml: Option<String>,
}

/// Finds out what `path` holds.
///
/// Errors: it cannot be read, or is a directory but no cdk.out.
pub(crate) fn read(path: &Path) -> Result<Source, CommandError> {
    if path.is_dir() {
        if path.join("manifest.json").is_file() || path.join("cdk.out").join("manifest.json").is_file() {
            return Ok(Source::Assembly);
        }
        let message = format!("{} is a directory without a manifest.json, so no cdk.out", path.display());
        return Err(CommandError::unusable(message).hint("run 'cdk synth', then name its cdk.out directory"));
    }
    classify(path, read_text(path)?)
}

fn classify(path: &Path, text: String) -> Result<Source, CommandError> {
    let json = text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']);
    let document = match parse_document(&text) {
        Ok(node) => node.to_json(),
        // The language's own reader tells what is wrong with a JSON text, and where.
        Err(_) if json => return Ok(Source::Definition(Definition { text, yaml: None })),
        Err(problem) => {
            let line = problem.line.map_or_else(String::new, |line| format!(":{line}"));
            return Err(CommandError::failed(format!("{}{line}: {}", path.display(), problem.message)));
        }
    };
    if document.get("Resources").is_some() && document.get("States").is_none() {
        return Ok(Source::Template(text));
    }
    if json {
        return Ok(Source::Definition(Definition { text, yaml: None }));
    }
    if !document.is_object() {
        let message = format!("{} holds neither a definition nor a template", path.display());
        return Err(CommandError::failed(message));
    }
    Ok(Source::Definition(Definition { text: pretty(&document), yaml: Some(text) }))
}

/// A file's text, or stdin's, without a byte order mark.
///
/// Errors: it cannot be read, is too large or no UTF-8; exit code 2.
pub(crate) fn read_text(path: &Path) -> Result<String, CommandError> {
    let failed = |reason: String| CommandError::unusable(format!("cannot read {}: {reason}", path.display()));
    let mut text = String::new();
    let read = if path == Path::new(STDIN) {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
    };
    read.map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(failed(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    // Editors of some systems begin a file with a byte order mark, which no JSON text may contain.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The input of an execution: the option's text, the file's, or an empty object.
///
/// Errors: the file cannot be read, or it is no JSON document; exit code 2.
pub(crate) fn input(inline: Option<String>, file: Option<PathBuf>) -> Result<String, CommandError> {
    let text = match (inline, file) {
        (Some(text), _) => text,
        (None, Some(path)) => read_text(&path)?,
        (None, None) => "{}".to_owned(),
    };
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(CommandError::unusable(format!("the input is no JSON document: {error}"))),
    }
}

/// JSON over several lines.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// A name for a state machine made from a file's: without its endings, only characters that names may have, at most 80.
pub(crate) fn machine_name(path: &Path) -> String {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut stem = file.as_str();
    for ending in [".json", ".yaml", ".yml", ".asl"] {
        stem = stem.strip_suffix(ending).unwrap_or(stem);
    }
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = stem.chars().map(legal).take(80).collect();
    if name.is_empty() { "state-machine".to_owned() } else { name }
}

/// The line of a YAML text, as a range of bytes, that a location such as `/States/Check/Choices[0]/Next` means: that of
/// the deepest key that block maps show. YAML readers give no positions of values.
pub(crate) fn yaml_line(text: &str, location: &str) -> Option<std::ops::Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        lines.push((start, line.trim_end()));
        start += line.len();
    }
    let mut found = None;
    let (mut from, mut indent_above) = (0, None);
    for segment in location.split('/').filter(|segment| !segment.is_empty()) {
        let (key, index) = segment
            .split_once('[')
            .map_or((segment, None), |(key, rest)| (key, rest.trim_end_matches(']').parse::<usize>().ok()));
        let Some((number, indent)) = key_line(&lines, from, indent_above, key) else { break };
        found = Some(number);
        (from, indent_above) = (number + 1, Some(indent));
        if let Some((number, indent)) = index.and_then(|index| item_line(&lines, from, indent, index)) {
            found = Some(number);
            // The item's first key stands on the line of its hyphen.
            (from, indent_above) = (number, Some(indent));
        }
    }
    let (start, line) = lines[found?];
    let blank = line.len() - line.trim_start().len();
    Some(start + blank..start + line.len())
}

/// The next line with the key `key` below the indentation `above`, and its indentation.
fn key_line(lines: &[(usize, &str)], from: usize, above: Option<usize>, key: &str) -> Option<(usize, usize)> {
    for (number, (_, line)) in lines.iter().enumerate().skip(from) {
        let content = line.trim_start_matches([' ', '-']);
        let indent = line.len() - content.len();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if above.is_some_and(|above| indent <= above) {
            return None;
        }
        let bare = content.trim_start_matches(['"', '\'']);
        let rest = bare.strip_prefix(key).map(|rest| rest.trim_start_matches(['"', '\'']));
        if rest.is_some_and(|rest| rest.starts_with(':')) {
            return Some((number, indent));
        }
    }
    None
}

/// The line on which item `index` of the list below a key at `above` begins, and the indentation of its hyphen.
fn item_line(lines: &[(usize, &str)], from: usize, above: usize, index: usize) -> Option<(usize, usize)> {
    let mut indent_of_items = None;
    let mut seen = 0;
    for (number, (_, line)) in lines.iter().enumerate().skip(from) {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if indent < above || (indent == above && !content.starts_with('-')) {
            return None;
        }
        if content.starts_with('-') && indent == *indent_of_items.get_or_insert(indent) {
            if seen == index {
                return Some((number, indent));
            }
            seen += 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_files() {
        for (file, name) in [
            ("a/job-poller.asl.json", "job-poller"),
            ("my machine.yaml", "my-machine"),
            ("x.yml", "x"),
            (".json", "state-machine"),
        ] {
            assert_eq!(machine_name(Path::new(file)), name, "{file}");
        }
    }

    #[test]
    fn a_location_is_found_in_yaml() {
        let text = "StartAt: A\nStates:\n  A:\n    Type: Choice\n    Choices:\n    - Next: B\n      Variable: $.x\n    \
                    - Variable: $.y\n      Next: Nowhere\n  B:\n    Type: Succeed\n";
        for (location, line) in [
            ("/StartAt", Some("StartAt: A")),
            ("/States/A/Type", Some("Type: Choice")),
            ("/States/A/Choices[0]/Next", Some("- Next: B")),
            ("/States/A/Choices[1]/Next", Some("Next: Nowhere")),
            ("/States/B", Some("B:")),
            ("/States/B/Missing", Some("B:")),
            ("/Nothing", None),
            ("", None),
        ] {
            assert_eq!(yaml_line(text, location).map(|range| &text[range]), line, "{location}");
        }
    }

    #[test]
    fn texts_are_told_apart() {
        let read = |text: &str| classify(Path::new("f"), text.to_owned());
        assert!(matches!(read("{\"States\":{}}"), Ok(Source::Definition(Definition { yaml: None, .. }))));
        assert!(matches!(read("{\"Resources\":{}}"), Ok(Source::Template(_))));
        assert!(matches!(read("Resources: {}\n"), Ok(Source::Template(_))));
        assert!(matches!(read("StartAt: A\n"), Ok(Source::Definition(Definition { yaml: Some(_), .. }))));
        assert!(matches!(read("{\"States\":"), Ok(Source::Definition(_))));
        assert!(matches!(read("a: [1\n"), Err(CommandError::Failed { .. })));
        assert!(matches!(read("just words"), Err(CommandError::Failed { .. })));
    }
}
