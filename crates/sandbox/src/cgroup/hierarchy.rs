//! Where this process may make cgroups.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Controller, Version};

/// One mounted hierarchy, and where in it this process is.
struct Hierarchy {
    mount: PathBuf,
    own: PathBuf,
}

/// The interface to use and a writable directory `name` for each controller.
pub(super) fn find(name: &str) -> (Version, BTreeMap<Controller, PathBuf>) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let unified = hierarchy(&mounts, &membership, None);
    if let Some(parents) = unified.and_then(|hierarchy| find_v2(&hierarchy, name)) {
        return (Version::V2, parents);
    }
    let mut parents = BTreeMap::new();
    for controller in Controller::ALL {
        let found = hierarchy(&mounts, &membership, Some(controller));
        if let Some(path) = found.and_then(|hierarchy| find_v1(&hierarchy, controller, name)) {
            parents.insert(controller, path);
        }
    }
    (Version::V1, parents)
}

/// The nearest directory, from ours upwards, that hands the memory controller down. Ours itself cannot while
/// it holds processes, unless it is the root.
fn find_v2(hierarchy: &Hierarchy, name: &str) -> Option<BTreeMap<Controller, PathBuf>> {
    let places = hierarchy.own.ancestors().take_while(|path| path.starts_with(&hierarchy.mount));
    for place in places {
        for controller in Controller::ALL {
            hand_down(place, controller);
        }
        let parent = place.join(name);
        if !handed_down(place).contains(&Controller::Memory) || !make(&parent) {
            continue;
        }
        for controller in Controller::ALL {
            hand_down(&parent, controller);
        }
        let parents: BTreeMap<_, _> =
            handed_down(&parent).into_iter().map(|controller| (controller, parent.clone())).collect();
        if parents.contains_key(&Controller::Memory) && may_move_to(&parent) {
            return Some(parents);
        }
        let _ = fs::remove_dir(&parent);
    }
    None
}

fn find_v1(hierarchy: &Hierarchy, controller: Controller, name: &str) -> Option<PathBuf> {
    let parent = hierarchy.own.join(name);
    let limit = match controller {
        Controller::Memory => "memory.limit_in_bytes",
        Controller::Pids => "pids.max",
        Controller::Cpu => "cpu.cfs_quota_us",
    };
    (make(&parent) && parent.join(limit).exists() && may_move_to(&parent)).then_some(parent)
}

fn make(path: &Path) -> bool {
    fs::create_dir(path).map_or_else(|error| error.kind() == std::io::ErrorKind::AlreadyExists, |()| true)
}

fn may_move_to(path: &Path) -> bool {
    fs::OpenOptions::new().write(true).open(path.join("cgroup.procs")).is_ok()
}

fn hand_down(path: &Path, controller: Controller) {
    // Refused or not: `handed_down` says what came of it.
    let _ = fs::write(path.join("cgroup.subtree_control"), format!("+{}", controller.name()));
}

fn handed_down(path: &Path) -> Vec<Controller> {
    let text = fs::read_to_string(path.join("cgroup.subtree_control")).unwrap_or_default();
    Controller::ALL
        .into_iter()
        .filter(|controller| text.split_whitespace().any(|word| word == controller.name()))
        .collect()
}

/// Reads `/proc/self/mountinfo` and `/proc/self/cgroup`. `None` means the unified hierarchy.
fn hierarchy(mounts: &str, membership: &str, controller: Option<Controller>) -> Option<Hierarchy> {
    let own = membership.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let names = fields.next()?;
        let path = fields.next()?;
        let ours = match controller {
            None => names.is_empty(),
            Some(controller) => names.split(',').any(|name| name == controller.name()),
        };
        ours.then_some(path)
    })?;
    let (mount, shown) = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split_whitespace();
        let (name, options) = (kind.next()?, kind.nth(1)?);
        let ours = match controller {
            None => name == "cgroup2",
            Some(controller) => {
                name == "cgroup" && options.split(',').any(|option| option == controller.name())
            }
        };
        let mut place = place.split_whitespace().skip(3);
        let (shown, mount) = (place.next()?, place.next()?);
        ours.then_some((mount, shown))
    })?;
    // A container sees a part of the hierarchy as the whole.
    let below = Path::new(own).strip_prefix(shown).ok()?;
    let mount = PathBuf::from(mount);
    Some(Hierarchy { own: mount.join(below), mount })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
33 22 0:29 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
34 22 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 22 0:31 /docker/abc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids
36 22 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
    const MEMBERSHIP: &str = "8:pids:/docker/abc/x\n4:memory:/a/b\n2:cpu,cpuacct:/\n0::/user.slice\n";

    #[test]
    fn finds_the_own_directory_in_each_hierarchy() {
        let own = |controller| hierarchy(MOUNTS, MEMBERSHIP, controller).unwrap().own;
        assert_eq!(own(Some(Controller::Memory)), Path::new("/sys/fs/cgroup/memory/a/b"));
        assert_eq!(own(Some(Controller::Cpu)), Path::new("/sys/fs/cgroup/cpu,cpuacct/"));
        assert_eq!(own(Some(Controller::Pids)), Path::new("/sys/fs/cgroup/pids/x"));
        assert_eq!(own(None), Path::new("/sys/fs/cgroup/unified/user.slice"));
    }

    #[test]
    fn hosts_without_cgroups_give_nothing() {
        assert!(hierarchy("", "", Some(Controller::Memory)).is_none());
        assert!(hierarchy(MOUNTS, "", None).is_none());
    }
}
