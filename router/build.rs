//! Generates the gRPC services from their `.proto` files, in pure Rust: no `protoc` is needed.

use std::error::Error;

const PROTO_DIR: &str = "../proto";
const PROTO_FILES: [&str; 2] = ["forebay/v1/write.proto", "forebay/v1/persist.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    for file in PROTO_FILES {
        println!("cargo::rerun-if-changed={PROTO_DIR}/{file}");
    }
    let descriptors = protox::compile(PROTO_FILES, [PROTO_DIR])?;
    tonic_prost_build::configure()
        .bytes("forebay.v1.TableBatch.arrow_ipc")
        .compile_fds(descriptors)?;
    Ok(())
}
