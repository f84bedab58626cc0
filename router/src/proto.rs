//! The generated gRPC code of `forebay.v1`: messages, servers and clients.
#![allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::clone_on_ref_ptr,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "the code is generated"
)]

tonic::include_proto!("forebay.v1");
