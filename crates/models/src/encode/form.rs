//! Forms of the query protocol and of EC2: nested members become dotted names, elements numbers.

use serde_json::{Map, Value as Json};

use super::text;
use crate::service::{Protocol, Reference, Service, Shape, ShapeType};
use crate::time::TimestampFormat;

pub(super) fn fields(
    service: &Service,
    shape: Option<&Shape>,
    members: &Map<String, Json>,
) -> Vec<(String, String)> {
    let mut form = Form { service, fields: Vec::new() };
    if let Some(shape) = shape {
        form.structure(shape, members, "");
    }
    form.fields
}

struct Form<'a> {
    service: &'a Service,
    fields: Vec<(String, String)>,
}

impl Form<'_> {
    fn is_ec2(&self) -> bool {
        self.service.protocol == Protocol::Ec2
    }

    fn structure(&mut self, shape: &Shape, members: &Map<String, Json>, prefix: &str) {
        for (name, of) in shape.members.iter() {
            if let Some(value) = members.get(name).filter(|value| !value.is_null()) {
                let name = self.name(name, of);
                let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
                self.value(of, value, &name);
            }
        }
    }

    fn name(&self, name: &str, of: &Reference) -> String {
        if !self.is_ec2() {
            return of.name.as_deref().unwrap_or(name).to_owned();
        }
        match (&of.query_name, &of.name) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) => {
                let mut characters = name.chars();
                let first = characters.next().map(|first| first.to_ascii_uppercase());
                first.into_iter().chain(characters).collect()
            }
            (None, None) => name.to_owned(),
        }
    }

    fn value(&mut self, of: &Reference, value: &Json, prefix: &str) {
        let shape = self.service.shape(of);
        match (shape.kind, value) {
            (ShapeType::Structure, Json::Object(members)) => self.structure(shape, members, prefix),
            (ShapeType::List, Json::Array(elements)) => self.list(of, shape, elements, prefix),
            (ShapeType::Map, Json::Object(entries)) => self.map(of, shape, entries, prefix),
            _ => {
                let text = text(self.service, of, value, TimestampFormat::Iso8601);
                self.fields.push((prefix.to_owned(), text));
            }
        }
    }

    fn list(&mut self, of: &Reference, shape: &Shape, elements: &[Json], prefix: &str) {
        let Some(element) = &shape.element else { return };
        let flattened = of.flattened || shape.flattened;
        let prefix = match (self.is_ec2(), flattened, &element.name) {
            (true, ..) | (_, true, None) => prefix.to_owned(),
            // An empty list is sent as such.
            _ if elements.is_empty() => return self.fields.push((prefix.to_owned(), String::new())),
            (_, true, Some(name)) => match prefix.rsplit_once('.') {
                Some((before, _)) => format!("{before}.{name}"),
                None => name.clone(),
            },
            (_, false, name) => format!("{prefix}.{}", name.as_deref().unwrap_or("member")),
        };
        for (number, value) in (1..).zip(elements) {
            self.value(element, value, &format!("{prefix}.{number}"));
        }
    }

    fn map(&mut self, of: &Reference, shape: &Shape, entries: &Map<String, Json>, prefix: &str) {
        let (Some(key), Some(value_of)) = (&shape.key, &shape.value) else { return };
        let flattened = of.flattened || shape.flattened;
        let prefix = if flattened { prefix.to_owned() } else { format!("{prefix}.entry") };
        for (number, (name, value)) in (1..).zip(entries) {
            let key_name = key.name.as_deref().unwrap_or("key");
            self.fields.push((format!("{prefix}.{number}.{key_name}"), name.clone()));
            let value_name = value_of.name.as_deref().unwrap_or("value");
            self.value(value_of, value, &format!("{prefix}.{number}.{value_name}"));
        }
    }
}
