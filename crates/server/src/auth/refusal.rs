//! The faults of AWS's authentication, in its own texts. They come before any service, so all services share them.

use stepwell_aws::Fault;

/// What stands before `#` in the `__type` of these faults.
const NAMESPACE: &str = "com.amazon.coral.service";

fn refusal(code: &str, message: impl Into<String>) -> Fault {
    Fault::new(code, message).in_namespace(NAMESPACE)
}

/// The request is not signed.
pub(super) fn missing() -> Fault {
    refusal("MissingAuthenticationTokenException", "Request is missing Authentication Token")
}

/// The signature has not all its parts, or they cannot be read.
pub(super) fn incomplete(message: impl Into<String>) -> Fault {
    refusal("IncompleteSignatureException", message)
}

/// The signature is not, or not now, one of this request.
pub(super) fn invalid(message: impl Into<String>) -> Fault {
    refusal("InvalidSignatureException", message)
}

/// The signature was made over another request, or with another secret.
pub(super) fn mismatch() -> Fault {
    invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.",
    )
}

/// Nobody has this access key, or its session token is another.
pub(super) fn unrecognized() -> Fault {
    refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
}
