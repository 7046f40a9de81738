//! What the long help says beside the commands and settings, and the same as a manual page and for shells.

use std::io;
use std::process::ExitCode;

use super::{USAGE, fail, whole};

/// Of previewd itself.
pub(super) const AFTER: &str = "\
Examples:
  previewd up ./shop                            preview a project, and reload it on edits
  previewd doctor && previewd serve             run a server
  previewd token --user ana --ttl 8h            let somebody use it
  previewd check ./shop --json                  what would it offer, and what would fail?
  previewd logs -f --level warn                 follow the preview that was launched last
  previewd audit --action preview.stop -n 20    who stopped what?

Settings:
  Every setting is a flag, an environment variable or a line of .env in the working directory, in this order of
  strength: --port-min, PREVIEW_PORT_MIN. A PREVIEW_ variable that is none, or has a value that it does not take, is an
  error. RUST_LOG chooses how much the server's own log has: info,previewd=debug adds every request. UV_INDEX_URL or
  PIP_INDEX_URL name another package index.

Exit codes:
  0  done
  1  it could not be done; standard error says why. `doctor`: previews could not run. `check`: it could not be launched
  2  the command line or a setting cannot be meant";

/// Of `serve`.
pub(super) const SERVE: &str = "\
Examples:
  previewd serve
  previewd serve --listen 0.0.0.0:3000 --base-url-template 'https://{id}.preview.example.com'
  PREVIEW_STORE_URL=postgres://user:password@host/database previewd serve --log-format json

Prints `listening on http://HOST:PORT` once it accepts connections; its log goes to standard error. SIGTERM and SIGINT
end it and leave previews running: the next `serve` takes them over.";

/// Of `backup` and `restore`.
pub(super) const BACKUP: &str = "\
Examples:
  previewd backup /var/backups/previewd.tar.gz
  previewd restore /var/backups/previewd.tar.gz --data-dir ./elsewhere && previewd serve --data-dir ./elsewhere";

/// Of `completions`.
pub(super) const COMPLETIONS: &str = "\
Examples:
  previewd completions bash > ~/.local/share/bash-completion/completions/previewd
  previewd completions zsh > ~/.zfunc/_previewd
  previewd completions fish > ~/.config/fish/completions/previewd.fish";

/// Prints a script.
pub(super) fn completions(shell: clap_complete::Shell) -> ExitCode {
    clap_complete::generate(shell, &mut whole(), "previewd", &mut io::stdout());
    ExitCode::SUCCESS
}

/// Prints a page in roff.
pub(super) fn page(command: Option<&str>) -> ExitCode {
    let mut all = whole();
    all.build();
    let wanted = match command {
        None => Some(all),
        Some(name) => all.find_subcommand(name).filter(|found| !found.is_hide_set()).cloned(),
    };
    let Some(wanted) = wanted else {
        eprintln!("previewd: there is no such command; `previewd --help` lists them");
        return ExitCode::from(USAGE);
    };
    match clap_mangen::Man::new(wanted).render(&mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}
