//! persist.
