//! A small file system for a data directory.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own, which has an end. Only root may make one.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// In place of an empty directory, with options such as `size=48m` or `nr_inodes=100`.
    pub fn on(directory: &Path, options: &str) -> Option<Self> {
        let mount = ["-t", "tmpfs", "-o", &format!("{options},mode=700"), "none"];
        let mounted = Command::new("mount").args(mount).arg(directory).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(directory.to_owned()))
    }

    /// Leaves no room; there is some again without the file.
    pub fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let written = std::fs::write(&path, vec![0; 64 << 20]);
        assert!(written.is_err(), "it should be full by now");
        path
    }

    /// Leaves no room for another file; there is some again without the directory.
    pub fn fill_with_files(&self) -> PathBuf {
        let path = self.0.join("ballast");
        std::fs::create_dir(&path).unwrap();
        let made =
            (0..100_000).take_while(|number| std::fs::write(path.join(number.to_string()), "").is_ok());
        assert!(made.count() < 100_000, "it should be full by now");
        path
    }

    /// Lets nobody write, or everybody again.
    pub fn set_read_only(&self, read_only: bool) {
        let options = if read_only { "remount,ro" } else { "remount,rw" };
        let output = Command::new("mount").args(["-o", options]).arg(&self.0).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Lets nobody write to what has to be opened first, though files are open for writing. What this gives undoes it.
    pub fn cover(&self) -> Cover {
        for options in ["bind", "remount,ro,bind"] {
            let output =
                Command::new("mount").args(["-o", options]).arg(&self.0).arg(&self.0).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Cover(self.0.clone())
    }
}

/// A directory that is read-only until this is dropped.
#[derive(Debug)]
pub struct Cover(PathBuf);

impl Drop for Cover {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = std::fs::remove_dir_all(self.0.parent().unwrap());
    }
}
