//! How long a sandbox takes to make, to enter and to destroy: medians in microseconds.
//!
//! Run with the path of a built `sandbox-helper`: `cargo run --example timing -- target/debug/sandbox-helper`.

use std::process::Stdio;
use std::time::Instant;

use sandbox::{Cgroups, Helper, Limits, PendingProcess, Policy, Program, Workshop};

const ROUNDS: usize = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let helper = Helper::program(std::env::args().nth(1).ok_or("name the helper")?);
    let layers = sandbox::probe(&helper)?.layers();
    let name = format!("sandbox-timing-{}", std::process::id());
    let workshop = Workshop { helper, cgroups: Cgroups::open(&name), layers };
    let mut times: [Vec<u128>; 4] = Default::default();
    for _ in 0..ROUNDS {
        let limits = Limits { memory: 512 << 20, tasks: 128, open_files: 1024, disk: 256 << 20, cpu: 1.0 };
        let mut policy = Policy::new(limits);
        policy.identity = sandbox::is_privileged().then_some(210_000);
        let start = Instant::now();
        let mut sandbox = workshop.prepare("one", policy, None)?;
        times[0].push(start.elapsed().as_micros());
        let start = Instant::now();
        let program = Program {
            path: "/bin/sleep".into(),
            arguments: vec!["60".into()],
            environment: Vec::new(),
            stdout: Stdio::null(),
            stderr: Stdio::null(),
            fds: Vec::new(),
        };
        let process = sandbox.spawn(&workshop.helper, program).and_then(PendingProcess::wait)?;
        times[1].push(start.elapsed().as_micros());
        sandbox.adopt(process.pidfd())?;
        let start = Instant::now();
        sandbox.kill()?;
        process.wait()?;
        times[2].push(start.elapsed().as_micros());
        sandbox.destroy()?;
        times[3].push(start.elapsed().as_micros());
    }
    workshop.cgroups.close()?;
    for (what, times) in ["prepare", "enter", "kill", "kill and destroy"].iter().zip(&mut times) {
        times.sort_unstable();
        println!("{what}: {} (p90 {})", times[ROUNDS / 2], times[ROUNDS * 9 / 10]);
    }
    Ok(())
}
