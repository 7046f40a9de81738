//! What the system shows of previews: processes, descriptors, directories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Process and start time, so that a number which is used again is not taken for the old process.
pub type Process = (i32, u64);

/// Processes whose environment says that they belong to one of these previews: those without a sandbox.
pub fn marked<'a>(previews: impl IntoIterator<Item = &'a String>) -> Vec<i32> {
    let markers: Vec<_> = previews.into_iter().map(|id| format!("PREVIEWD_PROCESS={id}.")).collect();
    let is_one = |pid: &i32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environ.split(|byte| *byte == 0);
        variables.any(|variable| markers.iter().any(|marker| variable.starts_with(marker.as_bytes())))
    };
    all().into_iter().filter(is_one).collect()
}

/// Namespaces by name. The kernel gives the name of one that is gone to a new one: not while it is held open.
pub type Namespaces = BTreeMap<PathBuf, File>;

/// The process namespaces of the sandboxes that a keeper has made.
pub fn namespaces_below(keeper: i32) -> Namespaces {
    let own = namespace(keeper);
    let below = descendants(keeper).into_iter().filter_map(|(pid, _)| {
        let held = File::open(format!("/proc/{pid}/ns/pid")).ok()?;
        let name = std::fs::read_link(format!("/proc/self/fd/{}", held.as_raw_fd())).ok()?;
        Some((name, held))
    });
    below.filter(|(found, _)| Some(found) != own.as_ref()).collect()
}

/// What runs in these namespaces, but for the first process of each, which only holds it, and those that wait to be a preview's.
pub fn inside(namespaces: &Namespaces) -> Vec<i32> {
    let is_inside = |pid: &i32| namespace(*pid).is_some_and(|found| namespaces.contains_key(&found));
    let is_first = |pid: &i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
    };
    let runs = |pid: &i32| process(*pid).is_some_and(is_alive);
    all().into_iter().filter(|pid| is_inside(pid) && !is_first(pid) && !is_ahead(*pid) && runs(pid)).collect()
}

/// Whether it was forked ahead of a launch that is still to come.
pub fn is_spare(pid: i32) -> bool {
    name(pid) == b"spare\n"
}

/// The same, or about to be: its first moment it is called as what it was forked from.
pub fn is_ahead(pid: i32) -> bool {
    // Read once: it may change from the one to the other in this moment.
    matches!(name(pid).as_slice(), b"spare\n" | b"zygote\n")
}

fn name(pid: i32) -> Vec<u8> {
    std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default()
}

fn namespace(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// Everything that a process started, directly or not.
pub fn descendants(of: i32) -> BTreeSet<Process> {
    let parents: Vec<_> = all().into_iter().filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let mut found = BTreeSet::new();
    let mut open = vec![of];
    while let Some(parent) = open.pop() {
        for (pid, stat) in parents.iter().filter(|(_, stat)| stat.parent == parent) {
            if found.insert((*pid, stat.started)) {
                open.push(*pid);
            }
        }
    }
    found
}

/// Whether it runs; a zombie does not.
pub fn is_alive((pid, started): Process) -> bool {
    stat(pid).is_some_and(|stat| stat.started == started && stat.state != 'Z')
}

/// The process of a number, as it is now.
pub fn process(pid: i32) -> Option<Process> {
    stat(pid).map(|stat| (pid, stat.started))
}

/// Open descriptors of a process.
pub fn descriptors(pid: i32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// The same without those of the store, which keeps as many connections as it once needed at the same time.
pub fn descriptors_but_the_stores(pid: i32) -> usize {
    let all = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let of_the_store = |path: &Path| {
        std::fs::read_link(path).is_ok_and(|file| file.to_string_lossy().contains("/previewd.db"))
    };
    all.filter(|descriptor| !of_the_store(&descriptor.path())).count()
}

/// The arguments of a process, each with a zero byte behind it; nothing if there is none.
pub fn command_line(pid: i32) -> String {
    String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).into_owned()
}

/// The keeper of a data directory.
pub fn keeper_of(data_dir: &Path) -> Option<i32> {
    let is_keeper = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let arguments: Vec<_> = line.split(|byte| *byte == 0).collect();
        arguments.get(1) == Some(&b"keeper".as_slice())
            && arguments.get(2) == Some(&data_dir.as_os_str().as_encoded_bytes())
    };
    all().into_iter().find(|pid| is_keeper(pid) && process(*pid).is_some_and(is_alive))
}

/// Servers of a data directory, and other commands for it.
pub fn servers_of(data_dir: &Path) -> Vec<i32> {
    let wanted = [b"PREVIEW_DATA_DIR=", data_dir.as_os_str().as_encoded_bytes()].concat();
    let is_one = |pid: &i32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable == wanted)
    };
    all().into_iter().filter(is_one).collect()
}

/// Files of previews that are still there; without a keeper also what was made ahead for them.
pub fn files(data_dir: &Path) -> Vec<PathBuf> {
    let kept = keeper_of(data_dir).is_some();
    let inside = |directory: PathBuf| std::fs::read_dir(directory).into_iter().flatten().flatten();
    let places = [in_memory(data_dir), data_dir.join("work"), data_dir.join("run")];
    let found = places.into_iter().flat_map(inside).map(|entry| entry.path());
    found.filter(|path| !kept || !path.ends_with("spare")).collect()
}

/// Where the files of a data directory's previews are while they run.
pub fn in_memory(data_dir: &Path) -> PathBuf {
    Path::new("/dev/shm").join(format!("previewd-{}", digest(data_dir)))
}

/// Where databases of sandboxes are that were made ahead.
pub fn spares(data_dir: &Path) -> PathBuf {
    let places = [in_memory(data_dir), data_dir.join("work")].map(|place| place.join("spare"));
    places.into_iter().find(|place| place.exists()).expect("a keeper that makes something ahead")
}

/// The cgroups of a data directory's keeper and server, in whichever hierarchies there are.
pub fn cgroups(data_dir: &Path) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    // They are made where this process is, or above.
    let places = own.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let mount = root.join(fields.next().unwrap_or_default());
        let place = mount.join(fields.next().unwrap_or_default().trim_start_matches('/'));
        place
            .ancestors()
            .take_while(|place| place.starts_with(&mount))
            .map(Path::to_owned)
            .collect::<Vec<_>>()
    });
    let names = ["previewd", "previewd-serve"].map(|name| format!("{name}-{}", digest(data_dir)));
    places
        .flat_map(|place| names.clone().map(|name| place.join(name)))
        .filter(|place| place.is_dir())
        .collect()
}

/// By which a data directory's things elsewhere are told from others'.
fn digest(data_dir: &Path) -> String {
    let mut digest = hex::encode(Sha256::digest(data_dir.as_os_str().as_encoded_bytes()));
    digest.truncate(16);
    digest
}

struct Stat {
    state: char,
    parent: i32,
    started: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything.
    let fields: Vec<_> = text.rsplit_once(") ")?.1.split(' ').collect();
    let state = fields.first()?.chars().next()?;
    Some(Stat { state, parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
}

fn all() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
