//! What becomes of the flags of `forebay serve`.

use std::collections::BTreeSet;

use clap::FromArgMatches;

use super::*;
use crate::cli;

const MACHINE: Machine = Machine {
    memory: Some(ByteSize::gib(8)),
    cores: NonZeroUsize::new(4).expect("is not zero"),
    descriptors: None,
};

/// The configuration of `forebay serve` with these flags.
pub(crate) fn config_on(machine: &Machine, flags: &[&str]) -> Result<ServeConfig, Error> {
    let mut line = vec!["forebay", "serve"];
    line.extend(flags);
    let matches = cli::command().try_get_matches_from(line).expect("is good usage");
    let (_, of_serve) = matches.subcommand().expect("names a command");
    ServeConfig::new(ServeFlags::from_arg_matches(of_serve).expect("fits"), machine)
}

fn faults(flags: &[&str]) -> String {
    config_on(&MACHINE, flags).expect_err("has faults").to_string()
}

#[test]
fn defaults_follow_the_machine() {
    let config = config_on(&MACHINE, &[]).expect("no faults");
    assert_eq!(config.memory_budget, ByteSize::gib(4));
    assert_eq!(config.persist_workers.get(), 4);
    assert_eq!(config.persist_hot_partition_size, ByteSize::mib(64));
    assert_eq!(config.max_body_size, ByteSize::mib(64));
    assert_eq!(config.bind.to_string(), "127.0.0.1:8181");
}

#[test]
fn a_small_machine_gets_small_bodies_and_partitions() {
    let machine = Machine { memory: Some(ByteSize::mib(256)), ..MACHINE };
    let config = config_on(&machine, &[]).expect("no faults");
    assert_eq!(config.memory_budget, ByteSize::mib(128));
    assert_eq!(config.max_body_size, ByteSize::mib(32));
    assert_eq!(config.persist_hot_partition_size, ByteSize::mib(4));
}

#[test]
fn the_log_holds_room_back_for_the_largest_job_unless_it_is_small_itself() {
    let ballast = |flags: &[&str]| config_on(&MACHINE, flags).expect("no faults").wal_ballast();
    assert_eq!(ballast(&[]), ByteSize::mib(128));
    assert_eq!(ballast(&["--persist-hot-partition-size=16MiB"]), ByteSize::mib(80));
    assert_eq!(ballast(&["--wal-segment-size=1MiB", "--wal-max-size=8MiB"]), ByteSize::mib(1));
}

#[test]
fn an_unknown_machine_needs_to_be_told_its_budget() {
    let machine = Machine { memory: None, ..MACHINE };
    let error = config_on(&machine, &[]).expect_err("is not known");
    assert!(error.to_string().contains("--memory-budget is needed"), "{error}");
    assert!(config_on(&machine, &["--memory-budget=1GiB"]).is_ok());
}

#[test]
fn connections_leave_open_files_for_everything_else() {
    for (descriptors, connections) in
        [(None, 4096), (Some(1 << 20), 4096), (Some(4352), 4096), (Some(1024), 768), (Some(257), 1)]
    {
        let machine = Machine { descriptors, ..MACHINE };
        let config = config_on(&machine, &[]).expect("no faults");
        assert_eq!(config.limits.connections, connections, "{descriptors:?}");
    }
    let machine = Machine { descriptors: Some(256), ..MACHINE };
    let error = config_on(&machine, &[]).expect_err("there is no room for a connection");
    assert!(error.to_string().contains("257 files"), "{error}");
}

#[test]
fn all_faults_are_told_at_once() {
    let text = faults(&[
        "--wal-max-size=1MiB",
        "--memory-budget=1MiB",
        "--rotation-period=0s",
        "--max-queries=0",
        "--max-tags=0",
    ]);
    for told in ["--wal-max-size", "--memory-budget", "--rotation-period", "--max-queries", "tags"]
    {
        assert!(text.contains(told), "{text}");
    }
}

#[test]
fn the_effective_configuration_names_every_flag() {
    let config = config_on(&MACHINE, &[]).expect("no faults");
    let told: BTreeSet<String> =
        config.settings().iter().map(|(flag, _)| (*flag).to_owned()).collect();
    let command = cli::command();
    let serve = command.find_subcommand("serve").expect("there is serve");
    let flags: BTreeSet<String> = serve
        .get_arguments()
        .filter_map(|arg| arg.get_long().map(ToOwned::to_owned))
        .filter(|flag| !flag.starts_with("help"))
        .collect();
    assert_eq!(told, flags);
}

#[test]
fn the_effective_configuration_is_read_back_as_it_is() {
    let config = config_on(&MACHINE, &["--memory-budget=1000000001", "--persist-max-age=90m"]);
    let text = config.expect("no faults").to_string();
    let flags: Vec<&str> = text.split(' ').collect();
    let again = config_on(&MACHINE, &flags).expect("no faults");
    assert_eq!(again.to_string(), text);
    assert!(text.contains("--wal-max-size=4GiB"), "{text}");
    assert!(text.contains("--memory-budget=1000000001"), "{text}");
}
