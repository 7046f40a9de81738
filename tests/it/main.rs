//! previewd from outside: the built binary, spoken to as its callers speak to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ahead;
mod arbitrary;
mod attacks;
mod backup;
mod browsers;
mod callers;
mod clock;
mod command_line;
mod database;
mod doctor;
mod documents;
mod ends;
mod environments;
mod every_call;
mod failed_launches;
mod faults;
mod full_disk;
mod fuzzed;
mod gateway;
mod gateway_limits;
mod gateway_matrix;
mod gateway_pages;
mod gateway_token;
mod gateway_websocket;
mod gateway_wire;
mod harness;
mod history;
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
mod lost_answer;
mod not_understood;
mod openapi;
mod operation;
mod packaging;
mod proxies;
mod recovery;
mod reload;
mod request;
mod scarce;
mod secrets;
mod sleep;
mod smuggling;
mod snippets;
mod stand_in;
mod status;
mod store_away;
mod tls;
mod traces;
mod two_servers;
mod up;
mod uploads;
mod walk;
mod zygote;

// Tests are started in the order of their names. What takes a minute, however fast the machine, begins before all others.

#[tokio::test]
async fn a_walk_in_any_order() {
    walk::take().await;
}

#[tokio::test]
async fn all_that_the_documents_say_works() {
    snippets::run_all().await;
}
