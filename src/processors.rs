//! Keeps the machine's processors from halting while requests follow at once on each other.
//!
//! Between two requests client, server and code wait for each other for some 50 µs at a time. A processor that halts for that has to
//! be woken; one that a hypervisor has taken away meanwhile is passed over by the kernel's scheduler, which then runs all of them on
//! one and the same. The kernel lets processors wait awake for as long as somebody asks for it by `/dev/cpu_dma_latency`
//! (<https://docs.kernel.org/power/pm_qos_interface.html>). What it asked for goes with the process.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sandbox::Finding;
use tokio::sync::Notify;

use crate::config::CpuAwake;

/// Takes how long a processor may need to wake: microseconds, 32 bits in the machine's order.
const DEVICE: &str = "/dev/cpu_dma_latency";
/// No time at all.
const AWAKE: i32 = 0;
/// As long as it likes: `PM_QOS_CPU_LATENCY_DEFAULT_VALUE` of the kernel.
const FREE: i32 = 2_000_000_000;
/// Of more than so many processors those that have nothing to do would wait awake as well.
const FEW: i64 = 4;
/// Requests that begin so soon after the one before follow at once on each other.
const SOON: Duration = Duration::from_millis(2);
/// Between two looks whether they still do.
const LOOK: Duration = Duration::from_millis(5);

/// The processors, where something may be asked of them. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Processors(Option<Arc<Asked>>);

#[derive(Debug)]
struct Asked {
    device: File,
    since: Instant,
    /// Microseconds from `since` to the newest request.
    newest: AtomicU64,
    awake: AtomicBool,
    woken: Notify,
}

impl Processors {
    /// As the operator wants them. Where they cannot be kept awake requests are answered all the same, and later.
    #[must_use]
    pub fn of(wanted: CpuAwake) -> Self {
        match open(wanted) {
            Ok(device) => Self::at(device),
            Err(found) => {
                if wanted == CpuAwake::On {
                    tracing::warn!(
                        found = found.detail,
                        fix = found.fix,
                        "PREVIEW_CPU_AWAKE is on, and processors halt as they like"
                    );
                }
                Self::default()
            }
        }
    }

    fn at(device: File) -> Self {
        let (newest, awake, woken) = (AtomicU64::new(0), AtomicBool::new(false), Notify::new());
        let asked = Arc::new(Asked { device, since: Instant::now(), newest, awake, woken });
        tokio::spawn(Arc::clone(&asked).let_go());
        Self(Some(asked))
    }

    /// A request begins.
    pub fn request(&self) {
        let Some(asked) = &self.0 else { return };
        let now = u64::try_from(asked.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let before = asked.newest.swap(now, Ordering::Relaxed);
        let soon = Duration::from_micros(now.saturating_sub(before)) < SOON;
        if soon && !asked.awake.load(Ordering::Relaxed) && !asked.awake.swap(true, Ordering::Relaxed) {
            asked.ask(AWAKE);
            asked.woken.notify_one();
        }
    }
}

impl Asked {
    fn ask(&self, latency: i32) {
        if let Err(error) = (&self.device).write_all(&latency.to_ne_bytes()) {
            tracing::warn!(%error, "the kernel was not told how soon processors are to wake");
        }
    }

    /// Lets them halt as soon as requests no longer follow on each other.
    async fn let_go(self: Arc<Self>) {
        loop {
            self.woken.notified().await;
            while self.since_newest() < SOON {
                tokio::time::sleep(LOOK).await;
            }
            self.ask(FREE);
            self.awake.store(false, Ordering::Relaxed);
        }
    }

    fn since_newest(&self) -> Duration {
        let newest = Duration::from_micros(self.newest.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(newest)
    }
}

/// Whether they are kept awake, and else why not.
#[must_use]
pub fn kept_awake(wanted: CpuAwake) -> Finding {
    let detail = "on while requests follow at once on each other".to_owned();
    open(wanted).err().unwrap_or(Finding { available: true, detail, fix: None })
}

fn open(wanted: CpuAwake) -> Result<File, Finding> {
    let unavailable = |detail, fix| Finding { available: false, detail, fix };
    // SAFETY: it reads a number and touches no memory of ours.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    match wanted {
        CpuAwake::Off => return Err(unavailable("off".to_owned(), None)),
        CpuAwake::Auto if online > FEW => {
            let detail = format!("off: of {online} processors too many would wait awake for nothing");
            return Err(unavailable(detail, None));
        }
        CpuAwake::Auto | CpuAwake::On => {}
    }
    File::options().write(true).open(DEVICE).map_err(|e| {
        let fix = format!("Run the server as root, or let its user write to {DEVICE}.");
        unavailable(format!("off: {DEVICE} cannot be written to: {e}"), Some(fix))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::test_support::TempDir;

    fn said(path: &Path) -> Vec<i32> {
        let bytes = std::fs::read(path).unwrap();
        bytes.chunks_exact(4).map(|number| i32::from_ne_bytes(number.try_into().unwrap())).collect()
    }

    #[tokio::test]
    async fn they_are_kept_awake_while_requests_follow_on_each_other_and_then_let_go() {
        let directory = TempDir::new();
        let path = directory.path().join("latency");
        let processors = Processors::at(File::create(&path).unwrap());
        let deadline = Instant::now() + Duration::from_secs(30);
        // One that comes by itself is no reason; on a busy machine two may be far apart, so it is tried until they are not.
        while said(&path).is_empty() {
            processors.request();
            processors.clone().request();
            assert!(Instant::now() < deadline, "they halt");
        }
        assert_eq!(said(&path), [AWAKE]);
        while said(&path).len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(Instant::now() < deadline, "they are not let go");
        }
        assert_eq!(said(&path), [AWAKE, FREE]);
        tokio::time::sleep(SOON * 2).await;
        processors.request();
        assert_eq!(said(&path), [AWAKE, FREE]);
        while said(&path).len() < 3 {
            processors.request();
            assert!(Instant::now() < deadline, "they halt the second time");
        }
        assert_eq!(said(&path), [AWAKE, FREE, AWAKE]);
    }

    #[test]
    fn nothing_is_asked_where_it_is_off() {
        let found = kept_awake(CpuAwake::Off);
        assert_eq!((found.available, found.detail.as_str(), found.fix), (false, "off", None));
    }
}
