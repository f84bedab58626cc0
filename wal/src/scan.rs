//! Walks the frames of one segment in bounded memory, and finds frames behind damage.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

mod resync;
mod step;
mod window;

pub(crate) use resync::find_frame;
pub(crate) use step::{Found, Start, Step, read_start, read_step};
pub(crate) use window::Window;
