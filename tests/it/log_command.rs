//! `previewd logs`, as a person at a terminal has it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Server, probe};

fn shown(server: &Server, arguments: &[&str]) -> String {
    let mut all = vec!["logs"];
    all.extend(arguments);
    let output = server.command(&all).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a person at a terminal sees of the log.
fn at_a_terminal(server: &Server, variables: &[(&str, &str)], arguments: &[&str]) -> String {
    let mut all = vec!["logs"];
    all.extend(arguments);
    let inner = server.command(&all);
    let mut command = Command::new("python3");
    let script = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    command.args(["-c", script]).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
        .current_dir(inner.get_current_dir().unwrap())
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(server: &Server, arguments: &[&str]) -> String {
    let mut all = vec!["logs"];
    all.extend(arguments);
    let output = server.command(&all).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn the_log_is_shown_narrowed_and_followed() {
    let server = Server::start().await;
    assert!(refused(&server, &[]).contains("nothing was launched yet"));
    let app = server.user("ana").upload(&probe()).await;
    assert!(refused(&server, &[&app.id]).contains("No active preview"));
    assert!(refused(&server, &["gen_nothing"]).contains("there is no generation gen_nothing"));
    let preview = app.launch().await;
    preview.get("/print?text=line+{n}&times=30").await.expect(200);
    preview.get("/log?level=ERROR&text=the+till+is+empty").await.expect(200);
    preview.call(reqwest::Method::POST, "/raw").body("\x1b[31mred\x1b[0m paint\n").send().await.unwrap();
    app.line("\x1b[31mred\x1b[0m paint").await;

    let all = shown(&server, &[]);
    assert_eq!(all, shown(&server, &[&app.id]));
    assert_eq!(all.lines().filter(|line| line.contains("INFO  app     line ")).count(), 30, "{all}");
    assert!(!all.contains('\x1b') && all.contains("red paint"), "no colours in a pipe: {all}");
    let errors = shown(&server, &["--level", "error"]);
    assert!(errors.contains("the till is empty") && !errors.contains("line 3"), "{errors}");
    let found = shown(&server, &["--grep", "LINE 2", "--source", "app", "-n", "2"]);
    let found: Vec<_> = found.lines().map(|line| line.split_once("app     ").unwrap().1).collect();
    assert_eq!(found, ["line 28", "line 29"]);
    let json = shown(&server, &["--json", "--grep", "line 7"]);
    let entry: Value = serde_json::from_str(json.trim_end()).unwrap();
    assert_eq!((&entry["message"], &entry["source"]), (&json!("line 7"), &json!("app")));

    let mut command = server.command(&["logs", "--follow", "--tail", "1", "--source", "app"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().map(|line| line.unwrap().split_once("app     ").unwrap().1.to_owned());
    assert_eq!(next().unwrap(), "red paint");
    preview.get("/print?text=later").await.expect(200);
    assert_eq!(next().unwrap(), "later");
    // The server is killed and comes back at another address; nothing is lost or told twice.
    server.kill_serve();
    server.serve_again().await;
    preview.get("/print?text=after+the+restart").await.expect(200);
    assert_eq!(next().unwrap(), "after the restart");
    app.stop().await.expect(200);
    while let Some(line) = next() {
        assert_ne!(line, "later");
    }
    assert!(child.wait().unwrap().success(), "it ends with the preview");
    assert!(shown(&server, &[]).ends_with("Stopped\n"));

    let coloured = at_a_terminal(&server, &[], &["--grep", "red paint"]);
    assert!(
        coloured.contains("\x1b[32mINFO \x1b[0m") && coloured.contains("\x1b[31mred\x1b[0m"),
        "{coloured:?}"
    );
    for (variables, arguments) in
        [(&[("NO_COLOR", "1")][..], &["--grep", "red paint"][..]), (&[], &["--json", "-n", "1"])]
    {
        let plain = at_a_terminal(&server, variables, arguments);
        assert!(plain.lines().count() == 1 && !plain.contains('\x1b'), "{plain:?}");
    }

    assert!(server.terminate_serve().success());
    let error = refused(&server, &[]);
    assert!(error.contains("no server runs for") && error.contains("previewd serve"), "{error}");
    server.serve_again().await;
}
