//! The tables of agreement in `docs/endpoints.md`.

use super::agreement::Agreement;

/// Compares a table with the one in the docs; `UPDATE_DOCS=1` writes it there instead.
pub fn check(name: &str, agreement: &Agreement) {
    let path = super::directory().join("../../../docs/endpoints.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- table: {name} -->\n"), "<!-- end -->");
    let start = text.find(&begin).expect("the docs have a place for the table") + begin.len();
    let length = text[start..].find(end).unwrap();
    let table = table(agreement);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{}{table}{}", &text[..start], &text[start + length..])).unwrap();
    } else {
        let kept = &text[start..start + length];
        assert_eq!(kept, table, "run the tests with UPDATE_DOCS=1 to renew docs/endpoints.md");
    }
}

fn table(agreement: &Agreement) -> String {
    let mut table = String::from("| feature | agree | of | share |\n| --- | ---: | ---: | ---: |\n");
    for (feature, (agreeing, all)) in &agreement.counts {
        let share = 100.0 * agreement.share(feature);
        table.push_str(&format!("| {feature} | {agreeing} | {all} | {share:.1} % |\n"));
    }
    table
}
