//! The messages by which a querier reads an ingester's buffer, as `query.proto` has them.
//!
//! They are the ticket of Arrow Flight's `DoGet` and the `app_metadata` of its answer.

#![expect(missing_docs, reason = "the code is generated; the fields are told about in query.proto")]

tonic::include_proto!("forebay.v1");
