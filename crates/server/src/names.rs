//! Names of state machines, executions and activities.

use stepwell_aws::Fault;

use crate::fault;

/// Refuses a name that has a forbidden character. Its length the model has checked. Source: API reference,
/// CreateStateMachine, `name`.
pub(crate) fn check(name: &str) -> Result<(), Fault> {
    match name.chars().all(is_allowed) {
        true => Ok(()),
        false => Err(fault::invalid_name(name)),
    }
}

fn is_allowed(c: char) -> bool {
    !(c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{FFFE}' | '\u{FFFF}' | '\u{10FFFF}')
        || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn forbidden_characters_are_refused() {
        for c in "<>{}[]?*\"#%\\^|~`$&,;:/ \t\u{1f}\u{7f}\u{9f}\u{a0}\u{fffe}\u{10ffff}".chars() {
            let name = format!("activity{c}name");
            let fault = check(&name).expect_err(&name);
            assert_eq!(
                (fault.code.as_str(), fault.message),
                ("InvalidName", format!("Invalid Name: '{name}'"))
            );
        }
        for name in ["activity-name_123", "activity.name.v2", "1", "café", "日本", "a'b", "a(b)+=!@"] {
            check(name).expect(name);
        }
    }
}
