//! previewd from outside: the built binary, spoken to as its callers speak to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ahead;
mod arbitrary;
mod attacks;
mod callers;
mod command_line;
mod database;
mod documents;
mod ends;
mod environments;
mod failed_launches;
mod gateway;
mod gateway_token;
mod harness;
mod imported;
mod imports;
mod killed;
mod launch;
mod leftovers;
mod log_capture;
mod log_command;
mod log_content;
mod log_history;
mod log_stream;
mod not_understood;
mod openapi;
mod recovery;
mod reload;
mod request;
mod status;
mod up;
mod uploads;
mod zygote;
