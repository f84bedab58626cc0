//! The state machine against a naive model of it, and what a commit costs.

mod model;
mod sharing;

use proptest::prelude::*;

use crate::command::Command;
use crate::config::Limits;
use crate::machine::Effect;
use crate::snapshot::Snapshot;
use crate::stored::StoredSnapshot;
use crate::{conformance, record};
use model::{Model, commands};
use types::Epoch;

/// Tight enough that random commands meet them.
const LIMITS: Limits = Limits { databases_max: 2, tables_max: 2, columns_max: 5 };

/// Applies all; returns the root and the commands that changed it.
fn run(commands: &[Command]) -> (Snapshot, Vec<Command>) {
    let mut root = Snapshot::default();
    let mut accepted = Vec::new();
    for command in commands {
        if let Ok(Effect::Changed(_)) = root.apply(command, &LIMITS) {
            accepted.push(command.clone());
        }
    }
    (root, accepted)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_the_model_does(commands in commands()) {
        let mut root = Snapshot::default();
        let mut model = Model::default();
        for command in &commands {
            let before = root.clone();
            let outcome = root.apply(command, &LIMITS);
            let expected = model.apply(command, &LIMITS);
            match (&outcome, expected) {
                (Ok(effect), Some((version, repeated))) => {
                    prop_assert_eq!(effect.version().get(), version, "{:?}", command);
                    prop_assert_eq!(effect.is_repeated(), repeated, "{:?}", command);
                }
                (Err(_), None) => prop_assert_eq!(&root, &before, "a refusal left {:?}", command),
                (outcome, expected) => {
                    prop_assert!(false, "{:?}: {:?}, the model: {:?}", command, outcome, expected);
                }
            }
            prop_assert_eq!(Model::of(&root), model.visible(), "after {:?}", command);
        }
    }

    #[test]
    fn the_same_commands_give_equal_roots_and_the_log_gives_them_again(commands in commands()) {
        let (root, accepted) = run(&commands);
        prop_assert_eq!(&run(&commands).0, &root);
        let mut body = record::Record::default();
        for command in &accepted {
            body.push(&record::encode(command).expect("encodes"));
        }
        let mut replayed = Snapshot::default();
        for command in record::decode(&body.into_body()).expect("decodes") {
            let effect = replayed.apply(&command, &Limits::NONE).expect("it was accepted before");
            prop_assert!(!effect.is_repeated());
        }
        prop_assert_eq!(&replayed, &root);
    }

    #[test]
    fn a_stored_root_is_read_back_equal(commands in commands()) {
        let (root, _) = run(&commands);
        let stored = StoredSnapshot::new(conformance::log(9), Epoch::new(1), &root);
        let text = serde_json::to_string(&stored).expect("encodes");
        let stored: StoredSnapshot = serde_json::from_str(&text).expect("decodes");
        prop_assert_eq!(stored.into_root().expect("it agrees with itself"), root);
    }
}
