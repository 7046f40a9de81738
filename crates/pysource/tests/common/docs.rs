//! The tables of agreement in `docs/endpoints.md`.

use super::agreement::Agreement;

/// Compares the table of all features with the one in the docs.
pub fn check(name: &str, agreement: &Agreement) {
    let mut table = String::from("| feature | agree | of | share |\n| --- | ---: | ---: | ---: |\n");
    for (feature, (agreeing, all)) in &agreement.counts {
        let share = 100.0 * agreement.share(feature);
        table.push_str(&format!("| {feature} | {agreeing} | {all} | {share:.1} % |\n"));
    }
    check_table(name, &table);
}

/// Features that the table of projects shows.
const SHOWN: [&str; 4] = ["operation found", "parameter", "body field", "response field"];

/// Compares the table of these projects, one a line, with the one in the docs.
pub fn check_one_by_one(name: &str, projects: &[(String, Agreement)]) {
    let mut table = format!("| project | {} | all that is compared |\n", SHOWN.join(" | "));
    table.push_str(&format!("| --- | {}---: |\n", "---: | ".repeat(SHOWN.len())));
    for (project, agreement) in projects {
        let shown = |(agreeing, all): (usize, usize)| {
            if all == 0 { "-".to_owned() } else { format!("{agreeing} of {all}") }
        };
        let cells = SHOWN.map(|feature| shown(agreement.counts.get(feature).copied().unwrap_or_default()));
        let (agreeing, all) =
            agreement.counts.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let share = 100.0 * agreeing as f64 / all as f64;
        table.push_str(&format!(
            "| {} | {} | {share:.1} % |\n",
            project.replace('_', " "),
            cells.join(" | ")
        ));
    }
    check_table(name, &table);
}

/// Compares a table with the one in the docs; `UPDATE_DOCS=1` writes it there instead.
fn check_table(name: &str, table: &str) {
    let path = super::directory().join("../../../docs/endpoints.md");
    // Two tests write to the same page.
    static PAGE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _mine = PAGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- table: {name} -->\n"), "<!-- end -->");
    let start = text.find(&begin).expect("the docs have a place for the table") + begin.len();
    let length = text[start..].find(end).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{}{table}{}", &text[..start], &text[start + length..])).unwrap();
    } else {
        let kept = &text[start..start + length];
        assert_eq!(kept, table, "run the tests with UPDATE_DOCS=1 to renew docs/endpoints.md");
    }
}
