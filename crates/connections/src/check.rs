//! What a request may say. Limits and patterns are those of EventBridge's API model.

use serde_json::{Map, Value as Json};
use stepwell_aws::Fault;

const NAME_MAX: usize = 64;
const DESCRIPTION_MAX: usize = 512;
const VALUE_MAX: usize = 512;
const ENDPOINT_MAX: usize = 2048;
const PARAMETERS_MAX: usize = 100;

/// The authorization types, with the member of `AuthParameters` that goes with each.
const TYPES: [(&str, &str); 3] = [
    ("BASIC", "BasicAuthParameters"),
    ("API_KEY", "ApiKeyAuthParameters"),
    ("OAUTH_CLIENT_CREDENTIALS", "OAuthParameters"),
];

pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

/// `Name` of every request.
pub(crate) fn name(input: &Json) -> Result<&str, Fault> {
    let name = required_text(input, "Name", "name", NAME_MAX)?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if name.bytes().all(is_legal) {
        return Ok(name);
    }
    Err(constraint(name, "name", "Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+"))
}

/// `Description`, where it is given.
pub(crate) fn description(input: &Json) -> Result<Option<&str>, Fault> {
    optional_text(input, "Description", "description", DESCRIPTION_MAX)
}

/// `AuthorizationType`, where it is given.
pub(crate) fn authorization_type(input: &Json) -> Result<Option<&'static str>, Fault> {
    let Some(given) = optional_text(input, "AuthorizationType", "authorizationType", VALUE_MAX)? else {
        return Ok(None);
    };
    let known = TYPES.iter().find(|(name, _)| *name == given);
    known.map(|(name, _)| Some(*name)).ok_or_else(|| {
        let set = "Member must satisfy enum value set: [BASIC, OAUTH_CLIENT_CREDENTIALS, API_KEY]";
        constraint(given, "authorizationType", set)
    })
}

/// `AuthParameters` as a whole, once merged: exactly what the type needs, and the invocation's parameters.
pub(crate) fn auth_parameters(authorization_type: &str, parameters: &Json) -> Result<(), Fault> {
    let parameters = parameters
        .as_object()
        .ok_or_else(|| invalid("Parameter AuthParameters is not valid. Reason: it is not a structure."))?;
    for (name, member) in TYPES {
        match (parameters.get(member), name == authorization_type) {
            (None, true) => {
                return Err(invalid(format!(
                    "Parameter AuthParameters is not valid. Reason: {member} must be set for authorization type {name}."
                )));
            }
            (Some(_), false) => {
                return Err(invalid(format!(
                    "Parameter AuthParameters is not valid. Reason: {member} does not go with authorization type \
                     {authorization_type}."
                )));
            }
            _ => {}
        }
    }
    if parameters.contains_key("ConnectivityParameters") {
        return Err(invalid("ConnectivityParameters (private connections) are not supported by Stepwell."));
    }
    match authorization_type {
        "BASIC" => texts(&parameters["BasicAuthParameters"], &["Username", "Password"])?,
        "API_KEY" => texts(&parameters["ApiKeyAuthParameters"], &["ApiKeyName", "ApiKeyValue"])?,
        _ => oauth(&parameters["OAuthParameters"])?,
    }
    http_parameters(parameters.get("InvocationHttpParameters"))
}

fn oauth(parameters: &Json) -> Result<(), Fault> {
    texts(&parameters["ClientParameters"], &["ClientID", "ClientSecret"])?;
    let endpoint = required_text(parameters, "AuthorizationEndpoint", "authorizationEndpoint", ENDPOINT_MAX)?;
    if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
        return Err(invalid("Parameter AuthorizationEndpoint is not valid. Reason: it is no URL."));
    }
    let method = required_text(parameters, "HttpMethod", "httpMethod", VALUE_MAX)?;
    if !["GET", "POST", "PUT"].contains(&method) {
        let set = "Member must satisfy enum value set: [POST, GET, PUT]";
        return Err(constraint(method, "httpMethod", set));
    }
    http_parameters(parameters.get("OAuthHttpParameters"))
}

fn http_parameters(parameters: Option<&Json>) -> Result<(), Fault> {
    let Some(parameters) = parameters else { return Ok(()) };
    for list in ["HeaderParameters", "QueryStringParameters", "BodyParameters"] {
        let Some(pairs) = parameters.get(list) else { continue };
        let fits = pairs.as_array().is_some_and(|pairs| {
            pairs.len() <= PARAMETERS_MAX
                && pairs.iter().all(|pair| is_pair(pair, list == "HeaderParameters"))
        });
        if !fits {
            return Err(invalid(format!("Parameter {list} is not valid.")));
        }
    }
    Ok(())
}

fn is_pair(pair: &Json, is_header: bool) -> bool {
    let text = |name: &str| pair.get(name).and_then(Json::as_str);
    let (Some(key), Some(value)) = (text("Key"), text("Value")) else { return false };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_legal =
        !is_header || (key.bytes().all(is_token) && value.bytes().all(|b| (0x20..0x7f).contains(&b)));
    !key.is_empty() && is_legal && key.len() <= VALUE_MAX && value.len() <= VALUE_MAX
}

/// The members of a structure that must be there and be texts without control characters.
fn texts(structure: &Json, members: &[&str]) -> Result<(), Fault> {
    for member in members {
        let text = required_text(structure, member, member, VALUE_MAX)?;
        if text.chars().any(char::is_control) {
            return Err(invalid(format!("Parameter {member} is not valid.")));
        }
    }
    Ok(())
}

fn required_text<'a>(input: &'a Json, member: &str, place: &str, max: usize) -> Result<&'a str, Fault> {
    match optional_text(input, member, place, max)? {
        Some(text) if !text.is_empty() => Ok(text),
        Some(_) => Err(constraint("", place, "Member must have length greater than or equal to 1")),
        None => Err(invalid(format!(
            "1 validation error detected: Value null at '{place}' failed to satisfy constraint: Member must not be null"
        ))),
    }
}

fn optional_text<'a>(
    input: &'a Json,
    member: &str,
    place: &str,
    max: usize,
) -> Result<Option<&'a str>, Fault> {
    match input.get(member) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if text.chars().count() <= max => Ok(Some(text)),
        // What is too long may be a secret: it is not shown.
        Some(Json::String(_)) => Err(invalid(format!(
            "1 validation error detected: Value at '{place}' failed to satisfy constraint: Member must have length \
             less than or equal to {max}"
        ))),
        Some(_) => {
            Err(Fault::new("SerializationException", format!("The value of {member} is not a string")))
        }
    }
}

fn constraint(value: &str, place: &str, constraint: &str) -> Fault {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{place}' failed to satisfy constraint: {constraint}"
    ))
}

/// `given` over `known`: structures member by member, everything else replaced.
pub(crate) fn merged(known: &Json, given: &Json) -> Json {
    match (known, given) {
        (Json::Object(known), Json::Object(given)) => {
            let mut all: Map<String, Json> = known.clone();
            for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let value = all.get(name).map_or_else(|| value.clone(), |known| merged(known, value));
                all.insert(name.clone(), value);
            }
            Json::Object(all)
        }
        (_, given) => given.clone(),
    }
}
