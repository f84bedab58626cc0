//! Generates the messages of `query.proto`, in pure Rust: no `protoc` is needed.

use std::error::Error;

const PROTO_DIR: &str = "../proto";
const PROTO_FILE: &str = "forebay/v1/query.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO_DIR}/{PROTO_FILE}");
    let descriptors = protox::compile([PROTO_FILE], [PROTO_DIR])?;
    tonic_prost_build::configure().bytes(".forebay.v1").compile_fds(descriptors)?;
    Ok(())
}
