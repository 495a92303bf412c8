//! The facts about one service, read from the archive when they are first asked for.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Deserialize;
use serde_json::Value as Json;

use crate::time::TimestampFormat;

/// A ZIP of one JSON document per service; its members are the fields below, or what their `serde` attributes say.
static ARCHIVE: &[u8] = include_bytes!("../data/services.zip");

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// `X-Amz-Target` and JSON both ways.
    Json,
    /// Methods and paths, JSON bodies.
    RestJson,
    /// Methods and paths, XML bodies.
    RestXml,
    /// Forms in, XML out.
    Query,
    /// The same with EC2's own naming.
    Ec2,
}

/// One endpoint for all regions: its host and the region that requests to it are signed for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Global(pub String, pub String);

/// One service.
#[derive(Debug, Deserialize)]
pub struct Service {
    /// AWS's `serviceId`: `Secrets Manager`.
    pub id: String,
    /// The first label of its host names: `secretsmanager`.
    pub endpoint: String,
    /// The name it is signed for, where that is another.
    signing: Option<String>,
    /// Its wire protocol.
    pub protocol: Protocol,
    /// `1.0` or `1.1`.
    pub(crate) json_version: Option<String>,
    /// What stands before the operation in `X-Amz-Target`.
    pub target: Option<String>,
    pub(crate) api_version: Option<String>,
    /// Whether it also answers with the error codes of the query protocol that it once spoke.
    #[serde(default)]
    pub(crate) query_compatible: bool,
    /// Where there is one endpoint for all regions.
    pub global: Option<Global>,
    /// By name: `GetSecretValue`.
    pub operations: BTreeMap<String, Operation>,
    shapes: HashMap<String, Shape>,
}

/// One operation.
#[derive(Debug, Deserialize)]
pub struct Operation {
    pub(crate) method: String,
    pub(crate) uri: String,
    /// What it takes.
    pub input: Option<Reference>,
    /// What it answers.
    pub output: Option<Reference>,
    /// The element around the answer, in the query protocol.
    pub(crate) wrapper: Option<String>,
    /// What stands before the host name on AWS, with `{member}` for host labels.
    pub host_prefix: Option<String>,
    /// Whether the body must carry a checksum.
    #[serde(default)]
    pub(crate) checksum: bool,
    /// Whether it is called without a signature.
    #[serde(default)]
    pub unsigned: bool,
}

/// Where a member travels, if not in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Location {
    /// A label of the path.
    Uri,
    /// A parameter of the query string.
    #[serde(rename = "querystring")]
    QueryString,
    /// A header.
    Header,
    /// Headers that begin alike.
    Headers,
    /// The status of the answer.
    StatusCode,
}

/// A namespace of XML: URI and prefix.
pub(crate) type Namespace = (String, Option<String>);

/// A shape as a member, an element, a key or a value, with its wire facts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "ReferenceForm")]
pub struct Reference {
    /// The shape's name, for [`Service::shape`].
    pub shape: String,
    /// Where it travels, if not in the body.
    pub location: Option<Location>,
    pub(crate) name: Option<String>,
    pub(crate) query_name: Option<String>,
    pub(crate) timestamp: Option<TimestampFormat>,
    pub(crate) flattened: bool,
    pub(crate) attribute: bool,
    pub(crate) idempotency_token: bool,
    pub(crate) json_value: bool,
    /// Whether the member is a blob that may be too long to hold.
    pub streaming: bool,
    pub(crate) namespace: Option<Namespace>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReferenceForm {
    Name(String),
    Facts(ReferenceFacts),
}

#[derive(Deserialize)]
struct ReferenceFacts {
    s: String,
    l: Option<Location>,
    n: Option<String>,
    q: Option<String>,
    ts: Option<TimestampFormat>,
    #[serde(default)]
    f: bool,
    #[serde(default)]
    a: bool,
    #[serde(default)]
    it: bool,
    #[serde(default)]
    j: bool,
    #[serde(default)]
    st: bool,
    ns: Option<Namespace>,
}

impl From<ReferenceForm> for Reference {
    fn from(form: ReferenceForm) -> Self {
        match form {
            ReferenceForm::Name(shape) => Reference { shape, ..Reference::default() },
            ReferenceForm::Facts(facts) => Reference {
                shape: facts.s,
                location: facts.l,
                name: facts.n,
                query_name: facts.q,
                timestamp: facts.ts,
                flattened: facts.f,
                attribute: facts.a,
                idempotency_token: facts.it,
                json_value: facts.j,
                streaming: facts.st,
                namespace: facts.ns,
            },
        }
    }
}

/// What kind of thing a shape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShapeType {
    /// Named members.
    Structure,
    /// Elements of one shape.
    List,
    /// Text keys to values of one shape.
    Map,
    /// Text.
    String,
    /// One character of text.
    Character,
    /// Bytes.
    Blob,
    /// An instant.
    Timestamp,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// A whole number.
    Long,
    /// A number.
    Float,
    /// A number.
    Double,
}

/// One shape.
#[derive(Debug, Deserialize)]
pub struct Shape {
    /// What kind of thing it is.
    #[serde(rename = "t")]
    pub kind: ShapeType,
    /// A structure's members, in the model's order.
    #[serde(rename = "m", default)]
    pub members: indexed::Members,
    /// A list's element.
    #[serde(rename = "e")]
    pub element: Option<Reference>,
    /// A map's key.
    #[serde(rename = "k")]
    pub(crate) key: Option<Reference>,
    /// A map's value.
    #[serde(rename = "v")]
    pub value: Option<Reference>,
    /// Members that must be there.
    #[serde(rename = "r", default)]
    pub required: Vec<String>,
    /// The member that is the whole body.
    #[serde(rename = "p")]
    pub(crate) payload: Option<String>,
    #[serde(rename = "f", default)]
    pub(crate) flattened: bool,
    #[serde(rename = "ts")]
    pub(crate) timestamp: Option<TimestampFormat>,
    #[serde(rename = "n")]
    pub(crate) name: Option<String>,
    /// All values that a text may have; empty for any.
    #[serde(rename = "enum", default)]
    pub values: Vec<String>,
    /// Smallest number, or length.
    pub min: Option<f64>,
    /// Largest number, or length.
    pub max: Option<f64>,
    /// Whether it is a blob that may be too long to hold.
    #[serde(rename = "st", default)]
    pub streaming: bool,
    /// Whether it is a stream of events, which has no form as JSON.
    #[serde(rename = "es", default)]
    pub event_stream: bool,
    /// For an exception: its code on the wire, or `true` where that is the shape's name.
    #[serde(rename = "x")]
    exception: Option<Json>,
    #[serde(rename = "ns")]
    pub(crate) namespace: Option<Namespace>,
}

pub(crate) mod indexed {
    //! Members in the order in which they are written.

    use serde::Deserialize;
    use serde::de::{Deserializer, MapAccess, Visitor};

    use super::Reference;

    /// A structure's members: names and what they are.
    #[derive(Debug, Default)]
    pub struct Members(Vec<(String, Reference)>);

    impl Members {
        pub(super) const EMPTY: Members = Members(Vec::new());

        /// In the model's order.
        pub fn iter(&self) -> impl Iterator<Item = (&str, &Reference)> {
            self.0.iter().map(|(name, of)| (name.as_str(), of))
        }

        /// The member of this name.
        #[must_use]
        pub fn get(&self, name: &str) -> Option<&Reference> {
            self.iter().find(|(member, _)| *member == name).map(|(_, of)| of)
        }
    }

    impl<'de> Deserialize<'de> for Members {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct InOrder;
            impl<'de> Visitor<'de> for InOrder {
                type Value = Members;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("members by name")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members = Vec::new();
                    while let Some(member) = map.next_entry()? {
                        members.push(member);
                    }
                    Ok(Members(members))
                }
            }
            deserializer.deserialize_map(InOrder)
        }
    }
}

impl Shape {
    /// The member that is the whole body, where there is one.
    #[must_use]
    pub fn payload(&self) -> Option<&str> {
        self.payload.as_deref()
    }
}

impl Service {
    /// The name that requests are signed for.
    #[must_use]
    pub fn signing_name(&self) -> &str {
        self.signing.as_deref().unwrap_or(&self.endpoint)
    }

    /// The shape that a reference names. Every reference in the archive leads to one.
    #[must_use]
    pub fn shape(&self, reference: &Reference) -> &Shape {
        static NOTHING: Shape = Shape {
            kind: ShapeType::Structure,
            members: indexed::Members::EMPTY,
            element: None,
            key: None,
            value: None,
            required: Vec::new(),
            payload: None,
            flattened: false,
            timestamp: None,
            name: None,
            values: Vec::new(),
            min: None,
            max: None,
            streaming: false,
            event_stream: false,
            exception: None,
            namespace: None,
        };
        self.shapes.get(&reference.shape).unwrap_or(&NOTHING)
    }

    /// The exception's shape name by its code on the wire.
    #[must_use]
    pub fn exception(&self, code: &str) -> Option<&str> {
        let of_code = |(name, shape): &(&String, &Shape)| match &shape.exception {
            Some(Json::String(wire)) => wire == code,
            Some(_) => *name == code,
            None => false,
        };
        let by_code = self.shapes.iter().find(of_code);
        // Newer protocols send the shape's name where the older one had a code of its own.
        let by_name = || self.shapes.get_key_value(code).filter(|(_, shape)| shape.exception.is_some());
        by_code.or_else(by_name).map(|(name, _)| name.as_str())
    }
}

/// All services: the name in `aws-sdk:<name>:<api>` and AWS's `serviceId`, in alphabetical order of the names.
#[must_use]
pub fn services() -> &'static [(&'static str, &'static str)] {
    static SERVICES: OnceLock<Vec<(&'static str, &'static str)>> = OnceLock::new();
    SERVICES.get_or_init(|| {
        let mut text = String::new();
        if let Some(mut archive) = archive()
            && let Ok(mut file) = archive.by_name("services.tsv")
        {
            // A test reads it: the archive is a part of this crate.
            let _ = file.read_to_string(&mut text);
        }
        // Once for the whole process.
        text.leak().lines().filter_map(|line| line.split_once('\t')).collect()
    })
}

/// The service of `aws-sdk:<name>:<api>`; `None` where there is none. Read once, then shared.
#[must_use]
pub fn service(name: &str) -> Option<Arc<Service>> {
    static READ: OnceLock<Mutex<HashMap<String, Arc<Service>>>> = OnceLock::new();
    let mut read = READ.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(service) = read.get(name) {
        return Some(service.clone());
    }
    let mut text = Vec::new();
    archive()?.by_name(&format!("{name}.json")).ok()?.read_to_end(&mut text).ok()?;
    let service: Arc<Service> = Arc::new(serde_json::from_slice(&text).ok()?);
    read.insert(name.to_owned(), service.clone());
    Some(service)
}

fn archive() -> Option<zip::ZipArchive<Cursor<&'static [u8]>>> {
    zip::ZipArchive::new(Cursor::new(ARCHIVE)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_reads_and_every_reference_leads_somewhere() {
        assert!(services().len() > 400, "{}", services().len());
        for (name, id) in services() {
            let service = service(name).expect(name);
            assert_eq!(service.id, *id);
            let operations = service.operations.values();
            let of_operations = operations.flat_map(|o| o.input.iter().chain(&o.output));
            let of_shapes = service.shapes.values().flat_map(|shape| {
                let members = shape.members.iter().map(|(_, of)| of);
                members.chain(&shape.element).chain(&shape.key).chain(&shape.value)
            });
            for reference in of_operations.chain(of_shapes) {
                assert!(service.shapes.contains_key(&reference.shape), "{name}: {}", reference.shape);
            }
        }
        assert!(service("nothing").is_none());
    }

    #[test]
    fn exceptions_are_found_by_their_codes() {
        for (name, code, shape) in [
            ("s3", "NoSuchKey", Some("NoSuchKey")),
            ("sns", "NotFound", Some("NotFoundException")),
            ("sns", "NotFoundException", Some("NotFoundException")),
            ("dynamodb", "ResourceNotFoundException", Some("ResourceNotFoundException")),
            ("dynamodb", "ValidationException", None),
        ] {
            assert_eq!(service(name).expect(name).exception(code), shape, "{name} {code}");
        }
    }
}
