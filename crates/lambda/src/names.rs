//! Function names as callers write them: a name, a partial ARN or an ARN, each with or without a qualifier.

use stepwell_aws::{Account, Fault};

use crate::faults;
use crate::validate::Problems;

/// The qualifier of the only version that can be changed.
pub(crate) const LATEST: &str = "$LATEST";

/// A function as a caller named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionId {
    /// The bare name.
    pub(crate) name: String,
    /// Version or alias, from the name's end or the `Qualifier` parameter.
    pub(crate) qualifier: Option<String>,
}

impl FunctionId {
    /// The function's ARN, with the qualifier where one was given.
    pub(crate) fn arn(&self, account: &Account) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", function_arn(account, &self.name)),
            None => function_arn(account, &self.name),
        }
    }
}

/// The unqualified ARN of the function `name`.
pub(crate) fn function_arn(account: &Account, name: &str) -> String {
    account.arn("lambda", &format!("function:{name}"))
}

/// Reads `text` (the `FunctionName` parameter) and `qualifier` (the `Qualifier` parameter).
pub(crate) fn parse(text: &str, qualifier: Option<&str>, account: &Account) -> Result<FunctionId, Fault> {
    let mut problems = Problems::new();
    problems.length("functionName", text, 1, 140);
    problems.fault()?;
    let Some((rest, place)) = strip_place(text) else { return Err(bad_pattern(text)) };
    let rest = rest.strip_prefix("function:").unwrap_or(rest);
    let (name, own_qualifier) = match rest.split_once(':') {
        Some((name, own)) => (name, Some(own)),
        None => (rest, None),
    };
    if !is_word(name) || own_qualifier.is_some_and(|q| q != LATEST && !is_word(q)) {
        return Err(bad_pattern(text));
    }
    problems.length("functionName", name, 1, 64);
    if let Some(qualifier) = qualifier {
        problems.length("qualifier", qualifier, 1, 128);
        if qualifier != LATEST && !qualifier.bytes().all(|b| is_word_byte(b) || b == b'$') {
            problems.pattern("qualifier", qualifier, r"(|[a-zA-Z0-9$_-]+)");
        }
    }
    problems.fault()?;
    check_place(text, place, account)?;
    let qualifier = match (own_qualifier, qualifier) {
        (Some(own), Some(given)) if own != given => {
            return Err(faults::invalid_parameter(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        (own, given) => own.or(given).map(str::to_owned),
    };
    Ok(FunctionId { name: name.to_owned(), qualifier })
}

/// Partition, region and account as far as a name gives them.
#[derive(Default, Clone, Copy)]
struct Place<'a> {
    partition: Option<&'a str>,
    region: Option<&'a str>,
    account: Option<&'a str>,
}

/// Takes `arn:<partition>:lambda:<region>:<account>:`, `<region>:<account>:` or `<account>:` off the front.
fn strip_place(text: &str) -> Option<(&str, Place<'_>)> {
    let mut place = Place::default();
    let mut rest = text;
    if let Some(after) = text.strip_prefix("arn:") {
        let (partition, after) = after.split_once(':')?;
        rest = after.strip_prefix("lambda:")?;
        place.partition = Some(partition);
    }
    if let Some((head, tail)) = rest.split_once(':')
        && is_region(head)
        && (place.partition.is_some() || starts_with_account(tail) || tail.starts_with("function:"))
    {
        place.region = Some(head);
        rest = tail;
    }
    if let Some((head, tail)) = rest.split_once(':')
        && starts_with_account(rest)
    {
        place.account = Some(head);
        rest = tail;
    }
    Some((rest, place))
}

fn check_place(text: &str, place: Place<'_>, account: &Account) -> Result<(), Fault> {
    if let Some(region) = place.region
        && region != account.region
    {
        return Err(faults::resource_not_found(format!(
            "Functions from '{region}' are not reachable in this region ('{}')",
            account.region
        )));
    }
    let foreign = place.account.is_some_and(|id| id != account.id)
        || place.partition.is_some_and(|partition| partition != account.partition);
    if foreign { Err(faults::function_not_found(text)) } else { Ok(()) }
}

fn starts_with_account(text: &str) -> bool {
    text.split_once(':').is_some_and(|(head, _)| head.len() == 12 && head.bytes().all(|b| b.is_ascii_digit()))
}

fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number = parts.next().is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()));
    number
        && parts.clone().count() >= 2
        && parts.all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase()))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_word_byte)
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn bad_pattern(text: &str) -> Fault {
    let mut problems = Problems::new();
    problems.pattern(
        "functionName",
        text,
        r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
    );
    problems.fault().expect_err("a problem was just added")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_name_are_read() {
        let account = Account::default();
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:my-fn";
        let cases = [
            ("my-fn", None, Ok(("my-fn", None))),
            ("my-fn", Some("$LATEST"), Ok(("my-fn", Some("$LATEST")))),
            ("my-fn:7", None, Ok(("my-fn", Some("7")))),
            ("my-fn-1:7", None, Ok(("my-fn-1", Some("7")))),
            ("function:my-fn", None, Ok(("my-fn", None))),
            ("000000000000:function:my-fn", None, Ok(("my-fn", None))),
            ("us-east-1:000000000000:function:my-fn:live", None, Ok(("my-fn", Some("live")))),
            (arn, None, Ok(("my-fn", None))),
            (&format!("{arn}:$LATEST"), Some("$LATEST"), Ok(("my-fn", Some("$LATEST")))),
            (&format!("{arn}:1"), Some("2"), Err("InvalidParameterValueException")),
            ("arn:aws:lambda:eu-west-1:000000000000:function:f", None, Err("ResourceNotFoundException")),
            ("arn:aws:lambda:us-east-1:111111111111:function:f", None, Err("ResourceNotFoundException")),
            ("arn:aws:sqs:us-east-1:000000000000:f", None, Err("ValidationException")),
            ("a b", None, Err("ValidationException")),
            ("", None, Err("ValidationException")),
            (&"x".repeat(65), None, Err("ValidationException")),
            (&"x".repeat(141), None, Err("ValidationException")),
            ("a:b:c", None, Err("ValidationException")),
        ];
        for (text, qualifier, expected) in cases {
            let got = parse(text, qualifier, &account);
            let got = got.as_ref().map(|id| (id.name.as_str(), id.qualifier.as_deref()));
            assert_eq!(got.map_err(|f| f.code.as_str()), expected, "{text}");
        }
    }
}
