//! A connection as it is kept, as it is shown, and as an HTTP task uses it.

use serde_json::{Map, Value as Json, json};
use stepwell_integrations::connections::{Authorization, Connection, HttpParameters};

/// Of the bytes on disk; raised when their meaning changes.
const VERSION: u64 = 1;

/// `ConnectionState` of a connection that can be used.
pub(crate) const AUTHORIZED: &str = "AUTHORIZED";
/// Of one that was told to forget its secrets.
pub(crate) const DEAUTHORIZED: &str = "DEAUTHORIZED";

/// One connection.
#[derive(Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) authorization_type: String,
    /// As given, secrets included; `{}` once deauthorized.
    pub(crate) auth_parameters: Json,
    pub(crate) kms_key: Option<String>,
    pub(crate) state: String,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
    pub(crate) authorized_ms: Option<i64>,
}

impl Record {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let record = json!({
            "version": VERSION,
            "arn": self.arn,
            "name": self.name,
            "description": self.description,
            "authorization_type": self.authorization_type,
            "auth_parameters": self.auth_parameters,
            "kms_key": self.kms_key,
            "state": self.state,
            "created_ms": self.created_ms,
            "modified_ms": self.modified_ms,
            "authorized_ms": self.authorized_ms,
        });
        record.to_string().into_bytes()
    }

    /// Errors: why these bytes are no record.
    pub(crate) fn read(bytes: &[u8]) -> Result<Record, &'static str> {
        let record: Json = serde_json::from_slice(bytes).map_err(|_| "it is not JSON")?;
        if record["version"] != VERSION {
            return Err("it was written by another version");
        }
        let optional = |name: &str| record[name].as_str().map(str::to_owned);
        let text = |name: &str| optional(name).ok_or("a member is missing");
        Ok(Record {
            arn: text("arn")?,
            name: text("name")?,
            description: optional("description"),
            authorization_type: text("authorization_type")?,
            auth_parameters: record["auth_parameters"].clone(),
            kms_key: optional("kms_key"),
            state: text("state")?,
            created_ms: record["created_ms"].as_i64().ok_or("a member is missing")?,
            modified_ms: record["modified_ms"].as_i64().ok_or("a member is missing")?,
            authorized_ms: record["authorized_ms"].as_i64(),
        })
    }

    /// What a change answers.
    pub(crate) fn changed(&self) -> Json {
        let mut shown = self.listed();
        for member in ["Name", "AuthorizationType"] {
            shown.as_object_mut().and_then(|members| members.remove(member));
        }
        shown
    }

    /// A line of ListConnections.
    pub(crate) fn listed(&self) -> Json {
        let mut shown = json!({
            "ConnectionArn": self.arn,
            "Name": self.name,
            "ConnectionState": self.state,
            "AuthorizationType": self.authorization_type,
            "CreationTime": seconds(self.created_ms),
            "LastModifiedTime": seconds(self.modified_ms),
        });
        if let Some(authorized_ms) = self.authorized_ms {
            shown["LastAuthorizedTime"] = seconds(authorized_ms);
        }
        shown
    }

    /// DescribeConnection.
    pub(crate) fn described(&self) -> Json {
        let mut shown = self.listed();
        shown["AuthParameters"] = without_secrets(&self.auth_parameters);
        shown["SecretArn"] = self.secret_arn().into();
        for (member, text) in [("Description", &self.description), ("KmsKeyIdentifier", &self.kms_key)] {
            if let Some(text) = text {
                shown[member] = Json::from(text.as_str());
            }
        }
        shown
    }

    /// Where AWS keeps the secrets.
    fn secret_arn(&self) -> String {
        let arn = self.arn.replacen(":events:", ":secretsmanager:", 1);
        arn.replacen(":connection/", ":secret:events!connection/", 1)
    }

    /// What lets requests in; `None` where secrets are missing.
    pub(crate) fn connection(&self) -> Option<Connection> {
        let all = &self.auth_parameters;
        let text = |structure: &Json, name: &str| structure[name].as_str().map(str::to_owned);
        let authorization = match self.authorization_type.as_str() {
            "BASIC" => {
                let basic = &all["BasicAuthParameters"];
                Authorization::Basic {
                    username: text(basic, "Username")?,
                    password: text(basic, "Password")?,
                }
            }
            "API_KEY" => {
                let key = &all["ApiKeyAuthParameters"];
                Authorization::ApiKey { name: text(key, "ApiKeyName")?, value: text(key, "ApiKeyValue")? }
            }
            _ => {
                let oauth = &all["OAuthParameters"];
                let client = &oauth["ClientParameters"];
                Authorization::OAuth {
                    endpoint: text(oauth, "AuthorizationEndpoint")?,
                    method: text(oauth, "HttpMethod")?,
                    client_id: text(client, "ClientID")?,
                    client_secret: text(client, "ClientSecret")?,
                    parameters: http_parameters(&oauth["OAuthHttpParameters"]),
                }
            }
        };
        Some(Connection { authorization, parameters: http_parameters(&all["InvocationHttpParameters"]) })
    }
}

fn http_parameters(parameters: &Json) -> HttpParameters {
    let pairs = |list: &str| -> Vec<(String, String)> {
        let pairs = parameters[list].as_array().into_iter().flatten();
        pairs
            .filter_map(|pair| Some((pair["Key"].as_str()?.to_owned(), pair["Value"].as_str()?.to_owned())))
            .collect()
    };
    HttpParameters {
        headers: pairs("HeaderParameters"),
        query: pairs("QueryStringParameters"),
        body: pairs("BodyParameters"),
    }
}

/// The parameters as DescribeConnection shows them.
fn without_secrets(parameters: &Json) -> Json {
    const SECRETS: [&str; 3] = ["Password", "ApiKeyValue", "ClientSecret"];
    match parameters {
        Json::Object(members) => {
            let is_secret_pair = members.get("IsValueSecret") == Some(&Json::Bool(true));
            let is_secret = |name: &str| SECRETS.contains(&name) || (is_secret_pair && name == "Value");
            let shown = members.iter().filter(|(name, _)| !is_secret(name));
            let shown = shown.map(|(name, value)| (name.clone(), without_secrets(value)));
            Json::Object(shown.collect::<Map<_, _>>())
        }
        Json::Array(elements) => Json::Array(elements.iter().map(without_secrets).collect()),
        other => other.clone(),
    }
}

#[allow(clippy::cast_precision_loss)] // Milliseconds of any year that can be written fit.
fn seconds(ms: i64) -> Json {
    Json::from(ms as f64 / 1000.0)
}
