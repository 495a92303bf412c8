//! The table of facts of one service model, and its reader.
//!
//! The format is one fact a line, tab-separated:
//!
//! ```text
//! service     <target prefix>  <JSON version>  <API version>
//! operation   <name>  <input shape or ->  <output shape or ->  <error,error…>  [idempotent]  [host-prefix=<p>]
//! structure   <name>  <member>:<shape>[!]…  [@exception]  [@sensitive]       (! marks a required member)
//! list        <name>  <shape>  [min=]  [max=]
//! map         <name>  <key shape>  <value shape>
//! <scalar>    <name>  [min=]  [max=]  [pattern=]  [enum=a,b]  [@bytes]  [@sensitive]
//! ```

use std::collections::HashMap;

use super::pattern::Pattern;

/// A service's operations and shapes.
#[derive(Debug)]
pub struct Model {
    /// What stands before the dot in `X-Amz-Target`.
    pub target_prefix: String,
    operations: HashMap<String, Operation>,
    shapes: Vec<Shape>,
    by_name: HashMap<String, ShapeId>,
}

/// An operation of the model.
#[derive(Debug)]
pub struct Operation {
    /// `StartExecution` …
    pub name: String,
    /// Its input structure, where it has one.
    pub input: Option<ShapeId>,
    /// Its output structure, where it has one.
    pub output: Option<ShapeId>,
    /// The exceptions it may answer with.
    pub errors: Vec<String>,
}

/// Index of a shape in its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapeId(usize);

/// A named type with its constraints.
#[derive(Debug)]
pub struct Shape {
    /// `CreateStateMachineInput`, `Name` …
    pub name: String,
    /// What kind of value it is.
    pub kind: ShapeKind,
    /// Whether AWS leaves its value out of error texts.
    pub sensitive: bool,
}

/// The kinds of value.
#[derive(Debug)]
pub enum ShapeKind {
    /// An object with known members.
    Structure(Vec<Member>),
    /// An array.
    List {
        /// Of what.
        member: ShapeId,
        /// How many.
        size: Bounds,
    },
    /// An object with free keys.
    Map {
        /// Of its values.
        value: ShapeId,
    },
    /// A string.
    Text(TextFacts),
    /// `integer` (32 bits) or `long` (64 bits).
    Integer {
        /// Width.
        bits: u8,
        /// Allowed values.
        range: Bounds,
    },
    /// `float` or `double`.
    Float {
        /// Allowed values.
        range: Bounds,
    },
    /// `true` or `false`.
    Boolean,
    /// Seconds since 1970.
    Timestamp,
    /// Base64 text.
    Blob {
        /// How many bytes.
        size: Bounds,
    },
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Lower camel, as on the wire.
    pub name: String,
    /// Its type.
    pub shape: ShapeId,
    /// Whether a request without it is refused.
    pub required: bool,
}

/// Constraints of a string.
#[derive(Debug, Default)]
pub struct TextFacts {
    /// Length, in UTF-16 units (what AWS's servers count) or bytes of UTF-8.
    pub length: Bounds,
    /// Whether `length` counts bytes of UTF-8.
    pub in_bytes: bool,
    /// Allowed values, in AWS's printing order; empty where all are.
    pub values: Vec<String>,
    pattern: Option<Pattern>,
}

impl TextFacts {
    /// The pattern that `value` violates, if it does.
    pub(super) fn violated_pattern(&self, value: &str) -> Option<&str> {
        self.pattern.as_ref().filter(|p| !p.matches(value)).map(|p| p.text.as_str())
    }
}

/// Inclusive limits.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// At least.
    pub min: Option<i64>,
    /// At most.
    pub max: Option<i64>,
}

impl Model {
    /// Reads a table. The error names the line.
    pub fn parse(text: &str) -> Result<Model, String> {
        let lines: Vec<Vec<&str>> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.split('\t').collect())
            .collect();
        let mut by_name = HashMap::new();
        let of_shapes: Vec<&Vec<&str>> =
            lines.iter().filter(|l| !matches!(l[0], "service" | "operation")).collect();
        for (index, line) in of_shapes.iter().enumerate() {
            by_name.insert(field(line, 1)?.to_owned(), ShapeId(index));
        }
        let shapes = of_shapes.iter().map(|line| parse_shape(line, &by_name)).collect::<Result<_, _>>()?;
        let mut model = Model { target_prefix: String::new(), operations: HashMap::new(), shapes, by_name };
        for line in &lines {
            match line[0] {
                "service" => model.target_prefix = field(line, 1)?.to_owned(),
                "operation" => {
                    let operation = parse_operation(line, &model.by_name)?;
                    model.operations.insert(operation.name.clone(), operation);
                }
                _ => {}
            }
        }
        Ok(model)
    }

    /// The operation `name`.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// All operations, in no order.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    /// The shape behind an id of this model.
    #[must_use]
    pub fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.0]
    }

    /// The shape called `name`.
    #[must_use]
    pub fn shape_named(&self, name: &str) -> Option<&Shape> {
        self.by_name.get(name).map(|id| self.shape(*id))
    }
}

fn parse_operation(line: &[&str], shapes: &HashMap<String, ShapeId>) -> Result<Operation, String> {
    let shape = |at: usize| match field(line, at)? {
        "-" => Ok(None),
        name => find(shapes, name, line).map(Some),
    };
    Ok(Operation {
        name: field(line, 1)?.to_owned(),
        input: shape(2)?,
        output: shape(3)?,
        errors: field(line, 4)?.split(',').filter(|e| !e.is_empty()).map(str::to_owned).collect(),
    })
}

fn parse_shape(line: &[&str], shapes: &HashMap<String, ShapeId>) -> Result<Shape, String> {
    let sensitive = line.contains(&"@sensitive");
    let kind = match line[0] {
        "structure" => ShapeKind::Structure(parse_members(line, shapes)?),
        "list" => ShapeKind::List { member: find(shapes, field(line, 2)?, line)?, size: bounds(line)? },
        "map" => {
            find(shapes, field(line, 2)?, line)?;
            ShapeKind::Map { value: find(shapes, field(line, 3)?, line)? }
        }
        "string" => ShapeKind::Text(parse_text(line)?),
        "integer" => ShapeKind::Integer { bits: 32, range: bounds(line)? },
        "long" => ShapeKind::Integer { bits: 64, range: bounds(line)? },
        "float" | "double" => ShapeKind::Float { range: bounds(line)? },
        "boolean" => ShapeKind::Boolean,
        "timestamp" => ShapeKind::Timestamp,
        "blob" => ShapeKind::Blob { size: bounds(line)? },
        other => return Err(format!("unknown kind of fact {other}")),
    };
    Ok(Shape { name: field(line, 1)?.to_owned(), kind, sensitive })
}

fn parse_members(line: &[&str], shapes: &HashMap<String, ShapeId>) -> Result<Vec<Member>, String> {
    line[2..]
        .iter()
        .filter(|f| !f.starts_with('@'))
        .map(|fact| {
            let (name, shape) =
                fact.split_once(':').ok_or_else(|| format!("{}: bad member {fact}", line[1]))?;
            let (shape, required) = shape.strip_suffix('!').map_or((shape, false), |shape| (shape, true));
            Ok(Member { name: name.to_owned(), shape: find(shapes, shape, line)?, required })
        })
        .collect()
}

fn parse_text(line: &[&str]) -> Result<TextFacts, String> {
    Ok(TextFacts {
        length: bounds(line)?,
        in_bytes: line.contains(&"@bytes"),
        values: value_of(line, "enum=")
            .map(|v| v.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        pattern: value_of(line, "pattern=").map(Pattern::new).transpose()?,
    })
}

fn bounds(line: &[&str]) -> Result<Bounds, String> {
    let number = |name: &str| {
        value_of(line, name).map(|v| v.parse().map_err(|_| format!("{}: bad {name}{v}", line[1]))).transpose()
    };
    Ok(Bounds { min: number("min=")?, max: number("max=")? })
}

fn value_of<'a>(line: &[&'a str], name: &str) -> Option<&'a str> {
    line.iter().find_map(|f| f.strip_prefix(name))
}

fn field<'a>(line: &[&'a str], at: usize) -> Result<&'a str, String> {
    line.get(at).copied().ok_or_else(|| format!("line has no field {at}: {}", line.join(" ")))
}

fn find(shapes: &HashMap<String, ShapeId>, name: &str, line: &[&str]) -> Result<ShapeId, String> {
    shapes.get(name).copied().ok_or_else(|| format!("{} refers to {name}, which is not there", line[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_table_reads() {
        let model = super::super::step_functions();
        assert_eq!(model.target_prefix, "AWSStepFunctions");
        assert_eq!(model.operations().count(), 37);
        let start = model.operation("StartExecution").expect("is there");
        assert!(start.errors.iter().any(|e| e == "ExecutionAlreadyExists"));
        let input = model.shape(start.input.expect("has an input"));
        let ShapeKind::Structure(members) = &input.kind else { panic!("{input:?}") };
        let required: Vec<_> = members.iter().filter(|m| m.required).map(|m| m.name.as_str()).collect();
        assert_eq!(required, ["stateMachineArn"]);
    }

    #[test]
    fn a_broken_table_names_its_line() {
        for (text, expected) in [
            ("wrong\tName", "unknown kind of fact wrong"),
            ("list\tL\tMissing", "L refers to Missing"),
            ("string\tS\tmin=x", "S: bad min=x"),
            ("structure\tS\tm", "S: bad member m"),
            ("string", "line has no field 1"),
        ] {
            let error = Model::parse(text).expect_err(text);
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
