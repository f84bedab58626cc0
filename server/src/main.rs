//! The binary `forebay`: reads flags and the environment, runs one command, tells how it ended.
//!
//! | module | what |
//! |---|---|
//! | [`cli`] | the commands and how their flags are read |
//! | [`config`] | what `forebay serve` is told, checked |
//! | [`serve`] | the wiring of the whole server |
//! | [`command`] | the client commands and those on a log's directory |
//! | [`effect`] | the real clock and real chance |
//! | [`exit`] | exit codes, one table |
//! | [`fault`] | faults that tests ask for |

mod cli;
mod command;
mod config;
mod effect;
mod error;
mod exit;
mod fault;
mod machine;
mod serve;
mod telemetry;

use std::io::{self, Write};
use std::process::ExitCode;

use types::error::chain;

use crate::cli::Command;
use crate::config::ServeConfig;
use crate::error::Error;
use crate::exit::Code;
use crate::machine::Machine;

fn main() -> ExitCode {
    let code = match cli::parse().command {
        Command::Serve(flags) => serve(*flags),
        Command::Write(flags) => block_on(command::write::run(flags)),
        Command::Query(flags) => block_on(command::query::run(flags)),
        Command::Persist(flags) => block_on(command::persist::run(flags)),
        Command::Wal(flags) => command::wal::run(flags),
    };
    code.unwrap_or_else(|error| tell(&error)).into()
}

/// Runs the server; from its start on, what there is to say goes to the log.
fn serve(flags: config::ServeFlags) -> Result<Code, Error> {
    let config = ServeConfig::new(flags, &Machine::detect())?;
    let fault = fault::switch_on()?;
    telemetry::start(&config.log_filter, config.log_format);
    config.log();
    if let Some(fault) = fault {
        tracing::warn!(fault, "a fault is switched on");
    }
    block_on(async move {
        serve::run(config).await.map(|()| Code::Success).or_else(|error| {
            tracing::error!(error = chain(&error), "the server could not go on");
            Ok(error.code())
        })
    })
}

/// Plans of queries are walked by recursion, as deep as their expressions are nested; memory is taken
/// only for what is used of it.
const STACK_BYTES: usize = 16 << 20;

fn block_on(work: impl Future<Output = Result<Code, Error>>) -> Result<Code, Error> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.thread_stack_size(STACK_BYTES).enable_all().build();
    let runtime = runtime.map_err(|source| Error::Runtime { source })?;
    let ended = runtime.block_on(work);
    // A thread may wait for standard input, and would for as long as that stays open.
    runtime.shutdown_background();
    ended
}

/// Tells a person what went wrong, unless that person has stopped listening.
fn tell(error: &Error) -> Code {
    if error.is_closed_pipe() {
        return Code::Success;
    }
    // There is nobody left to hear that standard error cannot be written.
    let _ = writeln!(io::stderr(), "forebay: {}", chain(error));
    error.code()
}
