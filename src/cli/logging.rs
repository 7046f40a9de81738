//! The server's own log, on standard error: `RUST_LOG` chooses how much of it, `PREVIEW_LOG_FORMAT` how it looks.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// From here on what happens is written down.
pub(super) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    // Standard error may be a file on a full disk: to complain of that there would be a panic.
    let log = log.log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => {
            let json = log.json().flatten_event(true).with_current_span(false).with_span_list(false);
            json.init();
        }
    }
}
