//! Tells people when a preview is at one of its limits: what is refused then looks like a fault of its code.
//!
//! Too much memory and the end that it brings are told as a failure; too little processor time is no failure.

use std::cell::Cell;

use super::process::Process;
use crate::config::Limits;

/// What Python says of the error number for too many open files. The kernel does not count how often it is given.
const TOO_MANY_FILES: &[u8] = b"[Errno 24]";

/// What one start of a preview has been told.
#[derive(Debug)]
pub struct Told {
    limits: Limits,
    tasks: Cell<bool>,
    disk: Cell<bool>,
    files: Cell<bool>,
}

impl Told {
    /// Nothing yet.
    pub fn nothing(limits: Limits) -> Self {
        Self { limits, tasks: Cell::new(false), disk: Cell::new(false), files: Cell::new(false) }
    }

    /// A sentence for each limit that it is found at for the first time.
    pub fn look(&self, process: &Process) -> Vec<String> {
        let Limits { tasks, disk_mb, .. } = self.limits;
        let mut sentences = Vec::new();
        if !self.tasks.get() && process.was_refused_tasks() {
            self.tasks.set(true);
            sentences.push(format!(
                "At the limit of {tasks} processes and threads (PREVIEW_TASK_LIMIT): what could not be started has failed"
            ));
        }
        if !self.disk.get() && process.has_full_disk() {
            self.disk.set(true);
            sentences.push(format!(
                "At the limit of {disk_mb} MiB of files (PREVIEW_DISK_LIMIT_MB): what could not be written has failed"
            ));
        }
        sentences
    }

    /// A sentence if a line of its output says, for the first time, that it has too many files open.
    pub fn hear(&self, line: &[u8]) -> Option<String> {
        if memchr::memmem::find(line, TOO_MANY_FILES).is_none() || self.files.replace(true) {
            return None;
        }
        let limit = self.limits.open_files;
        Some(format!(
            "At the limit of {limit} open files and connections (PREVIEW_OPEN_FILES_LIMIT): what could not be opened has failed"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_once() {
        let limits = Limits { memory_mb: 1, tasks: 2, open_files: 3, disk_mb: 4, cpu: 1.0 };
        let told = Told::nothing(limits);
        assert_eq!(told.hear(b"all is well"), None);
        let sentence = told.hear(b"OSError: [Errno 24] Too many open files: 'x'").unwrap();
        assert!(sentence.contains("limit of 3 open files"), "{sentence}");
        assert_eq!(told.hear(b"OSError: [Errno 24] Too many open files: 'y'"), None);
    }
}
