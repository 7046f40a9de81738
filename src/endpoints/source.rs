//! Reading what a generation offers from its files.

use std::sync::Arc;

use pysource::{Analysis, Entrypoint, Files, Warning};

/// The endpoints of what would be served: `named` as at the upload, or what the source says.
#[must_use]
pub fn from_source(files: &Arc<Files>, named: Option<&str>) -> Analysis {
    let found = match named.and_then(read_name) {
        Some(entrypoint) => Some(pysource::endpoints(files, &entrypoint)),
        None => pysource::analysis(Arc::clone(files)),
    };
    found.unwrap_or_else(|| Analysis {
        warnings: vec![Warning {
            file: "app/main.py".to_owned(),
            line: 1,
            message: "Nothing to serve was found: no FastAPI application in app/main.py or main.py."
                .to_owned(),
        }],
        ..Analysis::default()
    })
}

fn read_name(named: &str) -> Option<Entrypoint> {
    let (module, attribute) = named.split_once(':')?;
    let name = attribute.trim_end_matches("()");
    Some(Entrypoint { module: module.to_owned(), attribute: name.to_owned(), factory: name != attribute })
}
