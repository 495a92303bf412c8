//! Bodies in XML.

use serde_json::{Map, Value as Json};

use super::text;
use crate::service::{Namespace, Reference, Service, Shape, ShapeType};
use crate::time::TimestampFormat;

/// The document `<name>` of a structure.
pub(super) fn document(
    service: &Service,
    shape: &Shape,
    members: &Map<String, Json>,
    name: &str,
    namespace: Option<&Namespace>,
) -> String {
    let mut xml = Xml { service, out: String::new() };
    xml.structure(shape, members, name, namespace.or(shape.namespace.as_ref()));
    xml.out
}

struct Xml<'a> {
    service: &'a Service,
    out: String,
}

impl Xml<'_> {
    fn structure(
        &mut self,
        shape: &Shape,
        members: &Map<String, Json>,
        name: &str,
        namespace: Option<&Namespace>,
    ) {
        self.out.push('<');
        self.out.push_str(name);
        self.namespace(namespace);
        let given = |of: &str| members.get(of).filter(|value| !value.is_null());
        for (member, of) in shape.members.iter().filter(|(_, of)| of.attribute) {
            if let Some(value) = given(member) {
                let text = text(self.service, of, value, TimestampFormat::Iso8601);
                let name = of.name.as_deref().unwrap_or(member);
                self.out.push_str(&format!(" {name}=\"{}\"", escaped(&text).replace('"', "&quot;")));
            }
        }
        self.out.push('>');
        for (member, of) in shape.members.iter().filter(|(_, of)| !of.attribute && of.location.is_none()) {
            if let Some(value) = given(member) {
                self.value(of, value, of.name.as_deref().unwrap_or(member));
            }
        }
        self.close(name);
    }

    fn value(&mut self, of: &Reference, value: &Json, name: &str) {
        let shape = self.service.shape(of);
        let namespace = of.namespace.as_ref().or(shape.namespace.as_ref());
        match (shape.kind, value) {
            (ShapeType::Structure, Json::Object(members)) => self.structure(shape, members, name, namespace),
            (ShapeType::List, Json::Array(elements)) => {
                let Some(element) = &shape.element else { return };
                if of.flattened || shape.flattened {
                    return elements.iter().for_each(|value| self.value(element, value, name));
                }
                self.open(name, namespace);
                let element_name = element.name.as_deref().unwrap_or("member");
                elements.iter().for_each(|value| self.value(element, value, element_name));
                self.close(name);
            }
            (ShapeType::Map, Json::Object(entries)) => self.map(of, shape, entries, name),
            _ => {
                self.open(name, namespace);
                let text = text(self.service, of, value, TimestampFormat::Iso8601);
                self.out.push_str(&escaped(&text));
                self.close(name);
            }
        }
    }

    fn map(&mut self, of: &Reference, shape: &Shape, entries: &Map<String, Json>, name: &str) {
        let (Some(key), Some(value_of)) = (&shape.key, &shape.value) else { return };
        let flattened = of.flattened || shape.flattened;
        if !flattened {
            self.open(name, None);
        }
        let entry = if flattened { name } else { "entry" };
        for (text, value) in entries {
            self.open(entry, None);
            self.value(key, &Json::from(text.as_str()), key.name.as_deref().unwrap_or("key"));
            self.value(value_of, value, value_of.name.as_deref().unwrap_or("value"));
            self.close(entry);
        }
        if !flattened {
            self.close(name);
        }
    }

    fn open(&mut self, name: &str, namespace: Option<&Namespace>) {
        self.out.push('<');
        self.out.push_str(name);
        self.namespace(namespace);
        self.out.push('>');
    }

    fn namespace(&mut self, namespace: Option<&Namespace>) {
        if let Some((uri, prefix)) = namespace {
            let prefix = prefix.as_ref().map(|prefix| format!(":{prefix}")).unwrap_or_default();
            self.out.push_str(&format!(" xmlns{prefix}=\"{}\"", escaped(uri)));
        }
    }

    fn close(&mut self, name: &str) {
        self.out.push_str(&format!("</{name}>"));
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\r' => escaped.push_str("&#xD;"),
            '\n' => escaped.push_str("&#xA;"),
            other => escaped.push(other),
        }
    }
    escaped
}
