//! Amazon Resource Names: `arn:<partition>:<service>:<region>:<account>:<resource>`.

/// The parts of an ARN, borrowed from its text. `resource` keeps its own colons and slashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn` …
    pub partition: &'a str,
    /// `states`, `lambda` …
    pub service: &'a str,
    /// Empty where the resource has none.
    pub region: &'a str,
    /// Empty where the resource has none.
    pub account: &'a str,
    /// All that follows the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits `text`; `None` where it does not begin with `arn:` or has fewer than six parts.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        Some(Arn {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Arn;

    #[test]
    fn splits_six_parts_and_keeps_the_resource_whole() {
        let arn = Arn::parse("arn:aws:states:us-east-1:1:stateMachine:m:2").expect("an ARN");
        assert_eq!((arn.service, arn.account, arn.resource), ("states", "1", "stateMachine:m:2"));
        assert_eq!(Arn::parse("arn:aws:states:::lambda:invoke").map(|a| a.resource), Some("lambda:invoke"));
        assert_eq!(Arn::parse("arn:aws:states"), None);
        assert_eq!(Arn::parse("urn:aws:states:::x"), None);
    }
}
