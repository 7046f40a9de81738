//! Numbers and how they are shown.

use std::time::Duration;

/// Prints a line for each thing measured.
pub struct Table;

impl Table {
    /// Prints the heads of the columns.
    pub fn new() -> Self {
        println!("| what | previewd | reference | ratio | reach |");
        println!("| --- | --- | --- | --- | --- |");
        Self
    }

    /// Something beside the plain thing.
    pub fn compared(&mut self, what: &str, ours: f64, reference: f64, reach: Option<f64>) {
        let ratio = ours / reference;
        let reach = reach.map_or("-".to_owned(), |most| verdict(&format!("{most:.2} times"), ratio <= most));
        println!("| {what} | {ours:.2} | {reference:.2} | {ratio:.2} | {reach} |");
    }

    /// What two ways add to a third. In the noise of a busy machine that may be less than nothing, of which there is no ratio.
    pub fn no_more(&mut self, what: &str, ours: f64, reference: f64) {
        let ratio =
            if ours > 0.0 && reference > 0.0 { format!("{:.2}", ours / reference) } else { "-".to_owned() };
        let reach = verdict("no more", ours <= reference);
        println!("| {what} | {ours:.2} | {reference:.2} | {ratio} | {reach} |");
    }

    /// Something beside the plain thing, of which more is better: the middle of each, and that of their ratios.
    pub fn kept_up(&mut self, what: &str, ours: f64, reference: f64, ratio: f64, least: f64) {
        let reach = verdict(&format!("{least:.2} times at least"), ratio >= least);
        println!("| {what} | {ours:.0} | {reference:.0} | {ratio:.2} | {reach} |");
    }

    /// What went wrong, of which there should be nothing.
    pub fn failed(&mut self, what: &str, ours: usize, reference: usize) {
        println!("| {what} | {ours} | {reference} | - | {} |", verdict("0", ours == 0));
    }

    /// Something that must be at least a number.
    pub fn at_least(&mut self, what: &str, ours: f64, least: f64) {
        println!("| {what} | {ours:.0} | - | - | {} |", verdict(&format!("{least:.0}"), ours >= least));
    }

    /// Something that stands for itself.
    pub fn told(&mut self, what: &str, ours: f64) {
        println!("| {what} | {ours:.2} | - | - | - |");
    }

    /// Something that must stay below a number.
    pub fn bounded(&mut self, what: &str, ours: f64, most: f64) {
        println!("| {what} | {ours:.2} | - | - | {} |", verdict(&format!("{most:.0}"), ours <= most));
    }
}

fn verdict(reach: &str, reached: bool) -> String {
    format!("{reach}: {}", if reached { "reached" } else { "not reached" })
}

/// Milliseconds of each try.
#[derive(Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// One more.
    pub fn add(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1000.0);
    }

    /// Takes those of another as well.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The one that this share of them does not exceed.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let index = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }
}
