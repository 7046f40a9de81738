//! Looking for what must be about to come, in place of waiting to be told of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::preview::Look;

/// How long is looked. To fall asleep and to be woken takes as long, where there is a processor to spare.
const GLANCE: Duration = Duration::from_micros(60);
/// At the most so many times it is not done after it was in vain.
const MOST_LEFT_OUT: u32 = 256;

/// Whether it was of use of late.
#[derive(Debug, Default)]
pub(super) struct Glances {
    /// How many times it is still to be left out.
    left: AtomicU32,
    /// How many times it was the last time.
    last: AtomicU32,
}

impl Glances {
    /// Asks again and again while the stream looks by itself, unless that is likely to be in vain.
    pub fn take<T>(&self, look: &Look, mut ask: impl FnMut() -> Poll<T>) -> Poll<T> {
        if self.is_left_out() {
            return Poll::Pending;
        }
        look.set(true);
        let until = Instant::now() + GLANCE;
        let found = loop {
            std::hint::spin_loop();
            let found = ask();
            if found.is_ready() || Instant::now() >= until {
                break found;
            }
        };
        look.set(false);
        self.learn(found.is_ready());
        found
    }

    fn is_left_out(&self) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        left > 0
    }

    /// Each time in vain it is left out twice as often as before, each other time half as often.
    fn learn(&self, found: bool) {
        let last = self.last.load(Ordering::Relaxed);
        let next = if found { last / 2 } else { (last * 2).clamp(1, MOST_LEFT_OUT) };
        self.last.store(next, Ordering::Relaxed);
        if !found {
            self.left.store(next, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of so many times that it was to be done it was done so often.
    fn done(glances: &Glances, times: u32, found: bool) -> u32 {
        let look = Look::default();
        let mut done = 0;
        for _ in 0..times {
            let mut asked = false;
            let answer = glances.take(&look, || {
                asked = true;
                if found { Poll::Ready(()) } else { Poll::Pending }
            });
            assert_eq!(answer.is_ready(), asked && found);
            done += u32::from(asked);
        }
        done
    }

    #[test]
    fn what_is_in_vain_is_done_ever_more_seldom_until_it_is_of_use() {
        let glances = Glances::default();
        assert_eq!(done(&glances, 100, true), 100);
        // After the 1st, 3rd, 6th, 11th, 20th, 37th and 70th it is left out 1, 2, 4, 8, 16, 32 and 64 times.
        assert_eq!(done(&glances, 134, false), 7);
        // Then 128 times, and 256 times after each of ten.
        assert_eq!(done(&glances, 129 + 10 * (MOST_LEFT_OUT + 1), false), 11);
        assert_eq!(done(&glances, MOST_LEFT_OUT, true), MOST_LEFT_OUT);
        assert_eq!(done(&glances, 100, true), 100);
    }

    #[test]
    fn what_comes_a_little_later_is_found() {
        let (glances, look, mut asked) = (Glances::default(), Look::default(), 0);
        let found = glances.take(&look, || {
            asked += 1;
            if asked == 3 { Poll::Ready(asked) } else { Poll::Pending }
        });
        assert_eq!(found, Poll::Ready(3));
    }
}
