//! Pictures of a state machine: Mermaid text and SVG.
//!
//! Owns: which boxes and arrows a compiled [`Program`](stepwell_asl::Program) has ([`Graph`]), the words on them, where
//! they go, and how they are drawn. It reads no files and no executions; the state of an execution comes in as
//! [`SvgOptions::statuses`].
//!
//! A Parallel or Map is a frame around the states inside. Its own box at the top of the frame is where arrows from
//! outside arrive; the dot at the bottom, its exit, is where they leave, catchers' included.
//!
//! ```no_run
//! use stepwell_graph::{Graph, SvgOptions};
//!
//! # let definition = "";
//! let program = stepwell_asl::compile(definition).expect("a valid definition");
//! let graph = Graph::from_program(&program);
//! let mermaid = graph.to_mermaid();
//! let svg = graph.to_svg(&SvgOptions { title: Some("Job poller".into()), ..SvgOptions::default() });
//! # let _ = (mermaid, svg);
//! ```

mod condition;
mod describe;
mod layout;
mod mermaid;
mod model;
mod program;
mod svg;
mod text;

pub use model::{Cluster, Edge, EdgeKind, Graph, Node, NodeKind, StateType};
pub use svg::{ColorScheme, StateStatus, SvgOptions};
