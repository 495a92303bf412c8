//! Bodies in JSON.

use serde_json::{Map, Value as Json};

use crate::service::{Reference, Service, Shape, ShapeType};
use crate::time::{self, TimestampFormat};

/// A structure's members that travel in the body, by their wire names.
pub(super) fn structure(service: &Service, shape: &Shape, members: &Map<String, Json>) -> Map<String, Json> {
    let mut written = Map::new();
    for (name, of) in shape.members.iter() {
        if of.location.is_some() {
            continue;
        }
        if let Some(given) = members.get(name).filter(|given| !given.is_null()) {
            let name = of.name.as_deref().unwrap_or(name);
            written.insert(name.to_owned(), value(service, of, given));
        }
    }
    written
}

pub(super) fn value(service: &Service, of: &Reference, given: &Json) -> Json {
    let shape = service.shape(of);
    match (shape.kind, given) {
        // A document: any JSON.
        (ShapeType::Structure, Json::Object(members)) if shape.members.iter().next().is_some() => {
            Json::Object(structure(service, shape, members))
        }
        (ShapeType::List, Json::Array(elements)) => match &shape.element {
            Some(element) => Json::Array(elements.iter().map(|e| value(service, element, e)).collect()),
            None => given.clone(),
        },
        (ShapeType::Map, Json::Object(entries)) => match &shape.value {
            Some(of) => {
                Json::Object(entries.iter().map(|(k, v)| (k.clone(), value(service, of, v))).collect())
            }
            None => given.clone(),
        },
        (ShapeType::Timestamp, given) => {
            let format = of.timestamp.or(shape.timestamp).unwrap_or(TimestampFormat::Unix);
            time::written(given, format).unwrap_or_else(|| given.clone())
        }
        _ => given.clone(),
    }
}
