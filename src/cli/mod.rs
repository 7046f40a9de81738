//! The command line: one file per command. The flags for settings come from the settings' own table.

mod audit;
mod backup;
mod check;
mod doctor;
mod keeper;
mod line;
mod listen;
mod logging;
mod logs;
mod manual;
mod migrate;
mod paint;
mod restore;
mod serve;
mod served;
mod supervisor;
mod token;
mod up;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::config::{Config, Flags, SETTINGS, Setting, Tier};

/// Exit code where the command line or a setting cannot be meant.
const USAGE: u8 = 2;

/// Shows people the FastAPI backend that was just generated for them, running.
#[derive(Debug, Parser)]
#[command(name = "previewd", version, arg_required_else_help = true, after_help = AFTER_HELP, after_long_help = manual::AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The settings that `-h` shows as well.
const ALWAYS_SHOWN: &[&str] = &["PREVIEW_DATA_DIR", "PREVIEW_LISTEN"];

const AFTER_HELP: &str = "Every setting is a flag, an environment variable or a line of .env, in this order of strength.\n\
                          `previewd serve --help` lists them.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server: API, preview gateways and web UI
    #[command(after_long_help = manual::SERVE)]
    Serve,
    /// Serves, uploads DIR, launches it, follows its logs and reloads it on edits; Ctrl-C stops all of it
    Up {
        /// The project to preview
        dir: PathBuf,
    },
    /// Prints a bearer token signed with the server's key
    Token {
        /// Whom the token is for
        #[arg(long, value_name = "ID")]
        user: String,
        /// What the user may have at once: free or pro
        #[arg(long, value_parser = tier, default_value = "free")]
        tier: Tier,
        /// How long the token is good: 24h, 90m, 3600s, 7d
        #[arg(long, value_parser = token::ttl, default_value = "24h", value_name = "TIME")]
        ttl: u64,
    },
    /// Shows the log of a preview of a running server
    Logs(logs::Wanted),
    /// Shows who asked the server for what: launches, stops, reads and changes
    Audit(audit::Wanted),
    /// Writes what cannot be made again into FILE, while the server runs or not
    ///
    /// That is the store (with PostgreSQL: not), the key of tokens, the audit log and the kept databases of generations.
    #[command(after_long_help = manual::BACKUP)]
    Backup {
        /// A tar.gz that only you can read; what is there is replaced once the new one is complete
        file: PathBuf,
    },
    /// Puts what `backup` wrote into a data directory that has nothing yet
    #[command(after_long_help = manual::BACKUP)]
    Restore {
        /// What `backup` wrote
        file: PathBuf,
    },
    /// Validates the project in DIR and prints its endpoints, launching nothing
    Check {
        /// The project to look at
        dir: PathBuf,
        /// Prints JSON
        #[arg(long)]
        json: bool,
        /// Prints the OpenAPI document that the source gives, and nothing else
        #[arg(long, conflicts_with = "json")]
        openapi: bool,
    },
    /// Says what this host offers to previews, what is missing and how to get it
    Doctor {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Brings the store's schema up to date, as serve does
    Migrate,
    /// Prints what completes these commands in a shell
    #[command(after_long_help = manual::COMPLETIONS)]
    Completions {
        /// Of which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Prints the manual page of previewd, or of one of its commands
    Man {
        /// The command
        command: Option<String>,
    },
    /// Keeps what must survive the server; started by it
    #[command(hide = true)]
    Keeper {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// First process of a preview's sandbox; started by the keeper
    #[command(hide = true, name = "sandbox-init")]
    SandboxInit {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// Reads the arguments and runs the command that they name.
#[must_use]
pub fn main() -> ExitCode {
    leave_no_core();
    match parse(std::env::args_os()) {
        Ok((command, flags)) => run(command, flags),
        Err(error) => {
            // Help is no error: it goes to stdout with exit code 0.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
        }
    }
}

/// The memory of every process of ours holds keys. With a limit of 0 the kernel would still hand a core to a program that
/// collects them; 1 is its sign for neither.
fn leave_no_core() {
    let limit = Rlimit { current: Some(1), maximum: Some(1) };
    let _lower_already = setrlimit(Resource::Core, limit);
}

fn run(command: Command, flags: Flags) -> ExitCode {
    match command {
        Command::Serve => configured(flags, serve::run),
        Command::Up { dir } => configured(flags, |config| up::run(config, &dir)),
        Command::Token { user, tier, ttl } => {
            configured(flags, |config| token::run(&config, user, tier, ttl))
        }
        Command::Logs(wanted) => configured(flags, |config| logs::run(&config, &wanted)),
        Command::Audit(wanted) => configured(flags, |config| audit::run(&config, &wanted)),
        Command::Backup { file } => configured(flags, |config| backup::run(&config, &file)),
        Command::Restore { file } => configured(flags, |config| restore::run(&config, &file)),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::page(command.as_deref()),
        Command::Check { dir, json, openapi } => {
            configured(flags, |config| check::run(&config, &dir, json, openapi))
        }
        Command::Doctor { json } => configured(flags, |config| doctor::run(&config, json)),
        Command::Migrate => configured(flags, |config| migrate::run(&config)),
        // These are given what they need, and no settings.
        Command::Keeper { args } => keeper::run(&args),
        Command::SandboxInit { args } => keeper::sandbox_init(&args),
    }
}

fn configured(flags: Flags, run: impl FnOnce(Config) -> ExitCode) -> ExitCode {
    match Config::load(flags) {
        Ok(config) => run(config),
        Err(error) => fail(USAGE, &error),
    }
}

/// Says on stderr what went wrong, causes included.
fn fail(code: u8, error: &dyn std::error::Error) -> ExitCode {
    eprintln!("previewd: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because: {cause}");
        source = cause.source();
    }
    ExitCode::from(code)
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<(Command, Flags), clap::Error> {
    let mut command = whole();
    let matches = command.try_get_matches_from_mut(args)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok((cli.command, given(&matches)))
}

/// All commands with all settings.
fn whole() -> clap::Command {
    Cli::command().args(SETTINGS.iter().map(flag))
}

/// Taken by every command, before or after its name; values are read with those of the other sources.
fn flag(setting: &'static Setting) -> Arg {
    let default = setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let help = format!("{}{default} [env: {}]", setting.help, setting.variable);
    Arg::new(setting.variable)
        .long(setting.flag())
        .help(help)
        .value_name("VALUE")
        .allow_negative_numbers(true)
        .global(true)
        .help_heading("Settings")
        .hide_short_help(!ALWAYS_SHOWN.contains(&setting.variable))
}

fn given(matches: &ArgMatches) -> Flags {
    let value =
        |setting: &'static Setting| Some((setting, matches.get_one::<String>(setting.variable)?.clone()));
    SETTINGS.iter().filter_map(value).collect()
}

fn tier(name: &str) -> Result<Tier, String> {
    Tier::parse(name).ok_or_else(|| "takes free or pro".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Given = Vec<(&'static str, String)>;

    fn read(args: &[&str]) -> Result<(Command, Given), clap::Error> {
        let args = ["previewd"].iter().chain(args).map(OsString::from);
        let (command, flags) = parse(args)?;
        Ok((command, flags.into_iter().map(|(setting, value)| (setting.variable, value)).collect()))
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().args(SETTINGS.iter().map(flag)).debug_assert();
    }

    #[test]
    fn settings_are_taken_before_and_after_the_command() {
        let (_, flags) = read(&["--port-min", "4000", "serve", "--listen=127.0.0.1:0"]).unwrap();
        let expected =
            [("PREVIEW_LISTEN", "127.0.0.1:0".to_owned()), ("PREVIEW_PORT_MIN", "4000".to_owned())];
        assert_eq!(flags, expected);
        for setting in SETTINGS {
            let (_, flags) = read(&["doctor", &format!("--{}", setting.flag()), "-1"]).unwrap();
            assert_eq!(flags, [(setting.variable, "-1".to_owned())]);
        }
    }

    #[test]
    fn commands_take_what_the_contract_says() {
        let (command, _) = read(&["token", "--user", "ana", "--tier", "pro", "--ttl", "90m"]).unwrap();
        assert!(matches!(command, Command::Token { user, tier: Tier::Pro, ttl: 5400 } if user == "ana"));
        let (command, _) = read(&["token", "--user", "ana"]).unwrap();
        assert!(matches!(command, Command::Token { tier: Tier::Free, ttl: 86_400, .. }));
        let (command, _) = read(&["check", "app", "--json", "--data-dir", "x"]).unwrap();
        assert!(matches!(command, Command::Check { dir, json: true, .. } if dir.as_os_str() == "app"));
        let (command, _) = read(&["logs", "gen_1", "-f", "--level", "warn", "--grep", "x"]).unwrap();
        assert!(matches!(command, Command::Logs(_)));
        let (command, _) = read(&["keeper", "--fd", "3"]).unwrap();
        assert!(matches!(command, Command::Keeper { args } if args == ["--fd", "3"]));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_code_2() {
        for args in [
            &["serve", "--port-mni", "1"][..],
            &["serve", "extra"],
            &["serve", "--port-min"],
            &["token"],
            &["token", "--user", "ana", "--tier", "gold"],
            &["token", "--user", "ana", "--ttl", "soon"],
            &["up"],
            &["logs", "--level", "loud"],
            &["logs", "--tail", "some"],
            &["fly"],
            &[],
        ] {
            assert_eq!(read(args).unwrap_err().exit_code(), 2, "{args:?}");
        }
        assert!(read(&["serve", "--port-mni", "1"]).unwrap_err().to_string().contains("--port-min"));
    }

    #[test]
    fn short_help_is_short_and_long_help_has_examples_and_exit_codes() {
        let help = |args: &[&str]| read(args).unwrap_err().to_string();
        let (short, long) = (help(&["-h"]), help(&["--help"]));
        assert!(short.lines().count() < 40 && !short.contains("PREVIEW_PORT_MIN"), "{short}");
        for part in ["Examples:", "Exit codes:", "RUST_LOG", "PREVIEW_PORT_MIN"] {
            assert!(long.contains(part), "{part} in {long}");
        }
        // Each example is one that is understood.
        for text in [manual::AFTER, manual::SERVE, manual::BACKUP, manual::COMPLETIONS] {
            let commands = text.lines().flat_map(|line| line.split("&&")).filter_map(|part| {
                let (_, arguments) = part.split_once("previewd ").filter(|_| part.starts_with(' '))?;
                let arguments = arguments.split("  ").next()?.split(" >").next()?;
                Some(arguments.split_whitespace().map(|word| word.trim_matches('\'')).collect::<Vec<_>>())
            });
            for arguments in commands {
                assert!(read(&arguments).is_ok(), "{arguments:?}");
            }
        }
    }

    #[test]
    fn help_lists_every_setting_with_its_default() {
        let error = read(&["serve", "--help"]).unwrap_err();
        assert_eq!(error.exit_code(), 0);
        let text = error.to_string();
        for setting in SETTINGS {
            assert!(
                text.contains(&format!("--{}", setting.flag())) && text.contains(setting.variable),
                "{text}"
            );
        }
        assert!(text.contains("[default: 3001]"), "{text}");
    }
}
