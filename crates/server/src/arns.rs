//! The ARNs of Step Functions, as requests give them.

use stepwell_aws::Fault;
use stepwell_aws::arn::Arn;

use crate::fault;

/// What a `stateMachineArn` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MachineArn {
    /// `stateMachine:<name>`
    Unqualified,
    /// `stateMachine:<name>:<version or alias>`
    Qualified,
    /// `stateMachine:<name>/<label>`: a Distributed Map state in a machine.
    Labelled,
}

/// Refuses what does not even begin like an ARN.
pub(crate) fn check(arn: &str) -> Result<(), Fault> {
    parse(arn).map(|_| ())
}

/// Reads the ARN of a state machine in any of its forms.
pub(crate) fn machine(arn: &str) -> Result<MachineArn, Fault> {
    let (kind, rest) = parts(arn)?;
    match kind {
        "stateMachine" if rest.contains('/') => Ok(MachineArn::Labelled),
        "stateMachine" if rest.contains(':') => Ok(MachineArn::Qualified),
        "stateMachine" => Ok(MachineArn::Unqualified),
        other => Err(wrong_type(other)),
    }
}

/// A qualified ARN's machine and qualifier: a version's number or an alias's name.
pub(crate) fn split_qualifier(arn: &str) -> (&str, Option<&str>) {
    match arn.match_indices(':').nth(6) {
        Some((colon, _)) => (&arn[..colon], Some(&arn[colon + 1..])),
        None => (arn, None),
    }
}

/// The number of a version, where this is a version's ARN.
pub(crate) fn version(arn: &str) -> Option<u64> {
    let number = split_qualifier(arn).1?;
    let plain = !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
    if plain { number.parse().ok() } else { None }
}

/// The same for an operation that refuses labelled ARNs.
pub(crate) fn machine_without_label(arn: &str) -> Result<MachineArn, Fault> {
    match machine(arn)? {
        MachineArn::Labelled => Err(fault::validation(
            format!("A labeled state machine ARN is not supported by this operation: '{arn}'"),
            Some("API_DOES_NOT_SUPPORT_LABELED_ARNS"),
        )),
        form => Ok(form),
    }
}

/// Refuses what is not the ARN of a Standard execution.
pub(crate) fn standard_execution(arn: &str) -> Result<(), Fault> {
    match parts(arn)?.0 {
        "execution" => Ok(()),
        other => Err(wrong_type(other)),
    }
}

/// The same for an operation that knows the Express executions of Map Runs, too: their ARNs name the Map's label.
pub(crate) fn described_execution(arn: &str) -> Result<(), Fault> {
    match parts(arn)? {
        ("express", rest) if rest.contains('/') => Ok(()),
        _ => standard_execution(arn),
    }
}

/// Whether the ARN of an execution is that of a child of a Map Run: `execution:<machine>/<label>:<name>`.
pub(crate) fn is_labelled_execution(arn: &str) -> bool {
    parts(arn).is_ok_and(|(_, rest)| rest.contains('/'))
}

/// Refuses what is not the ARN of an activity.
pub(crate) fn activity(arn: &str) -> Result<(), Fault> {
    match parts(arn)?.0 {
        "activity" => Ok(()),
        other => Err(wrong_type(other)),
    }
}

/// Refuses what is not the ARN of a Map Run.
pub(crate) fn map_run(arn: &str) -> Result<(), Fault> {
    match parts(arn)?.0 {
        "mapRun" => Ok(()),
        other => Err(wrong_type(other)),
    }
}

/// Whether this is the ARN of an activity.
pub(crate) fn is_activity(arn: &str) -> bool {
    activity(arn).is_ok()
}

/// Type and rest of the resource part.
fn parts(arn: &str) -> Result<(&str, &str), Fault> {
    let parsed = parse(arn)?;
    Ok(parsed.resource.split_once(':').unwrap_or((parsed.resource, "")))
}

fn parse(arn: &str) -> Result<Arn<'_>, Fault> {
    if !arn.starts_with("arn:") {
        return Err(fault::invalid_arn(&format!("Invalid ARN prefix: {arn}")));
    }
    Arn::parse(arn).ok_or_else(|| fault::invalid_arn(&format!("Invalid ARN: {arn}")))
}

fn wrong_type(given: &str) -> Fault {
    fault::invalid_arn(&format!("Resource type not valid in this context: {given}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_told_apart() {
        let of = |resource: &str| machine(&format!("arn:aws:states:us-east-1:000000000000:{resource}"));
        assert_eq!(of("stateMachine:m").expect("is one"), MachineArn::Unqualified);
        assert_eq!(of("stateMachine:m:1").expect("is one"), MachineArn::Qualified);
        assert_eq!(of("stateMachine:m/map").expect("is one"), MachineArn::Labelled);
        for (arn, message) in [
            ("invalid", "Invalid Arn: 'Invalid ARN prefix: invalid'"),
            ("arn:aws:states", "Invalid Arn: 'Invalid ARN: arn:aws:states'"),
            (
                "arn:aws:states:r:a:execution:m:e",
                "Invalid Arn: 'Resource type not valid in this context: execution'",
            ),
        ] {
            let fault = machine(arn).expect_err(arn);
            assert_eq!((fault.code.as_str(), fault.message.as_str()), ("InvalidArn", message));
        }
        let fault = standard_execution("arn:aws:states:r:a:express:m:e:u").expect_err("is express");
        assert_eq!(fault.message, "Invalid Arn: 'Resource type not valid in this context: express'");
        let other = described_execution("arn:aws:states:r:a:express:m:e:u").expect_err("is express");
        assert_eq!(other.message, fault.message);
        described_execution("arn:aws:states:r:a:express:m/l:e:u").expect("is a Map Run's");
        described_execution("arn:aws:states:r:a:execution:m:e").expect("is Standard");
        let fault = machine_without_label("arn:aws:states:r:a:stateMachine:m/l").expect_err("is labelled");
        assert_eq!(fault.members["reason"], "API_DOES_NOT_SUPPORT_LABELED_ARNS");
    }
}
