//! Signs on a 24 by 24 ground, drawn as lines.

use crate::model::StateType;

/// The lines of the sign for `kind`.
pub(super) fn path(kind: StateType) -> &'static str {
    match kind {
        // A lambda.
        StateType::Lambda => "M7 4h3.2l7.3 16M11.6 11.2 7 20",
        // A cylinder.
        StateType::Database => {
            "M5 6.5c0-1.7 3.1-3 7-3s7 1.3 7 3-3.1 3-7 3-7-1.3-7-3zv11c0 1.7 3.1 3 7 3s7-1.3 7-3v-11M5 12c0 1.7 3.1 3 7 3s7-1.3 7-3"
        }
        // A letter.
        StateType::Messaging => "M3.5 6h17v12h-17zl8.5 7 8.5-7",
        // Two boxes, one after the other.
        StateType::Execution => "M4 4h7v6H4zM13 14h7v6h-7zM7.5 10v7H13",
        // A person.
        StateType::Activity => "M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4.5 20.5c.6-4.2 3.6-6 7.5-6s6.9 1.8 7.5 6",
        // A cog.
        StateType::Service => {
            "M12 8.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M5.6 18.4l2.2-2.2M16.2 7.8l2.2-2.2"
        }
        // One way becomes two.
        StateType::Choice => "M12 3v6M12 9l-6.5 5v6M12 9l6.5 5v6",
        // A clock.
        StateType::Wait => "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 7.5V12l3.2 2.2",
        // An arrow.
        StateType::Pass => "M4 12h15M13.5 6.5 19 12l-5.5 5.5",
        // A check mark.
        StateType::Succeed => "M5 12.5l4.7 4.7L19 7.5",
        // One way becomes three at once.
        StateType::Parallel => "M12 3v5M5 13V8h14v5M12 8v5M5 13v7M12 13v7M19 13v7",
        // Sheets behind each other.
        StateType::Map => "M4 10h11v10H4zM8 10V6.5h10.5V17H15M11.5 6.5V3H21v10h-2.5",
        // A cross.
        StateType::Fail => "M6.5 6.5l11 11M17.5 6.5l-11 11",
    }
}
