//! What the REST protocols put into the path, the query string and the headers; the rest is the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use serde_json::{Map, Value as Json};

use super::{EncodeError, Outgoing, Writer, json, percent_encoded, percent_encoded_but, text, xml};
use crate::service::{Location, Protocol, Reference, Shape, ShapeType};
use crate::time::TimestampFormat;

impl Writer<'_> {
    pub(super) fn rest(
        &self,
        shape: Option<&Shape>,
        members: &Map<String, Json>,
        blob: &Bytes,
    ) -> Result<Outgoing, EncodeError> {
        let mut outgoing = Outgoing { method: self.operation.method.clone(), ..Outgoing::default() };
        let mut query = Vec::new();
        let mut given: Vec<(String, &Reference, &Json)> = Vec::new();
        for (name, of) in shape.iter().flat_map(|shape| shape.members.iter()) {
            if let Some(value) = members.get(name) {
                given.push((of.name.as_deref().unwrap_or(name).to_owned(), of, value));
            }
        }
        for (name, of, value) in &given {
            match of.location {
                Some(Location::QueryString) => self.query(&mut query, name, of, value),
                Some(Location::Header) => {
                    outgoing.headers.push((name.to_ascii_lowercase(), self.header(of, value)));
                }
                Some(Location::Headers) => {
                    for (suffix, value) in value.as_object().into_iter().flatten() {
                        let name = format!("{name}{suffix}").to_ascii_lowercase();
                        outgoing
                            .headers
                            .push((name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
                    }
                }
                Some(Location::Uri | Location::StatusCode) | None => {}
            }
        }
        outgoing.path_and_query = self.path(&given, &query)?;
        if let Some(shape) = shape {
            self.body(shape, members, blob, &mut outgoing)?;
        }
        if self.operation.checksum {
            outgoing.headers.push(("content-md5".into(), STANDARD.encode(Md5::digest(&outgoing.body))));
        }
        Ok(outgoing)
    }

    fn path(
        &self,
        given: &[(String, &Reference, &Json)],
        query: &[(String, String)],
    ) -> Result<String, EncodeError> {
        let (template, fixed) = self.operation.uri.split_once('?').unwrap_or((&self.operation.uri, ""));
        let mut path = String::new();
        let mut rest = template;
        while let Some((before, label)) = rest.split_once('{') {
            let (label, after) = label.split_once('}').unwrap_or((label, ""));
            path.push_str(before);
            let (name, kept): (_, &[u8]) = match label.strip_suffix('+') {
                Some(greedy) => (greedy, b"-._~/"),
                None => (label, b"-._~"),
            };
            let value = given
                .iter()
                .find(|(of, reference, _)| of == name && reference.location == Some(Location::Uri));
            let value = value.map(|(_, of, value)| text(self.service, of, value, TimestampFormat::Iso8601));
            let value =
                value.filter(|value| !value.is_empty()).ok_or_else(|| EncodeError::Label(name.into()))?;
            path.push_str(&percent_encoded_but(&value, kept));
            rest = after;
        }
        path.push_str(rest);
        let encoded =
            query.iter().map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value)));
        let query: Vec<String> =
            fixed.split('&').filter(|f| !f.is_empty()).map(str::to_owned).chain(encoded).collect();
        Ok(if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) })
    }

    fn query(&self, query: &mut Vec<(String, String)>, name: &str, of: &Reference, value: &Json) {
        let shape = self.service.shape(of);
        match (shape.kind, value) {
            (ShapeType::List, Json::Array(elements)) => {
                for element in elements {
                    let of = shape.element.as_ref().unwrap_or(of);
                    query.push((name.to_owned(), text(self.service, of, element, TimestampFormat::Iso8601)));
                }
            }
            (ShapeType::Map, Json::Object(entries)) => {
                for (key, value) in entries {
                    if let Some(of) = &shape.value {
                        self.query(query, key, of, value);
                    }
                }
            }
            _ => query.push((name.to_owned(), text(self.service, of, value, TimestampFormat::Iso8601))),
        }
    }

    fn header(&self, of: &Reference, value: &Json) -> String {
        let shape = self.service.shape(of);
        match (shape.kind, value) {
            _ if of.json_value => STANDARD.encode(value.to_string()),
            (ShapeType::List, Json::Array(elements)) => {
                let of = shape.element.as_ref().unwrap_or(of);
                let elements =
                    elements.iter().map(|element| text(self.service, of, element, TimestampFormat::Rfc822));
                elements.map(|element| quoted(&element)).collect::<Vec<_>>().join(",")
            }
            _ => text(self.service, of, value, TimestampFormat::Rfc822),
        }
    }

    fn body(
        &self,
        shape: &Shape,
        members: &Map<String, Json>,
        blob: &Bytes,
        outgoing: &mut Outgoing,
    ) -> Result<(), EncodeError> {
        let mut content_type = |kind: &str| {
            if !outgoing.headers.iter().any(|(name, _)| name == "content-type") {
                outgoing.headers.push(("content-type".into(), kind.to_owned()));
            }
        };
        let Some(payload) = &shape.payload else {
            let in_body =
                |(name, of): (&str, &Reference)| of.location.is_none() && members.contains_key(name);
            let any_can_be = shape.members.iter().any(|(_, of)| of.location.is_none());
            if self.service.protocol == Protocol::RestJson && any_can_be {
                content_type("application/json");
                outgoing.body =
                    Json::Object(json::structure(self.service, shape, members)).to_string().into();
            } else if shape.members.iter().any(in_body) {
                content_type("application/xml");
                let input = self.operation.input.as_ref();
                let name =
                    input.and_then(|i| i.name.as_deref()).or(shape.name.as_deref()).unwrap_or("Request");
                let namespace = input.and_then(|input| input.namespace.as_ref());
                outgoing.body = xml::document(self.service, shape, members, name, namespace).into();
            }
            return Ok(());
        };
        let Some(of) = shape.members.get(payload) else { return Ok(()) };
        let payload_shape = self.service.shape(of);
        if payload_shape.event_stream {
            return Err(EncodeError::EventStream(self.service.id.clone()));
        }
        match (payload_shape.kind, members.get(payload)) {
            (ShapeType::Blob, _) => {
                if !blob.is_empty() {
                    content_type("application/octet-stream");
                    outgoing.body = blob.clone();
                }
            }
            (_, None) => {
                if self.service.protocol == Protocol::RestJson && payload_shape.kind == ShapeType::Structure {
                    content_type("application/json");
                    outgoing.body = Bytes::from_static(b"{}");
                }
            }
            (ShapeType::Structure, Some(Json::Object(given)))
                if self.service.protocol == Protocol::RestXml =>
            {
                content_type("application/xml");
                let name = of.name.as_deref().or(payload_shape.name.as_deref()).unwrap_or(&of.shape);
                outgoing.body =
                    xml::document(self.service, payload_shape, given, name, of.namespace.as_ref()).into();
            }
            (ShapeType::String | ShapeType::Character, Some(Json::String(given))) => {
                content_type("text/plain");
                outgoing.body = given.clone().into();
            }
            (_, Some(given)) => {
                content_type("application/json");
                outgoing.body = json::value(self.service, of, given).to_string().into();
            }
        }
        Ok(())
    }
}

/// An element of a list in a header: in quotes where it could be taken for several.
fn quoted(element: &str) -> String {
    if !element.contains([',', '"']) {
        return element.to_owned();
    }
    format!("\"{}\"", element.replace('\\', "\\\\").replace('"', "\\\""))
}
