//! Whether the kernel merges equal memory of processes that let it.

use std::path::Path;

use crate::layers::Finding;

/// Where the kernel says what it does about it.
const KSM: &str = "/sys/kernel/mm/ksm";

/// What this host offers of it. Nobody but the operator switches it on: it is the whole machine's.
#[must_use]
pub fn memory_merging() -> Finding {
    of(Path::new(KSM))
}

fn of(directory: &Path) -> Finding {
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).map(|text| text.trim().to_owned());
    let without = |detail: &str, fix: &str| Finding {
        available: false,
        detail: detail.to_owned(),
        fix: Some(fix.to_owned()),
    };
    // As old as what lets a whole process be merged.
    match (read("general_profit"), read("run").as_deref()) {
        (Ok(_), Ok("1")) => Finding { available: true, detail: "the kernel merges".to_owned(), fix: None },
        (Ok(_), Ok(_)) => {
            without("the kernel could, and is not told to", "as root: echo 1 > /sys/kernel/mm/ksm/run")
        }
        _ => without("this kernel cannot", "use Linux 6.4 or later with CONFIG_KSM"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_an_idle_one_and_one_that_merges_are_told_apart() {
        let directory = std::env::temp_dir().join(format!("sandbox-merging-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("run"), "1\n").unwrap();
        let old = of(&directory);
        assert!(!old.available && old.fix.unwrap().contains("6.4"), "it has no general_profit");
        std::fs::write(directory.join("general_profit"), "0\n").unwrap();
        assert!(of(&directory).available);
        std::fs::write(directory.join("run"), "0\n").unwrap();
        let idle = of(&directory);
        assert!(!idle.available && idle.fix.unwrap().contains("echo 1"));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
