//! The index against its invariants: counts, order, locks, timers.

use std::sync::Arc;

use super::*;

fn slot(group: Option<&str>, enqueued_ms: i64, phase: Phase, until_ms: i64) -> Slot {
    Slot {
        body: 0,
        enqueued_ms,
        phase,
        until_ms,
        receives: 0,
        first_receive_ms: 0,
        last_receive_ms: 0,
        group: group.map(Arc::from),
        source: None,
    }
}

/// Receives up to `max`, as the service does.
fn take(index: &mut Index, max: usize, until_ms: i64) -> Vec<u64> {
    let mut taken = Vec::new();
    while taken.len() < max
        && let Some(seq) = index.candidate(taken.last().copied())
    {
        index.update(seq, |slot| {
            slot.phase = Phase::InFlight;
            slot.until_ms = until_ms;
        });
        taken.push(seq);
    }
    taken
}

#[test]
fn standard_queues_hand_out_the_oldest_visible() {
    let mut index = Index::new(1, false);
    for seq in 1..=5 {
        index.insert(seq, slot(None, 0, Phase::Visible, 0));
    }
    index.insert(6, slot(None, 0, Phase::Delayed, 50));
    assert_eq!(take(&mut index, 3, 100), [1, 2, 3]);
    assert_eq!(index.counts(), Counts { visible: 2, delayed: 1, in_flight: 3 });
    assert_eq!(index.next_timer_ms(), Some(50));
    index.settle(50);
    assert_eq!(index.counts(), Counts { visible: 3, delayed: 0, in_flight: 3 });
    index.remove(2);
    index.settle(100);
    assert_eq!(take(&mut index, 10, 200), [1, 3, 4, 5, 6]);
}

#[test]
fn groups_keep_order_and_lock() {
    let mut index = Index::new(1, true);
    for (seq, group) in [(1, "a"), (2, "b"), (3, "a"), (4, "b"), (5, "c")] {
        index.insert(seq, slot(Some(group), 0, Phase::Visible, 0));
    }
    // The group of the head goes first, then the next group.
    assert_eq!(take(&mut index, 3, 100), [1, 3, 2]);
    // `a` and `b` are locked, although 4 is visible.
    assert_eq!(take(&mut index, 10, 100), [5]);
    assert_eq!(take(&mut index, 10, 100), [0u64; 0]);
    index.remove(2);
    assert_eq!(take(&mut index, 10, 100), [4]);
    index.remove(1);
    assert_eq!(take(&mut index, 10, 100), [0u64; 0], "3 is still in flight");
    index.settle(100);
    assert_eq!(take(&mut index, 10, 200), [3, 4, 5]);
}

#[test]
fn a_hidden_head_holds_its_group_back() {
    let mut index = Index::new(1, true);
    index.insert(1, slot(Some("a"), 0, Phase::Delayed, 10));
    index.insert(2, slot(Some("a"), 0, Phase::Visible, 0));
    index.insert(3, slot(Some("b"), 0, Phase::Visible, 0));
    assert_eq!(take(&mut index, 10, 100), [3]);
    index.settle(10);
    assert_eq!(take(&mut index, 10, 100), [1, 2]);
}

#[test]
fn the_oldest_is_found_by_age_not_by_place() {
    let mut index = Index::new(1, false);
    index.insert(1, slot(None, 30, Phase::Visible, 0));
    index.insert(2, slot(None, 10, Phase::InFlight, 99));
    assert_eq!(index.oldest_until(9), None);
    assert_eq!(index.oldest_until(10), Some(2));
    index.remove(2);
    assert_eq!(index.oldest_until(29), None);
    assert_eq!(index.next_timer_ms(), None);
}

/// Random steps, the counts and the lists against a recount.
#[test]
fn random_steps_keep_the_books_balanced() {
    for fifo in [false, true] {
        let mut index = Index::new(1, fifo);
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut now = 0;
        for seq in 0..5_000u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let dice = random >> 33;
            let group = ["a", "b", "c"][(dice % 3) as usize];
            let phase = if dice.is_multiple_of(7) { Phase::Delayed } else { Phase::Visible };
            index.insert(seq, slot(Some(group), now, phase, now + 5));
            match dice % 5 {
                0 | 1 => {
                    take(&mut index, (dice % 4) as usize, now + 3);
                }
                2 => {
                    index.remove(dice % (seq + 1));
                }
                _ => {
                    now += 1;
                    index.settle(now);
                }
            }
            let counts = index.counts();
            let count = |phase| index.slots.values().filter(|slot| slot.phase == phase).count();
            assert_eq!(counts.visible, count(Phase::Visible));
            assert_eq!(counts.delayed, count(Phase::Delayed));
            assert_eq!(counts.in_flight, count(Phase::InFlight));
            assert_eq!(index.timers.len(), counts.delayed + counts.in_flight);
            assert_eq!(index.ages.len(), index.slots.len());
        }
        now += 100;
        index.settle(now);
        let left = index.slots.len();
        assert_eq!(take(&mut index, usize::MAX, now + 1).len(), left, "all that is left can be received");
    }
}
