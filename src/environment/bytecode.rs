//! Bytecode for an environment: taken from others that have the same files, or written when nobody waits for it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::shelf::Unfinished;
use super::yard::Yard;
use super::{Environment, tool};

/// Compiles a directory at the lowest priority, as far as its files are Python of this version. Environments do not
/// change, so bytecode is not checked against its source when it is imported.
const COMPILE: &str = "\
import compileall, os, py_compile, sys
nice, sys.pycache_prefix, directory = sys.argv[1:]
os.nice(int(nice))
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
compileall.compile_dir(directory, quiet=2, maxlevels=64, invalidation_mode=unchecked)
";
/// The lowest priority.
const NICE: u32 = 19;
/// The directories that Python looks for bytecode in.
const CACHE: &str = "__pycache__";

/// Compiles all modules at the lowest priority into `aside`, from where the server takes them: whoever reads
/// strangers' source writes into no environment.
pub(super) async fn compile(
    environment: &Environment,
    yard: &Yard,
    home: &Path,
    aside: &Path,
) -> io::Result<()> {
    let mut command = tool::command(&environment.python, home);
    command.args(["-I", "-S", "-c", COMPILE, &NICE.to_string()]).arg(aside).arg(&environment.site_packages);
    let _given_up = Unfinished(aside.to_owned());
    yard.make(aside)?;
    let ran = yard.run_offline(command, &environment.site_packages).await;
    let written = aside.join(environment.site_packages.strip_prefix("/").unwrap_or(Path::new("")));
    let target = environment.site_packages.clone();
    let taken = tokio::task::spawn_blocking(move || take_over(&written, &target));
    let taken = taken.await.map_err(io::Error::other)?;
    match ran? {
        output if output.success => taken,
        output => Err(io::Error::other(output.tail.join("; "))),
    }
}

/// Copies what was written for each directory into its cache. Each file appears complete or not at all.
fn take_over(written: &Path, target: &Path) -> io::Result<()> {
    for (from, relative) in files_below(written, "pyc")? {
        let cache = target.join(relative.parent().unwrap_or(Path::new(""))).join(CACHE);
        let Some(name) = relative.file_name() else { continue };
        fs::create_dir_all(&cache)?;
        let unfinished = cache.join(format!(".{}", name.display()));
        fs::copy(&from, &unfinished)?;
        fs::rename(unfinished, cache.join(name))?;
    }
    Ok(())
}

/// Links bytecode from other environments, as far as they have the very same source files: links to one file
/// of the package cache. Says whether all that there is of source has bytecode then.
pub(super) fn adopt(target: &Path, others: &[PathBuf], tag: &str) -> io::Result<bool> {
    let mut complete = true;
    for (source, relative) in files_below(target, "py")? {
        let Some(cached) = cached(&relative, tag) else { continue };
        let own = fs::metadata(&source)?;
        let same = |other: &&PathBuf| {
            fs::symlink_metadata(other.join(&relative))
                .is_ok_and(|its| its.dev() == own.dev() && its.ino() == own.ino())
        };
        let Some(other) = others.iter().find(same) else {
            complete = false;
            continue;
        };
        fs::create_dir_all(target.join(&cached).parent().unwrap_or(target))?;
        // What is no Python of this version has none anywhere.
        let _nothing_to_link = fs::hard_link(other.join(&cached), target.join(&cached));
    }
    Ok(complete)
}

/// Where Python looks for the bytecode of a module's file. `tag` names its version.
#[must_use]
pub fn cached(source: &Path, tag: &str) -> Option<PathBuf> {
    let stem = source.file_stem().filter(|_| source.extension().is_some_and(|found| found == "py"))?;
    let cache = source.parent().unwrap_or(Path::new("")).join(CACHE);
    Some(cache.join(format!("{}.{tag}.pyc", stem.display())))
}

/// Regular files with this extension, each with its path relative to the directory. Links are not followed.
fn files_below(directory: &Path, extension: &str) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        for entry in fs::read_dir(directory.join(&relative))? {
            let entry = entry?;
            let (kind, relative) = (entry.file_type()?, relative.join(entry.file_name()));
            if kind.is_dir() {
                open.push(relative);
            } else if kind.is_file() && relative.extension().is_some_and(|found| found == extension) {
                found.push((entry.path(), relative));
            }
        }
    }
    Ok(found)
}
