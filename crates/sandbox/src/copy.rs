//! Copying a directory tree to another file system under a new owner.

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{Gid, Mode, OFlags, Uid};

use crate::error::{Context as _, Error, Result};

/// Deeper trees are refused.
pub(crate) const MAX_DEPTH: usize = 64;

/// Who files belong to: a user id and the group of the same number.
#[derive(Clone, Copy)]
pub(crate) struct Owner(pub(crate) u32);

/// Copies the plain files and directories below `source` into `target`; links and devices
/// are left out.
pub(crate) fn copy_tree(source: &Path, target: BorrowedFd<'_>, owner: Owner) -> Result<()> {
    copy_level(source, target, owner, MAX_DEPTH)
}

fn copy_level(source: &Path, target: BorrowedFd<'_>, owner: Owner, depth: usize) -> Result<()> {
    if depth == 0 {
        return Err(Error::Helper(format!("{} is nested too deeply", source.display())));
    }
    for entry in fs::read_dir(source).step(format!("read {}", source.display()))? {
        let entry = entry.step(format!("read {}", source.display()))?;
        let kind = entry.file_type().step("read a file's type")?;
        if kind.is_dir() {
            let made = make_dir(target, Path::new(&entry.file_name()), owner)?;
            copy_level(&entry.path(), made.as_fd(), owner, depth - 1)?;
        } else if kind.is_file() {
            copy_file(&entry.path(), target, Path::new(&entry.file_name()), owner)?;
        }
    }
    Ok(())
}

fn make_dir(base: BorrowedFd<'_>, name: &Path, owner: Owner) -> Result<File> {
    let step = || format!("copy the directory {}", name.display());
    rustix::fs::mkdirat(base, name, Mode::from_raw_mode(0o755)).step(step())?;
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let made = rustix::fs::openat(base, name, flags, Mode::empty()).step(step())?;
    rustix::fs::fchown(&made, Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.0))).step(step())?;
    Ok(made.into())
}

fn copy_file(source: &Path, base: BorrowedFd<'_>, name: &Path, owner: Owner) -> Result<()> {
    let step = || format!("copy {}", name.display());
    let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut from = File::from(rustix::fs::open(source, flags, Mode::empty()).step(step())?);
    let executable = from.metadata().step(step())?.permissions().mode() & 0o100;
    let mode = if executable == 0 { 0o644 } else { 0o755 };
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let mut to = File::from(rustix::fs::openat(base, name, flags, Mode::from_raw_mode(mode)).step(step())?);
    std::io::copy(&mut from, &mut to).step(step())?;
    rustix::fs::fchown(&to, Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.0))).step(step())
}
