//! previewd shows people the FastAPI backend that was just generated for them, running.
//! See ARCHITECTURE.md for the shape: `serve` talks to people, `keeper` keeps what must survive it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod answer;
pub mod audit;
pub mod auth;
pub mod backlog;
pub mod cli;
pub mod config;
pub mod confined;
mod distribution;
pub mod drain;
pub mod endpoints;
pub mod environment;
pub mod error;
pub mod gateway;
pub mod generation;
pub mod history;
pub mod http;
pub mod id;
pub mod keeper;
pub mod logs;
pub mod metrics;
pub mod preview;
pub mod private;
pub mod processors;
pub mod runtime;
pub mod store;
#[cfg(test)]
mod test_support;
pub mod time;
pub mod traces;
