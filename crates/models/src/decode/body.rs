//! Bodies by the shapes of the model.

use roxmltree::Node;
use serde_json::{Map, Value as Json};

use crate::service::{Reference, Service, Shape, ShapeType};
use crate::time::epoch_seconds;

/// Elements deeper than this are not looked into; no answer comes near.
const DEPTH_MAX: usize = 100;

pub(super) fn json_structure(
    service: &Service,
    shape: &Shape,
    answer: &Map<String, Json>,
) -> Map<String, Json> {
    let members = shape.members.iter().filter(|(_, of)| of.location.is_none());
    let found = members.filter_map(|(name, of)| {
        let value = answer.get(of.name.as_deref().unwrap_or(name)).filter(|value| !value.is_null())?;
        Some((name.to_owned(), json_value(service, of, value)))
    });
    found.collect()
}

pub(super) fn json_value(service: &Service, of: &Reference, value: &Json) -> Json {
    let shape = service.shape(of);
    match (shape.kind, value) {
        // A structure without members is a document: any JSON.
        (ShapeType::Structure, Json::Object(answer)) if shape.members.iter().next().is_some() => {
            Json::Object(json_structure(service, shape, answer))
        }
        (ShapeType::List, Json::Array(elements)) => match &shape.element {
            Some(of) => Json::Array(elements.iter().map(|e| json_value(service, of, e)).collect()),
            None => value.clone(),
        },
        (ShapeType::Map, Json::Object(entries)) => match &shape.value {
            Some(of) => {
                Json::Object(entries.iter().map(|(k, v)| (k.clone(), json_value(service, of, v))).collect())
            }
            None => value.clone(),
        },
        (ShapeType::Timestamp, value) => epoch_seconds(value).map_or_else(|| value.clone(), Json::from),
        _ => value.clone(),
    }
}

/// The members of a structure that is a whole document; `None` where the bytes are no XML.
pub(super) fn xml_document(service: &Service, shape: &Shape, bytes: &[u8]) -> Option<Map<String, Json>> {
    let document = roxmltree::Document::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let root = document.root_element();
    let in_body: Vec<_> = shape.members.iter().filter(|(_, of)| of.location.is_none()).collect();
    // S3's GetBucketLocation: the root is the only member.
    if let [(name, of)] = in_body.as_slice()
        && of.name.as_deref().unwrap_or(name) == root.tag_name().name()
        && !root.children().any(|node| node.is_element())
    {
        let text = text(root);
        let found = (!text.is_empty()).then(|| ((*name).to_owned(), scalar(service, of, &text)));
        return Some(found.into_iter().collect());
    }
    Some(xml_structure(service, shape, root))
}

pub(super) fn xml_structure(service: &Service, shape: &Shape, node: Node<'_, '_>) -> Map<String, Json> {
    structure(service, shape, node, DEPTH_MAX)
}

fn structure(service: &Service, shape: &Shape, node: Node<'_, '_>, levels: usize) -> Map<String, Json> {
    let mut members = Map::new();
    for (name, of) in shape.members.iter().filter(|(_, of)| of.location.is_none()) {
        let shape = service.shape(of);
        let wire = of.name.as_deref().unwrap_or(name);
        if of.attribute {
            let local = wire.rsplit_once(':').map_or(wire, |(_, local)| local);
            let value = node.attributes().find(|attribute| attribute.name() == local);
            members.extend(value.map(|value| (name.to_owned(), scalar(service, of, value.value()))));
            continue;
        }
        let flattened = of.flattened || shape.flattened;
        let value = match (shape.kind, &shape.element) {
            (ShapeType::List, Some(element)) if flattened => {
                let wire = element.name.as_deref().filter(|_| of.name.is_none()).unwrap_or(wire);
                let found: Vec<Json> =
                    children(node, wire).map(|node| value(service, element, node, levels)).collect();
                (!found.is_empty()).then_some(Json::Array(found))
            }
            (ShapeType::Map, _) if flattened => {
                let found = entries(service, shape, children(node, wire), levels);
                (!found.is_empty()).then_some(Json::Object(found))
            }
            _ => child(node, wire).map(|node| value(service, of, node, levels)),
        };
        members.extend(value.map(|value| (name.to_owned(), value)));
    }
    members
}

fn value(service: &Service, of: &Reference, node: Node<'_, '_>, levels: usize) -> Json {
    let shape = service.shape(of);
    let Some(levels) = levels.checked_sub(1) else { return Json::Null };
    match (shape.kind, &shape.element) {
        (ShapeType::Structure, _) => Json::Object(structure(service, shape, node, levels)),
        (ShapeType::List, Some(element)) => {
            let elements = node.children().filter(Node::is_element);
            Json::Array(elements.map(|node| value(service, element, node, levels)).collect())
        }
        (ShapeType::Map, _) => Json::Object(entries(service, shape, children(node, "entry"), levels)),
        _ => scalar(service, of, &text(node)),
    }
}

fn entries<'a, 'input: 'a>(
    service: &Service,
    shape: &Shape,
    nodes: impl Iterator<Item = Node<'a, 'input>>,
    levels: usize,
) -> Map<String, Json> {
    let (Some(key), Some(of)) = (&shape.key, &shape.value) else { return Map::new() };
    let entry = |node: Node<'_, '_>| {
        let key = text(child(node, key.name.as_deref().unwrap_or("key"))?);
        let found = child(node, of.name.as_deref().unwrap_or("value"))?;
        Some((key, value(service, of, found, levels)))
    };
    nodes.filter_map(entry).collect()
}

/// Text as the JSON that its shape stands for.
pub(super) fn scalar(service: &Service, of: &Reference, text: &str) -> Json {
    let shape = service.shape(of);
    let as_text = || Json::from(text);
    match shape.kind {
        ShapeType::Boolean => Json::from(text.trim().eq_ignore_ascii_case("true")),
        ShapeType::Integer | ShapeType::Long => {
            text.trim().parse::<i64>().map_or_else(|_| as_text(), Json::from)
        }
        ShapeType::Float | ShapeType::Double => {
            text.trim().parse::<f64>().map_or_else(|_| as_text(), Json::from)
        }
        ShapeType::Timestamp => epoch_seconds(&as_text()).map_or_else(as_text, Json::from),
        ShapeType::List => {
            let element = shape.element.as_ref().unwrap_or(of);
            Json::Array(text.split(',').map(|part| scalar(service, element, part.trim())).collect())
        }
        _ => as_text(),
    }
}

pub(super) fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    children(node, name).next()
}

fn children<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &str,
) -> impl Iterator<Item = Node<'a, 'input>> + use<'a, 'input> {
    let name = name.to_owned();
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The text of the first element with one of these names, at any depth.
pub(super) fn descendant_text(node: Node<'_, '_>, names: &[&str]) -> Option<String> {
    let found = node.descendants().find(|node| node.is_element() && names.contains(&node.tag_name().name()));
    found.map(text)
}

fn text(node: Node<'_, '_>) -> String {
    node.children().filter(Node::is_text).filter_map(|node| node.text()).collect()
}
