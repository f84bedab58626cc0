//! Exhaustive damage to small logs: no mutation may be taken for something that was not written.

mod damage;
mod decisions;
mod flips;
mod sectors;
mod truncations;
mod zeros;
