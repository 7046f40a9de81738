use super::*;

fn record(kind: Kind, micros: u64, text: &str) -> Record {
    Record { kind, cut: false, slot: 0, micros, payload: text.as_bytes().to_vec(), next_offset: 0 }
}

fn run(lines: &[(Kind, u64, &str)]) -> Vec<Draft> {
    let mut classifier = Classifier::default();
    let mut out = Vec::new();
    for (i, (kind, micros, text)) in lines.iter().enumerate() {
        classifier.take(&record(*kind, *micros, text), i as u64, &mut out);
    }
    classifier.flush(&mut out);
    out
}

const CHAINED: &str = "Traceback (most recent call last):
  File \"a.py\", line 1, in <module>
    go()
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"a.py\", line 3, in <module>
    raise ValueError(1)
ValueError: 1
  with a second line";

#[test]
fn a_chained_traceback_is_one_error() {
    let mut lines: Vec<_> = CHAINED.lines().map(|l| (Kind::Stderr, 1, l)).collect();
    lines.push((Kind::Stderr, 2, "after"));
    let out = run(&lines);
    assert_eq!(out.len(), 2, "{out:#?}");
    assert_eq!(out[0].message, CHAINED);
    assert_eq!(out[0].level, LogLevel::Error);
    assert_eq!((out[1].message.as_str(), out[1].level), ("after", LogLevel::Info));
}

#[test]
fn a_traceback_in_a_box_and_that_of_a_group_are_one_each() {
    let boxed = "╭───── Traceback (most recent call last) ─────╮
│ main.py:3 in fail                            │
╰──────────────────────────────────────────────╯
KeyError: 'cause'

The above exception was the direct cause of the following exception:

╭───── Traceback (most recent call last) ─────╮
│ main.py:5 in fail                            │
╰──────────────────────────────────────────────╯
ValueError: the effect";
    let group = "  + Exception Group Traceback (most recent call last):
  |   File \"a.py\", line 1, in <module>
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +---------------- 2 ----------------
    | KeyError: 2
    +------------------------------------";
    for traceback in [boxed, group] {
        let lines = traceback.lines().chain(["after"]);
        let lines: Vec<_> = lines.map(|line| (Kind::Stdout, 1, line)).collect();
        let out = run(&lines);
        let told: Vec<_> = out.iter().map(|draft| (draft.message.as_str(), draft.level)).collect();
        assert_eq!(told, [(traceback, LogLevel::Error), ("after", LogLevel::Info)]);
    }
}

#[test]
fn the_code_before_and_after_a_reload_has_tracebacks_of_its_own() {
    let mut classifier = Classifier::default();
    let mut out = Vec::new();
    let lines = ["Traceback (most recent call last):", "  File \"a.py\", line 1", "KeyError: 1"];
    for (slot, line) in [(1, lines[0]), (2, "new code"), (1, lines[1]), (1, lines[2])] {
        classifier.take(&Record { slot, ..record(Kind::Stderr, 1, line) }, 0, &mut out);
    }
    classifier.flush(&mut out);
    let told: Vec<_> = out.iter().map(|draft| (draft.slot, draft.message.as_str())).collect();
    assert_eq!(told, [(2, "new code"), (1, lines.join("\n").as_str())]);
}

#[test]
fn the_other_stream_and_a_pause_do_not_mix_in() {
    let out = run(&[
        (Kind::Stderr, 1, "Traceback (most recent call last):"),
        (Kind::Stdout, 2, "between"),
        (Kind::Stderr, 3, "  File \"a.py\", line 1"),
        (Kind::Stderr, 4, "KeyError: 1"),
        (Kind::Stderr, 5 + PATIENCE_MICROS, "  indented but late"),
    ]);
    let messages: Vec<_> = out.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "between",
            "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 1",
            "  indented but late"
        ]
    );
    let clean: Vec<_> = out.iter().map(|d| d.clean).collect();
    assert_eq!(clean, [false, false, true], "reading may begin only where nothing is held back");
}

#[test]
fn what_was_raised_may_take_longer_than_what_follows() {
    let late = UNFINISHED_MICROS;
    let lines = ["Traceback (most recent call last):", "  File \"a.py\", line 1", "KeyError: 1"];
    let at = |pause: u64| {
        let records =
            [(Kind::Stderr, 1, lines[0]), (Kind::Stderr, 2, lines[1]), (Kind::Stderr, 2 + pause, lines[2])];
        run(&records).into_iter().map(|draft| draft.message).collect::<Vec<_>>()
    };
    assert_eq!(at(late), [lines.join("\n")]);
    assert_eq!(at(late + 1), [lines[..2].join("\n"), lines[2].to_owned()]);
}

#[test]
fn a_record_of_logging_has_its_own_level_and_a_request_its_fields() {
    let log = r#"{"kind":"log","level":"ERROR","levelno":40,"logger":"app","message":"fine\nTraceback","stream":"stderr","requestId":"r1"}"#;
    let request =
        r#"{"kind":"request","method":"GET","path":"/errors","status":200,"millis":14.6,"client":null}"#;
    let out = run(&[(Kind::Record, 1, log), (Kind::Record, 2, request), (Kind::Record, 3, "{not json")]);
    assert_eq!((out[0].level, out[0].fields.text("requestId")), (LogLevel::Error, Some("r1")));
    assert_eq!((out[1].level, out[1].message.as_str()), (LogLevel::Info, "GET /errors 200 OK in 15 ms"));
    assert_eq!(out[2].message, "{not json");
    let lacking = r#"{"kind":"request","method":"GET","path":"/errors"}"#;
    assert_eq!(run(&[(Kind::Record, 1, lacking)])[0].message, lacking);
}

#[test]
fn a_printed_line_names_its_request_and_is_read_like_any_other() {
    let print = |text: &str, id: &str| {
        serde_json::json!({"kind": "print", "message": text, "stream": "stdout", "requestId": id}).to_string()
    };
    let lines: Vec<_> = ["Traceback (most recent call last):", "> File \"a.py\", line 1", "KeyError: 1"]
        .map(|text| print(text, "a"))
        .into();
    let other = print("ERROR: between", "b");
    let all = [&lines[0], &other, &lines[1], &lines[2]].map(|line| (Kind::Record, 1, line.as_str()));
    let out = run(&all);
    let told: Vec<_> = out.iter().map(|d| (d.fields.text("requestId").unwrap(), d.level)).collect();
    assert_eq!(told, [("b", LogLevel::Error), ("a", LogLevel::Error)]);
    assert_eq!(out[1].message, format!("{HEADLINE}:\n> File \"a.py\", line 1\nKeyError: 1"));
}

#[test]
fn unlabelled_lines_are_ordinary_on_either_stream() {
    let out = run(&[(Kind::Stdout, 1, "ERROR"), (Kind::Stderr, 2, "warming up")]);
    assert!(out.iter().all(|d| d.level == LogLevel::Info));
}

proptest::proptest! {
    #[test]
    fn every_line_is_in_exactly_one_entry(lines in proptest::collection::vec("(Traceback \\(most recent call last\\):|╭ Traceback \\(most recent call last\\)|  \\+ Exception Group Traceback \\(most recent call last\\):|  \\| E|  File|KeyError: 1||During handling of the above exception, another exception occurred:|x)", 0..40)) {
        let records: Vec<_> = lines.iter().map(|l| (Kind::Stderr, 1, l.as_str())).collect();
        let joined: Vec<_> = run(&records).into_iter().map(|d| d.message).collect();
        proptest::prop_assert_eq!(joined.join("\n"), lines.join("\n"));
    }
}
