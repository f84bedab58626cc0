//! The running log on a modelled disk: what it promises, and what crashes leave of it.

mod ballast;
mod behaviour;
mod crash;
mod disk_full;
mod ending;
mod faults;
mod iox;
mod known_faults;
mod oracle;
mod planted;
mod state_machine;
