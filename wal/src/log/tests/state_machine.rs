//! The same oracle under operations that proptest draws and shrinks.

use std::time::Duration;

use proptest::prelude::*;

use super::oracle::{Op, Oracle};
use crate::disk::Cut;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..400_usize, 1..4_u32).prop_map(|(len, batches)| Op::Queue { len, batches }),
        1 => (1000..4000_usize, 1..4_u32).prop_map(|(len, batches)| Op::Queue { len, batches }),
        6 => Just(Op::Settle),
        2 => Just(Op::Rotate),
        2 => Just(Op::DropOldest),
        1 => (0..2000_u64).prop_map(|millis| Op::Wait(Duration::from_millis(millis))),
        1 => (1..5_u64).prop_map(Op::FailSync),
        1 => (1..40_u64).prop_map(Op::DieAt),
        3 => prop_oneof![
            Just(Cut::Kill), Just(Cut::PowerInOrder), Just(Cut::PowerAnyOrder)
        ].prop_map(Op::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_of_operations_and_crashes_keeps_the_promise(
        seed in any::<u64>(),
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let mut oracle = Oracle::new(seed);
        for op in ops {
            oracle.apply(op);
        }
        oracle.apply(Op::Cut(Cut::PowerAnyOrder));
    }
}
