//! x.
#[test] fn a(){}
