//! `Map`: the same states for every item, inside the execution; and the settings that all kinds of Map share.

use serde_json::{Map as Object, Value, json};

use crate::draft::{Handle, Specific};
use crate::errors::BuildError;
use crate::language::QueryLanguage;
use crate::state::{
    continued, in_jsonata, state_type, with_assign, with_error_handling, with_outputs, with_paths,
    with_result_path, with_result_selector,
};
use crate::values::insert_some;

/// The settings that all kinds of Map have; their settings have a member `items`.
macro_rules! with_items {
    ($name:ident) => {
        impl $name {
            /// The states that each item goes through; they may lead only to each other.
            pub fn item_processor(&self, processor: impl crate::chain::Chainable) -> $name {
                crate::map::set_processor(&self.state, &processor.start_state());
                self.clone()
            }

            /// Where the array is. Default: the input is the array.
            pub fn items_path(&self, path: impl Into<String>) -> $name {
                self.set(|settings| settings.items.path = Some(path.into()))
            }

            /// What is iterated over, in JSONata: an expression, or an array with expressions inside. Default: the
            /// input.
            pub fn items(&self, items: impl Into<serde_json::Value>) -> $name {
                self.set(|settings| settings.items.items = Some(items.into()))
            }

            /// What each iteration gets: a payload template, with `$$.Map.Item.Value` and `$$.Map.Item.Index`. Default:
            /// the item.
            pub fn item_selector(&self, template: serde_json::Value) -> $name {
                self.set(|settings| settings.items.selector = Some(template))
            }

            /// What each iteration gets: an expression in JSONata.
            pub fn jsonata_item_selector(&self, expression: impl Into<String>) -> $name {
                self.item_selector(expression.into().into())
            }

            /// How many items are in work at once. Default: as many as the engine likes.
            pub fn max_concurrency(&self, items: u32) -> $name {
                self.set(|settings| settings.items.max_concurrency = Some(items.into()))
            }

            /// The same: an expression in JSONata.
            pub fn jsonata_max_concurrency(&self, expression: impl Into<String>) -> $name {
                self.set(|settings| settings.items.max_concurrency = Some(expression.into().into()))
            }

            /// Where that number is.
            pub fn max_concurrency_path(&self, path: impl Into<String>) -> $name {
                self.set(|settings| settings.items.max_concurrency_path = Some(path.into()))
            }
        }
    };
}

pub(crate) use with_items;

state_type!(
    /// Runs the same states for every item of an array, inside this execution; the result is the array of outputs.
    ///
    /// ```
    /// use serde_json::json;
    /// use stepwell_cdk::{Map, Pass};
    ///
    /// let each = Map::new("Each order")
    ///     .items_path("$.orders")
    ///     .max_concurrency(4)
    ///     .item_selector(json!({"order.$": "$$.Map.Item.Value"}))
    ///     .item_processor(Pass::new("Check"));
    /// # let _ = each;
    /// ```
    Map, MapSettings, continues: true
);
continued!(Map);
with_paths!(Map);
with_outputs!(Map);
in_jsonata!(Map);
with_result_path!(Map);
with_result_selector!(Map);
with_assign!(Map);
with_error_handling!(Map);

with_items!(Map);

/// What a Map works on, and how much of it at once.
#[derive(Default)]
pub(crate) struct Items {
    pub(crate) path: Option<String>,
    /// `Items` of a Map in JSONata.
    pub(crate) items: Option<Value>,
    pub(crate) selector: Option<Value>,
    /// A number, or an expression.
    pub(crate) max_concurrency: Option<Value>,
    pub(crate) max_concurrency_path: Option<String>,
}

impl Items {
    pub(crate) fn render(&self, state: &str, fields: &mut Object<String, Value>) -> Result<(), BuildError> {
        exclusive(
            state,
            ("max_concurrency", self.max_concurrency.is_some()),
            ("max_concurrency_path", self.max_concurrency_path.is_some()),
        )?;
        insert_some(fields, "ItemsPath", self.path.clone());
        insert_some(fields, "Items", self.items.clone());
        insert_some(fields, "ItemSelector", self.selector.clone());
        insert_some(fields, "MaxConcurrency", self.max_concurrency.clone());
        insert_some(fields, "MaxConcurrencyPath", self.max_concurrency_path.clone());
        Ok(())
    }
}

#[derive(Default)]
struct MapSettings {
    items: Items,
}

impl Specific for MapSettings {
    fn render(
        &self,
        state: &str,
        _: QueryLanguage,
        fields: &mut Object<String, Value>,
    ) -> Result<(), BuildError> {
        fields.insert("Type".into(), "Map".into());
        fields.insert("ItemProcessor".into(), json!({"ProcessorConfig": {"Mode": "INLINE"}}));
        self.items.render(state, fields)
    }
}

impl Map {
    /// A Map without item processor yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Map {
        Map::create(name, MapSettings::default())
    }
}

/// Lets the items of the Map `state` begin at `start`.
pub(crate) fn set_processor(state: &Handle, start: &Handle) {
    if state.read(|nodes, _, index| nodes.get(index).is_some_and(|node| node.processor.is_some())) {
        let problem = "item_processor is set twice".to_owned();
        state.report(BuildError::InvalidSettings { state: state.name(), problem });
        return;
    }
    let start = state.join(start);
    state.edit(|node| node.processor = Some(start));
}

/// Refuses two settings of which only one may be there.
pub(crate) fn exclusive(state: &str, one: (&str, bool), other: (&str, bool)) -> Result<(), BuildError> {
    if one.1 && other.1 {
        let problem = format!("{} and {} exclude each other", one.0, other.0);
        return Err(BuildError::InvalidSettings { state: state.to_owned(), problem });
    }
    Ok(())
}
