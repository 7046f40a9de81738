//! The file system that is seen inside: a small read-only tmpfs with the system's libraries, what
//! the policy shows, and one writable tmpfs of limited size.
//!
//! It is built from detached mounts. A privileged caller builds it with its own rights before the
//! sandbox exists, so that what is shown may lie below directories that the sandbox's user cannot
//! enter; everybody else builds it inside the user namespace.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Gid, Mode, OFlags, Uid};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use crate::copy::{self, MAX_DEPTH, Owner};
use crate::error::{Context as _, Error, Result};
use crate::policy::{HOME, Kept, Network, Policy};
use crate::sys;

/// Shown read-only where the host has them. Some are links on merged systems.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib64"];
/// Shown read-only where the host has them: what libraries look up.
const SETTINGS: &[&str] =
    &["/etc/alternatives", "/etc/ca-certificates", "/etc/ld.so.cache", "/etc/pki", "/etc/ssl"];
/// Small files that are copied, being links on many hosts.
const COPIES: &[&str] = &["/etc/localtime", "/etc/mime.types", "/etc/os-release"];
/// Copied where the host's network is reachable.
const NETWORK_COPIES: &[&str] = &["/etc/hosts", "/etc/resolv.conf"];
/// The devices that programs expect.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];
/// Files made anew: nothing of the host's users and name services.
const FILES: &[(&str, &str)] = &[
    ("etc/passwd", "app:x:1000:1000:app:/box/app:/usr/sbin/nologin\n"),
    ("etc/group", "app:x:1000:\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
];
/// Name and target of links, `/tmp` above all: it shares the home's limit.
const LINKS: &[(&str, &str)] = &[
    ("tmp", "box/tmp"),
    ("var/tmp", "/box/tmp"),
    ("dev/shm", "/box/shm"),
    ("dev/fd", "/proc/self/fd"),
    ("dev/stdin", "/proc/self/fd/0"),
    ("dev/stdout", "/proc/self/fd/1"),
    ("dev/stderr", "/proc/self/fd/2"),
];
/// Entries of the home that the sandbox's user owns.
const OWNED: &[&str] = &["app", "tmp", "shm"];
/// Files in one home: each costs the kernel about a KiB.
const MAX_FILES: &str = "65536";

/// A built file system that is not attached anywhere yet.
pub(crate) struct Root {
    top: OwnedFd,
    home: OwnedFd,
    mounts: Vec<Mount>,
    /// Paths inside under which reading, and executing, is fine.
    pub(crate) readable: Vec<PathBuf>,
    /// Paths inside under which everything is fine.
    pub(crate) writable: Vec<PathBuf>,
}

struct Mount {
    place: Place,
    tree: OwnedFd,
}

/// Where something goes: in the writable home, or in the read-only rest.
struct Place {
    in_home: bool,
    path: PathBuf,
}

impl Place {
    fn of(inside: &Path) -> Result<Self> {
        let relative = inside.strip_prefix("/").unwrap_or(inside);
        if relative.components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(Error::Helper(format!("{} is not a plain absolute path", inside.display())));
        }
        let home = HOME.trim_start_matches('/');
        Ok(if relative.starts_with("tmp") {
            Self { in_home: true, path: relative.to_owned() }
        } else if let Ok(rest) = relative.strip_prefix(home) {
            Self { in_home: true, path: rest.to_owned() }
        } else {
            Self { in_home: false, path: relative.to_owned() }
        })
    }
}

impl Root {
    /// Builds what `policy` asks for; its writable parts belong to `owner`, as ids of this process's
    /// user namespace.
    pub(crate) fn build(policy: &Policy, owner: Owner) -> Result<Self> {
        let top = tmpfs("1m", "2048")?;
        let home = tmpfs(&policy.limits.disk.to_string(), MAX_FILES)?;
        let mut root = Self {
            top,
            home,
            mounts: Vec::new(),
            readable: vec!["/etc".into(), "/proc".into(), "/dev".into()],
            writable: vec![HOME.into()],
        };
        root.make_home(owner)?;
        root.show_system()?;
        root.write_settings(policy.network)?;
        for path in &policy.read_only {
            root.show(path)?;
        }
        for (path, inside) in &policy.exchanged {
            root.exchange(path, inside)?;
        }
        for kept in &policy.kept {
            root.keep(kept, owner)?;
        }
        for path in &policy.writable {
            root.bind(path, path, NO_DEVICES)?;
            root.writable.push(path.clone());
        }
        if let Some(files) = &policy.files {
            copy::copy_tree(files, root.work_dir()?.as_fd(), owner)?;
        }
        sys::mount_setattr(root.top.as_fd(), libc::MOUNT_ATTR_RDONLY).step("make the root read-only")?;
        Ok(root)
    }

    /// Attaches everything in this mount namespace and makes it the root. Must run in a namespace
    /// of its own: the old root is gone afterwards. With `processes`, those of this pid namespace are shown.
    pub(crate) fn enter(self, processes: bool) -> Result<()> {
        attach(self.top.as_fd(), CWD, Path::new("/"))?;
        attach(self.home.as_fd(), self.top.as_fd(), Path::new(HOME.trim_start_matches('/')))?;
        for mount in &self.mounts {
            let base = if mount.place.in_home { self.home.as_fd() } else { self.top.as_fd() };
            attach(mount.tree.as_fd(), base, &mount.place.path)?;
        }
        if processes {
            mount_proc(self.top.as_fd());
        }
        rustix::process::fchdir(&self.top).step("enter the new root")?;
        rustix::process::pivot_root(".", ".").step("exchange the roots")?;
        rustix::mount::unmount(".", rustix::mount::UnmountFlags::DETACH).step("detach the old root")?;
        rustix::process::chdir("/").step("enter the new root")
    }

    /// Where the files go.
    pub(crate) fn work_dir(&self) -> Result<OwnedFd> {
        open_dir(self.home.as_fd(), Path::new("app"))
    }

    fn make_home(&self, owner: Owner) -> Result<()> {
        for name in OWNED {
            let mode = if *name == "app" { 0o755 } else { 0o700 };
            rustix::fs::mkdirat(&self.home, *name, Mode::from_raw_mode(mode)).step("make the home")?;
            owner.give(self.home.as_fd(), Path::new(name))?;
        }
        self.make_dir(false, Path::new(HOME.trim_start_matches('/')))
    }

    fn show_system(&mut self) -> Result<()> {
        for path in SYSTEM {
            let path = Path::new(path);
            match fs::read_link(path) {
                Ok(target) => {
                    rustix::fs::symlinkat(&target, &self.top, path.strip_prefix("/").unwrap_or(path))
                        .step("link a system directory")?;
                }
                Err(_) if path.is_dir() => self.show(path)?,
                Err(_) => {}
            }
        }
        for path in SETTINGS {
            if Path::new(path).exists() {
                self.bind(Path::new(path), Path::new(path), libc::MOUNT_ATTR_RDONLY | NO_DEVICES)?;
            }
        }
        for name in DEVICES {
            let path = Path::new("/dev").join(name);
            self.bind(&path, &path, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC)?;
        }
        self.make_dir(false, Path::new("proc"))
    }

    fn write_settings(&self, network: Network) -> Result<()> {
        for (name, text) in FILES {
            self.write(Path::new(name), text.as_bytes())?;
        }
        let more = if network == Network::Host { NETWORK_COPIES } else { &[] };
        for path in COPIES.iter().chain(more) {
            if let Ok(content) = fs::read(path) {
                self.write(Path::new(path.trim_start_matches('/')), &content)?;
            }
        }
        for (name, target) in LINKS {
            self.make_dir(false, Path::new(name).parent().unwrap_or(Path::new("")))?;
            rustix::fs::symlinkat(*target, &self.top, *name).step(format!("link {name}"))?;
        }
        Ok(())
    }

    /// Shows a directory read-only at its own path.
    fn show(&mut self, path: &Path) -> Result<()> {
        if self.shows(path) {
            return Ok(());
        }
        self.bind(path, path, libc::MOUNT_ATTR_RDONLY | NO_DEVICES)?;
        self.readable.push(path.to_owned());
        Ok(())
    }

    /// Shows a directory read-only in the place of another.
    fn exchange(&mut self, path: &Path, inside: &Path) -> Result<()> {
        if self.shows(inside) {
            return Err(Error::Helper(format!("{} is shown already", inside.display())));
        }
        self.bind(path, inside, libc::MOUNT_ATTR_RDONLY | NO_DEVICES)?;
        self.readable.push(inside.to_owned());
        Ok(())
    }

    fn shows(&self, path: &Path) -> bool {
        self.readable.iter().any(|shown| path.starts_with(shown))
    }

    fn keep(&mut self, kept: &Kept, owner: Owner) -> Result<()> {
        owner.give_tree(&kept.source)?;
        self.bind(&kept.source, &kept.target(), NO_DEVICES)?;
        for link in &kept.links {
            let target = Path::new("..").join(&kept.name).join(link);
            rustix::fs::symlinkat(&target, &self.home, Path::new("app").join(link))
                .step(format!("link {link}"))?;
        }
        self.writable.push(kept.target());
        Ok(())
    }

    fn bind(&mut self, source: &Path, inside: &Path, attributes: u64) -> Result<()> {
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        let tree = open_tree(CWD, source, flags).step(format!("take {}", source.display()))?;
        sys::mount_setattr(tree.as_fd(), attributes).step(format!("restrict {}", source.display()))?;
        let place = Place::of(inside)?;
        if source.is_dir() {
            self.make_dir(place.in_home, &place.path)?;
        } else {
            self.make_dir(place.in_home, place.path.parent().unwrap_or(Path::new("")))?;
            self.write_at(place.in_home, &place.path, b"")?;
        }
        self.mounts.push(Mount { place, tree });
        Ok(())
    }

    fn make_dir(&self, in_home: bool, path: &Path) -> Result<()> {
        let base = if in_home { self.home.as_fd() } else { self.top.as_fd() };
        let mut so_far = PathBuf::new();
        for part in path.components() {
            so_far.push(part);
            match rustix::fs::mkdirat(base, &so_far, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                other => other.step(format!("make the directory {}", so_far.display()))?,
            }
        }
        Ok(())
    }

    fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        self.make_dir(false, path.parent().unwrap_or(Path::new("")))?;
        self.write_at(false, path, content)
    }

    fn write_at(&self, in_home: bool, path: &Path, content: &[u8]) -> Result<()> {
        let base = if in_home { self.home.as_fd() } else { self.top.as_fd() };
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let step = || format!("write {}", path.display());
        let file = rustix::fs::openat(base, path, flags, Mode::from_raw_mode(0o644)).step(step())?;
        std::io::Write::write_all(&mut fs::File::from(file), content).step(step())
    }
}

const NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOSUID;

/// A detached tmpfs of at most `size` and so many `files`.
pub(crate) fn tmpfs(size: &str, files: &str) -> Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).step("open a tmpfs")?;
    for (key, value) in [("size", size), ("nr_inodes", files), ("mode", "0755")] {
        fsconfig_set_string(context.as_fd(), key, value).step(format!("set {key} of a tmpfs"))?;
    }
    fsconfig_create(context.as_fd()).step("create a tmpfs")?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).step("mount a tmpfs")
}

/// A procfs of this pid namespace in which others' processes are invisible. A host that hides parts
/// of its own procfs (as containers do) does not allow one: then there is none.
fn mount_proc(top: BorrowedFd<'_>) {
    let mount = || -> Result<()> {
        let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).step("open procfs")?;
        fsconfig_set_string(context.as_fd(), "hidepid", "invisible").step("hide processes in procfs")?;
        fsconfig_create(context.as_fd()).step("create procfs")?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC
            | MountAttrFlags::MOUNT_ATTR_RDONLY;
        let procfs =
            fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).step("mount procfs")?;
        attach(procfs.as_fd(), top, Path::new("proc"))
    };
    let _ = mount();
}

fn attach(tree: BorrowedFd<'_>, base: BorrowedFd<'_>, path: &Path) -> Result<()> {
    move_mount(tree, "", base, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .step(format!("attach /{}", path.display()))
}

fn open_dir(base: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(base, path, flags, Mode::empty()).step(format!("open {}", path.display()))
}

impl Owner {
    /// Gives one entry to this owner.
    fn give(self, base: BorrowedFd<'_>, path: &Path) -> Result<()> {
        let (uid, gid) = (Uid::from_raw(self.0), Gid::from_raw(self.0));
        rustix::fs::chownat(base, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .step(format!("give away {}", path.display()))
    }

    /// Gives a directory and all it holds to this owner. It goes by descriptors and follows no link:
    /// a program in another sandbox may be changing the directory meanwhile.
    fn give_tree(self, path: &Path) -> Result<()> {
        self.give_level(&open_dir(CWD, path)?, MAX_DEPTH)
    }

    fn give_level(self, dir: &OwnedFd, depth: usize) -> Result<()> {
        let (uid, gid) = (Uid::from_raw(self.0), Gid::from_raw(self.0));
        rustix::fs::fchown(dir, Some(uid), Some(gid)).step("give away a directory")?;
        for entry in Dir::read_from(dir).step("read a directory")? {
            let entry = entry.step("read a directory")?;
            let name = Path::new(OsStr::from_bytes(entry.file_name().to_bytes()));
            if name == Path::new(".") || name == Path::new("..") {
                continue;
            }
            match open_dir(dir.as_fd(), name) {
                Ok(below) if depth > 0 => self.give_level(&below, depth - 1)?,
                Ok(_) => return Err(Error::Helper("a kept directory is nested too deeply".into())),
                Err(_) => self.give(dir.as_fd(), name)?,
            }
        }
        Ok(())
    }
}
