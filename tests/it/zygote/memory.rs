//! What forks share of their zygote's memory, and of each other's.

use super::*;

/// The kernel is asked, which may be too old to know of it. Whether it merges at all is the operator's.
#[test]
fn its_previews_memory_may_be_merged_where_the_operator_wants_and_they_have_no_say() {
    let nest = Nest::new("merged");
    let known = std::path::Path::new("/sys/kernel/mm/ksm/general_profit").exists();
    let ask = "[libc.prctl(68, 0, 0, 0, 0), libc.prctl(67, 0, 0, 0, 0), libc.prctl(67, 1, 0, 0, 0), \
               libc.prctl(68, 0, 0, 0, 0), libc.madvise(None, 4096, 12), ctypes.get_errno()]";
    let ask = format!(
        "(lambda ctypes: (lambda libc: {ask})(ctypes.CDLL(None, use_errno=True)))(__import__('ctypes'))"
    );
    alone(async {
        for merge in [true, false] {
            let recipe = Recipe { merge, ..nest.recipe() };
            let zygote = Zygote::start(&nest.workshop, "zygote", &recipe, &Notify::new()).await.unwrap();
            let merged = if known { i32::from(merge) } else { -1 };
            let expected = format!("[{merged}, -1, -1, {merged}, -1, {}]\n", Errno::NOSYS.raw_os_error());
            assert_eq!(nest.evaluate(&zygote, &ask).await.0, expected);
        }
    });
}

/// A fork's memory: KiB of pages that are no file's, at first, when it has looked at everything that its zygote has, and when it has given
/// back what it had copied of that; then what it had changed.
const GIVES_BACK: &str = "(lambda own, gc: [own(), gc.unfreeze(), gc.collect(), vars(gc).update(changed=7), own(), give_back(), own(), gc.changed])(
    lambda: int(re.search('Anonymous: *([0-9]+)', open('/proc/self/smaps_rollup').read())[1]), __import__('gc'))";

#[test]
fn a_fork_gives_back_what_it_copied_and_did_not_change() {
    let nest = Nest::new("template");
    alone(async {
        let zygote = nest.zygote().await;
        let (text, _) = nest.evaluate(&zygote, GIVES_BACK).await;
        let told: Vec<Option<i64>> =
            serde_json::from_str(&text.replace("None", "null").replace("True", "1")).unwrap();
        let [Some(first), _, _, _, Some(copied), given, Some(left), changed] = told[..] else {
            panic!("{text}")
        };
        assert_eq!((given, changed), (Some(1), Some(7)));
        assert!(left - first < (copied - first) / 2, "{text}");
    });
}
