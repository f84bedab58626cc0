//! ingester.
