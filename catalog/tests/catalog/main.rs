//! The public face of the catalog: does it behave, does it keep what it acknowledged, does it
//! refuse what it must?

mod conformance;
mod crash;
mod embedded;
mod faults;
mod memory;
mod one_thread;
mod planted;
mod stage;
