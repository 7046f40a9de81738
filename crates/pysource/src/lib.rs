//! Reads FastAPI projects from their source, and executes nothing of it.
//!
//! [`find_entrypoint`] says what is served, [`endpoints`] what it offers, with schemas and a full OpenAPI
//! document; [`analysis`] does both at once. What the source does not settle is a [`Warning`] with file and line.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod async_engine;
mod document;
mod endpoint;
mod entrypoint;
mod flatten;
mod interp;
mod json;
mod modules;
mod operation;
mod parse;
mod pins;
mod problems;
mod read;
mod routes;
mod schema;
mod schema_object;
mod shape;

pub use async_engine::uses_async_engine;
pub use endpoint::{Analysis, Body, Endpoint, Entrypoint, Fields, Parameter, RequestSchema, Warning};
pub use entrypoint::find_entrypoint;
pub use flatten::{DocumentError, entries};
pub use modules::Files;
pub use problems::{Problem, problems};
pub use read::{analysis, endpoints};
