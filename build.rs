//! Builds what is embedded: the library that zygotes load, and the web UI where it is missing or older than its sources.
//!
//! Without npm the binary still builds, and shows a plain page in the UI's place.
//! `PREVIEW_UI_PREBUILT=1` says that `web/dist` is there and as it should be.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;
use std::{env, fs, io};

/// What the UI is made from, relative to the manifest.
const SOURCES: [&str; 6] = [
    "web/src",
    "web/public",
    "web/index.html",
    "web/package-lock.json",
    "web/vite.config.ts",
    "web/tsconfig.json",
];
/// What zygotes load.
const LIBRARY: &str = "runner/template.rs";
const INDEX: &str = "web/dist/index.html";
const INSTALLED: &str = "web/node_modules/.package-lock.json";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={LIBRARY}");
    println!("cargo:rerun-if-env-changed=PREVIEW_UI_PREBUILT");
    build_library();
    link_for_tests();
    if env::var_os("CARGO_FEATURE_UI").is_none() {
        return;
    }
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    if env::var_os("PREVIEW_UI_PREBUILT").is_some_and(|value| value == "1") {
        assert!(
            Path::new(INDEX).exists(),
            "PREVIEW_UI_PREBUILT=1, but there is no {INDEX}: run npm run build in web/"
        );
    } else if let Err(reason) = bring_up_to_date() {
        println!("cargo:warning=the web UI was not built: {reason}");
        println!("cargo:warning=the binary shows a plain page instead; install Node.js 20 or newer with npm");
    }
    // Watched only where it exists: cargo takes a watched file that is missing for one that has changed.
    if Path::new(INDEX).exists() {
        println!("cargo:rerun-if-changed={INDEX}");
    }
}

/// Without optimisations it is for tests, which start it thousands of times: where it is at a fixed address, each start has half of the
/// pages to write to. What people run stays where nobody can foresee.
fn link_for_tests() {
    if env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}

/// It is for the interpreter of the machine, whose C library it finds there: so it has nothing linked in.
fn build_library() {
    let of_cargo = |name| env::var_os(name).unwrap_or_default();
    let library = Path::new(&of_cargo("OUT_DIR")).join("template.so");
    let status = Command::new(of_cargo("RUSTC"))
        .args(["--edition=2024", "--crate-type=cdylib", "-Copt-level=2", "-Cpanic=abort", "-Cstrip=symbols"])
        .args(["-Ctarget-feature=-crt-static", LIBRARY, "--target"])
        .arg(of_cargo("TARGET"))
        .arg("-o")
        .arg(&library)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "{LIBRARY} was not compiled");
}

fn bring_up_to_date() -> Result<(), String> {
    let built = modified(Path::new(INDEX));
    let newest = SOURCES.iter().filter_map(|source| newest(Path::new(source)).ok()).max();
    if built.is_some() && built >= newest {
        return Ok(());
    }
    if modified(Path::new(INSTALLED)) < modified(Path::new("web/package-lock.json")) {
        npm(&["ci", "--no-audit", "--no-fund"])?;
    }
    npm(&["run", "build"])
}

fn npm(arguments: &[&str]) -> Result<(), String> {
    let what = format!("npm {}", arguments.join(" "));
    let output = Command::new("npm")
        .args(arguments)
        .current_dir("web")
        .output()
        .map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    Err(format!("{what}: {} {}", output.status, last[last.len().saturating_sub(5)..].join(" | ")))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// When the newest file at or below `path` was changed.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let metadata = fs::metadata(path)?;
    let mut latest = metadata.modified()?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            latest = latest.max(newest(&entry?.path())?);
        }
    }
    Ok(latest)
}
