//! Trying each layer for real, in processes that are thrown away.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use rustix::process::{WaitOptions, waitpid};

use crate::cgroup::{Cgroups, Controller};
use crate::error::{Context as _, Error, Result};
use crate::helper::Helper;
use crate::layers::{Finding, Layer, Report};
use crate::policy::{Limits, Role};
use crate::rules::{Rules, ruleset};
use crate::sys::{self, Cloned};
use crate::{root, seccomp};

/// Tries every layer of this host, in a helper process. Takes some tens of milliseconds.
pub fn probe(helper: &Helper) -> Result<Report> {
    let output = helper.probe().output().step("start the probe")?;
    serde_json::from_slice(&output.stdout).map_err(std::io::Error::from).step("read the probe's report")
}

/// Runs in the helper.
pub(crate) fn run() -> Result<()> {
    let findings: BTreeMap<_, _> = Layer::ALL.into_iter().map(|layer| (layer, find(layer))).collect();
    let text =
        serde_json::to_vec(&Report { findings }).map_err(std::io::Error::from).step("write the report")?;
    std::io::stdout().write_all(&text).step("write the report")
}

fn find(layer: Layer) -> Finding {
    let tried = match layer {
        Layer::UserNamespace => {
            let privileged = crate::is_privileged();
            in_child(libc::CLONE_NEWUSER, move || try_user(privileged))
        }
        Layer::MountNamespace => in_child(libc::CLONE_NEWUSER | libc::CLONE_NEWNS, try_mount),
        Layer::PidNamespace => in_child(libc::CLONE_NEWUSER | libc::CLONE_NEWPID, try_pid),
        Layer::NetworkNamespace => in_child(libc::CLONE_NEWUSER | libc::CLONE_NEWNET, try_network),
        Layer::Landlock => in_child(0, try_landlock),
        Layer::Seccomp => in_child(0, try_seccomp),
        Layer::CgroupMemory => try_cgroup(Controller::Memory),
        Layer::CgroupPids => try_cgroup(Controller::Pids),
        Layer::CgroupCpu => try_cgroup(Controller::Cpu),
        Layer::DiskLimit => {
            let outer = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            in_child(libc::CLONE_NEWUSER | libc::CLONE_NEWNS, move || try_disk(outer))
        }
    };
    match tried {
        Ok(detail) => Finding { available: true, detail, fix: None },
        Err(error) => {
            Finding { available: false, detail: error.to_string(), fix: Some(layer.fix().to_owned()) }
        }
    }
}

/// Runs a trial in a child of its own, with fresh namespaces, and brings back what it says.
fn in_child(flags: i32, trial: impl FnOnce() -> Result<&'static str>) -> Result<String> {
    let (reader, writer) = std::io::pipe().step("create a pipe")?;
    match sys::clone(flags).step("create namespaces")? {
        Cloned::Child => {
            drop(reader);
            let (mark, text) = match trial() {
                Ok(text) => ('+', text.to_owned()),
                Err(error) => ('-', error.to_string()),
            };
            let _ = write!(&writer, "{mark}{text}");
            std::process::exit(0)
        }
        Cloned::Parent { pid, .. } => {
            drop(writer);
            let text = std::io::read_to_string(reader).step("read a trial's outcome")?;
            waitpid(Some(pid), WaitOptions::empty()).step("wait for a trial")?;
            match text.split_at_checked(1) {
                Some(("+", detail)) => Ok(detail.to_owned()),
                Some(("-", reason)) => Err(Error::Unavailable(reason.to_owned())),
                _ => Err(Error::Unavailable("the trial died".into())),
            }
        }
    }
}

fn try_user(privileged: bool) -> Result<&'static str> {
    let sets = rustix::thread::capabilities(None).step("read capabilities")?;
    if !sets.effective.contains(rustix::thread::CapabilitySet::SYS_ADMIN) {
        return Err(Error::Unavailable("a new user namespace gives no rights".into()));
    }
    Ok(if privileged { "with user ids of our choice" } else { "unprivileged, with the own user id" })
}

fn try_mount() -> Result<&'static str> {
    root::tmpfs("64k", "16")?;
    Ok("a tmpfs was mounted")
}

fn try_pid() -> Result<&'static str> {
    match rustix::process::getpid().as_raw_nonzero().get() {
        1 => Ok("the first process has id 1"),
        other => Err(Error::Unavailable(format!("the first process has id {other}"))),
    }
}

fn try_network() -> Result<&'static str> {
    sys::loopback_up().step("bring up the loopback")?;
    Ok("with a loopback of its own")
}

fn try_landlock() -> Result<&'static str> {
    let readable = [PathBuf::from("/usr")];
    let Some(fence) = ruleset(&Rules { readable: &readable, writable: &[], listable: &[], bind_tcp: false })?
    else {
        return Err(Error::Unavailable("the kernel has no landlock".into()));
    };
    rustix::thread::set_no_new_privs(true).step("forbid new privileges")?;
    sys::landlock_restrict(fence.as_fd()).step("enforce landlock")?;
    match (std::fs::read_dir("/usr"), std::fs::read_dir("/")) {
        (Ok(_), Err(_)) => Ok("a directory was closed"),
        (Err(error), _) => Err(error).step("read an open directory"),
        (_, Ok(_)) => Err(Error::Unavailable("a closed directory could be read".into())),
    }
}

fn try_seccomp() -> Result<&'static str> {
    rustix::thread::set_no_new_privs(true).step("forbid new privileges")?;
    for program in seccomp::programs(Role::Program)? {
        sys::install_filter(&program).step("install a seccomp program")?;
    }
    match rustix::process::chroot("/") {
        Err(rustix::io::Errno::PERM) if Path::new("/").exists() => Ok("a system call was refused"),
        _ => Err(Error::Unavailable("a forbidden system call went through".into())),
    }
}

fn try_cgroup(controller: Controller) -> Result<String> {
    let cgroups = Cgroups::open(&format!("sandbox-probe-{}", std::process::id()));
    let outcome = if cgroups.has(controller) {
        let limits = Limits { memory: 64 << 20, tasks: 16, open_files: 16, disk: 1 << 20, cpu: 0.5 };
        cgroups.leaf("probe", &limits).and_then(crate::cgroup::Leaf::remove)
    } else {
        Err(Error::Unavailable(format!("no place to make groups with the {} controller", controller.name())))
    };
    let version = cgroups.version();
    cgroups.close()?;
    outcome.map(|()| format!("version {version}"))
}

/// `outer` are the ids outside: whoever has none in a namespace cannot write files there.
fn try_disk(outer: (u32, u32)) -> Result<&'static str> {
    std::fs::write("/proc/self/setgroups", "deny").step("forbid setgroups")?;
    std::fs::write("/proc/self/uid_map", format!("0 {} 1", outer.0)).step("map the user id")?;
    std::fs::write("/proc/self/gid_map", format!("0 {} 1", outer.1)).step("map the group id")?;
    let limited = root::tmpfs("64k", "16")?;
    let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    let file = rustix::fs::openat(&limited, "file", flags, rustix::fs::Mode::from_raw_mode(0o600));
    let file = file.step("write to a tmpfs")?;
    match std::fs::File::from(file).write_all(&[0; 128 << 10]) {
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => Ok("a full tmpfs refused more"),
        Err(error) => Err(error).step("fill a tmpfs"),
        Ok(()) => Err(Error::Unavailable("a tmpfs took more than its size".into())),
    }
}
