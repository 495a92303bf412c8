//! Fails the N-th write, for every N: one scenario with every kind of wait, disturbed at one place, must come to the
//! same end as undisturbed.

use std::collections::BTreeMap;

use stepwell_sim::disk::Fault;
use stepwell_sim::scenario::{Disturbance, End, run};

fn ends(disturbance: Option<(u64, Disturbance)>) -> (u64, BTreeMap<String, End>) {
    run(disturbance).unwrap_or_else(|reason| panic!("{disturbance:?}: {reason}"))
}

/// Disturbs every group that the scenario writes, and compares the ends.
fn disturb_every_write(disturbance: Disturbance) {
    let (groups, expected) = ends(None);
    assert!(groups > 10, "the scenario is long enough: {groups}");
    for nth in 1..=groups {
        let (_, found) = ends(Some((nth, disturbance)));
        assert_eq!(found, expected, "{disturbance:?} at group {nth}");
    }
}

#[test]
fn a_crash_that_loses_any_group_changes_nothing() {
    disturb_every_write(Disturbance::CrashBeforeSync { is_kept: false });
}

#[test]
fn a_crash_after_any_group_changes_nothing() {
    disturb_every_write(Disturbance::CrashBeforeSync { is_kept: true });
}

#[test]
fn a_crash_between_any_sync_and_what_it_releases_changes_nothing() {
    disturb_every_write(Disturbance::CrashAfterSync);
}

#[test]
fn any_failed_write_or_sync_changes_nothing() {
    for fault in [Fault::WriteRefused, Fault::WriteUnknown, Fault::SyncFailed] {
        disturb_every_write(Disturbance::Fails(fault));
    }
}
