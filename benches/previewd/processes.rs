//! Processes and their memory.

use crate::Outcome;

/// The keeper of a data directory.
pub fn keeper_of(data_dir: &std::path::Path) -> Outcome<i32> {
    let keeper = all()?.into_iter().find(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = line.split(|byte| *byte == 0).skip(1);
        arguments.next() == Some(b"keeper")
            && arguments.next() == Some(data_dir.as_os_str().as_encoded_bytes())
    });
    keeper.ok_or_else(|| "there is no keeper".into())
}

/// Everything below the keeper of a data directory: zygotes, previews, what holds their sandboxes.
pub fn below_keeper(data_dir: &std::path::Path) -> Outcome<Vec<i32>> {
    let mut found = vec![keeper_of(data_dir)?];
    let parents: Vec<_> = all()?.into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut looked = 0;
    while let Some(of) = found.get(looked).copied() {
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| pid));
        looked += 1;
    }
    found.remove(0);
    Ok(found)
}

/// Open descriptors of a process.
pub fn descriptors(pid: i32) -> Outcome<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Memory by proportional share: a page that several have counts as its part for each.
pub fn share_mb(pids: &[i32]) -> Outcome<f64> {
    let mut kib = 0.0;
    for pid in pids {
        // One that has ended takes nothing.
        let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("no Pss")?;
        kib += line.trim().trim_end_matches(" kB").parse::<f64>()?;
    }
    Ok(kib / 1024.0)
}

fn all() -> Outcome<Vec<i32>> {
    let entries = std::fs::read_dir("/proc")?.flatten();
    Ok(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

fn parent(pid: i32) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything.
    text.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
