//! States under construction: the arena behind all handles.
//!
//! A state is born alone in a [`Draft`]; connecting two states joins their drafts. Edges are indices, so that a loop
//! of states is no loop of reference counts, and a dropped workflow is freed. This module owns storage and joining;
//! what a state says is in [`Node::specific`], and reading the finished graph is `render`'s.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::errors::BuildError;
use crate::language::QueryLanguage;

/// A reference to one state; cheap to clone, equal states share it.
#[derive(Clone)]
pub struct Handle {
    draft: Rc<RefCell<Draft>>,
    index: usize,
}

/// The states that are connected so far, directly or not.
enum Draft {
    Here {
        nodes: Vec<Node>,
        errors: Vec<BuildError>,
    },
    /// All nodes went to another draft, in order, from `offset` on.
    Joined {
        into: Rc<RefCell<Draft>>,
        offset: usize,
    },
}

/// What only one type of state knows about itself.
pub(crate) trait Specific {
    /// Writes the fields of this type, `Type` included. Errors name what cannot be said in the States Language.
    fn render(
        &self,
        state: &str,
        language: QueryLanguage,
        fields: &mut Map<String, Value>,
    ) -> Result<(), BuildError>;
}

/// One state.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) specific: Rc<RefCell<dyn Specific>>,
    /// Fields that every type of state has in the same way: `Comment`, `InputPath`, `ResultPath` …
    pub(crate) common: Map<String, Value>,
    /// The state's own query language; `None` for that of the machine.
    pub(crate) language: Option<QueryLanguage>,
    /// `None` for types that end an execution or choose (Succeed, Fail, Choice).
    pub(crate) next: Option<Next>,
    pub(crate) choices: Vec<(Map<String, Value>, usize)>,
    pub(crate) default: Option<usize>,
    pub(crate) retries: Vec<Map<String, Value>>,
    pub(crate) catches: Vec<(Map<String, Value>, usize)>,
    /// First states of a Parallel's branches.
    pub(crate) branches: Vec<usize>,
    /// First state of a Map's item processor.
    pub(crate) processor: Option<usize>,
}

/// Where a state that can be continued goes.
pub(crate) enum Next {
    End,
    To(usize),
}

impl Node {
    /// All states that this one can go to, in the order in which they are written.
    pub(crate) fn targets(&self, with_catches: bool) -> impl Iterator<Item = usize> + '_ {
        let next = match self.next {
            Some(Next::To(to)) => Some(to),
            _ => None,
        };
        let catches = if with_catches { self.catches.as_slice() } else { &[] };
        next.into_iter()
            .chain(self.choices.iter().map(|(_, to)| *to))
            .chain(self.default)
            .chain(catches.iter().map(|(_, to)| *to))
    }

    fn shift(&mut self, offset: usize) {
        if let Some(Next::To(to)) = &mut self.next {
            *to += offset;
        }
        for to in self.default.iter_mut().chain(self.processor.iter_mut()).chain(&mut self.branches) {
            *to += offset;
        }
        for (_, to) in self.choices.iter_mut().chain(&mut self.catches) {
            *to += offset;
        }
    }
}

impl Handle {
    /// A new state, connected to nothing. `continues` is whether it may have a `Next`.
    pub(crate) fn new(name: String, specific: Rc<RefCell<dyn Specific>>, continues: bool) -> Handle {
        let node = Node {
            name,
            specific,
            common: Map::new(),
            language: None,
            next: continues.then_some(Next::End),
            choices: Vec::new(),
            default: None,
            retries: Vec::new(),
            catches: Vec::new(),
            branches: Vec::new(),
            processor: None,
        };
        let draft = Draft::Here { nodes: vec![node], errors: Vec::new() };
        Handle { draft: Rc::new(RefCell::new(draft)), index: 0 }
    }

    /// Looks at all states of the draft; the index is that of this state.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&[Node], &[BuildError], usize) -> R) -> R {
        let (draft, index) = self.place();
        let borrowed = draft.borrow();
        match &*borrowed {
            Draft::Here { nodes, errors } => look(nodes, errors, index),
            Draft::Joined { .. } => look(&[], &[], index),
        }
    }

    /// Changes this state.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Node)) {
        let (draft, index) = self.place();
        if let Draft::Here { nodes, .. } = &mut *draft.borrow_mut()
            && let Some(node) = nodes.get_mut(index)
        {
            change(node);
        }
    }

    /// Remembers a mistake until the definition is written.
    pub(crate) fn report(&self, error: BuildError) {
        let (draft, _) = self.place();
        if let Draft::Here { errors, .. } = &mut *draft.borrow_mut() {
            errors.push(error);
        }
    }

    /// The name of this state.
    pub(crate) fn name(&self) -> String {
        self.read(|nodes, _, index| nodes.get(index).map_or_else(String::new, |node| node.name.clone()))
    }

    /// Brings both states into one draft and returns the index of `other` in it.
    pub(crate) fn join(&self, other: &Handle) -> usize {
        let (mine, _) = self.place();
        let (theirs, _) = other.place();
        if !Rc::ptr_eq(&mine, &theirs) {
            // The smaller one moves, so that each state moves O(log n) times however a workflow is put together.
            if mine.borrow().len() >= theirs.borrow().len() {
                absorb(&mine, &theirs);
            } else {
                absorb(&theirs, &mine);
            }
        }
        other.place().1
    }

    /// The state at `index` of the same draft, as [`Handle::read`] gave it.
    pub(crate) fn at(&self, index: usize) -> Handle {
        Handle { draft: self.place().0, index }
    }

    fn place(&self) -> (Rc<RefCell<Draft>>, usize) {
        let mut draft = Rc::clone(&self.draft);
        let mut index = self.index;
        loop {
            let next = match &*draft.borrow() {
                Draft::Here { .. } => None,
                Draft::Joined { into, offset } => Some((Rc::clone(into), *offset)),
            };
            match next {
                None => return (draft, index),
                Some((into, offset)) => {
                    draft = into;
                    index += offset;
                }
            }
        }
    }
}

impl Draft {
    fn len(&self) -> usize {
        match self {
            Draft::Here { nodes, .. } => nodes.len(),
            Draft::Joined { .. } => 0,
        }
    }
}

fn absorb(into: &Rc<RefCell<Draft>>, from: &Rc<RefCell<Draft>>) {
    let offset = into.borrow().len();
    let joined = Draft::Joined { into: Rc::clone(into), offset };
    let moved = from.replace(joined);
    if let (Draft::Here { nodes, errors }, Draft::Here { nodes: more, errors: more_errors }) =
        (&mut *into.borrow_mut(), moved)
    {
        errors.extend(more_errors);
        nodes.extend(more.into_iter().map(|mut node| {
            node.shift(offset);
            node
        }));
    }
}
