//! Recovery from crashes of recovery, on full disks, and of logs that must be refused.

mod full;
mod kept_tails;
mod refusals;
mod second_kill;
