//! Signature Version 4 on what this process sends.

use std::time::SystemTime;

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;

use super::Credentials;

/// What a request must be signed for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// `us-east-1`
    pub region: &'a str,
    /// `states`, `dynamodb` …
    pub service: &'a str,
    /// How its path and body go into it.
    pub style: Style,
}

/// How a request's path and body go into its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As most services have it.
    Plain,
    /// The same, with the body's hash in a header, so that the other side can verify the signature before the body
    /// arrives.
    Announced,
    /// As S3 has it: keys of objects are not paths, so that they are encoded once and never normalized; the body's hash
    /// is in a header.
    Object,
}

/// The headers that sign a request of this method, absolute URL, headers (`host` among them) and body, now.
///
/// Errors: a text; it holds no secret.
pub fn signature<'a>(
    credentials: &Credentials,
    scope: Scope<'_>,
    method: &'a str,
    url: &'a str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    body: &'a [u8],
) -> Result<Vec<(String, String)>, String> {
    let identity = aws_credential_types::Credentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        credentials.session_token.clone(),
        None,
        "stepwell",
    )
    .into();
    let mut settings = SigningSettings::default();
    if scope.style != Style::Plain {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    if scope.style == Style::Object {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let signable = SignableRequest::new(method, url, headers, SignableBody::Bytes(body))
        .map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &parameters).map_err(|error| error.to_string())?.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
