//! Panics of this thread: each one is a finding, unless the process was dead already.

use std::cell::{Cell, RefCell};
use std::sync::Once;

thread_local! {
    static WATCHED: Cell<Watch> = const { Cell::new(Watch::Off) };
    static FIRST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What a panic of this thread means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// It belongs to somebody else, such as a test.
    Off,
    /// It is a bug.
    On,
    /// It is of a process that has ended: a real one would not have come so far.
    Dead,
}

/// Remembers the panics of this thread from now on.
pub(crate) fn watch() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let other = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match WATCHED.get() {
            Watch::Off => other(panic),
            Watch::On => {
                let text = panic.to_string();
                FIRST.with_borrow_mut(|first| first.get_or_insert(text).len());
            }
            Watch::Dead => {}
        }));
    });
    WATCHED.set(Watch::On);
}

/// The process is dead: what panics now says nothing.
pub(crate) fn ignore() {
    if WATCHED.get() == Watch::On {
        WATCHED.set(Watch::Dead);
    }
}

/// Ends the watch, and gives the first panic since it began.
pub(crate) fn take() -> Option<String> {
    WATCHED.set(Watch::Off);
    FIRST.take()
}
