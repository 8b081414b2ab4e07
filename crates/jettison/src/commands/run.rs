//! `jettison run`: starts any image the way a judge would, for a person to try.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jettison_engine::run::{
    DebugShell, ExitReason, Facts, Network, Prepared, PublishedPort, RunFailure, RunRequest,
    RunningImage, TerminalSize, Tracing, prepare_run,
};
use jettison_engine::transport::Location;

use super::attach::{Attachment, Ended};
use super::shared::{GlobalArgs, SurroundingsArgs};
use super::words::{self, flag};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::trace;
use crate::settings::{self, variable};
use crate::ui::{Ui, terminal};

/// Directories that have static shells beside those of PATH, which for an
/// ordinary user may lack the second.
const SHELL_DIRECTORIES: [&str; 4] = [
    "/usr/bin",
    "/usr/sbin",
    "/bin",
    "/usr/lib/initramfs-tools/bin",
];
/// What a program is told where nobody can say how large its terminal is.
const TERMINAL: (u16, u16) = (24, 80);

/// Start an image in the sandbox, to try it
///
/// Without --hardened the image runs as Docker would run it: its own user,
/// Docker's default capabilities and system call filter, a writable copy of
/// its files that is thrown away at the end. The exit code is the program's;
/// 125 is a failure of our own, 126 a program that cannot be executed, 127 one
/// that is not there. Standard output is the program's alone. A first Ctrl-C
/// goes to the program, a second kills it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison run shop:1.2 --port 8080:8080
  jettison run --debug shop:1.2
  jettison run --debug shop:1.2 -- -c 'ls -l /'
  jettison run docker-archive:shop.tar -- --version")]
pub struct RunArgs {
    /// oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE,
    /// docker-daemon:NAME, docker://REF, or a name
    #[arg(value_name = "IMAGE")]
    pub image: String,

    /// Arguments in the place of the image's own (CMD)
    #[arg(value_name = "ARG", last = true)]
    pub command: Vec<String>,

    /// Make a port of the container reachable on this machine's loopback
    #[arg(long, short, value_name = "[IP:][HOST:]CONTAINER")]
    pub port: Vec<String>,

    /// Read-only root, no capabilities, not root
    #[arg(long)]
    pub hardened: bool,

    /// Open a static shell of this machine beside the unchanged image
    ///
    /// It has the image's user, environment and directory; with busybox, its
    /// applets come last on the PATH. Arguments after `--` are the shell's.
    #[arg(long)]
    pub debug: bool,

    /// The static shell for --debug, instead of the first one on the PATH
    #[arg(long, value_name = "FILE", requires = "debug")]
    pub shell: Option<PathBuf>,

    /// Run this instead of the image's ENTRYPOINT
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,

    /// Run as this user
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

    /// Start in this directory
    #[arg(long, short, value_name = "PATH")]
    pub workdir: Option<String>,

    /// Which network the program sees
    #[arg(long, value_enum, value_name = "NETWORK", default_value_t)]
    pub network: NetworkName,

    /// Allocate a terminal
    #[arg(long, short)]
    pub tty: bool,

    /// Pass standard input on
    #[arg(long, short)]
    pub interactive: bool,

    /// Write what the program touches to FILE, as JSON: files opened, run,
    /// listed, asked about, and looked for in vain
    #[arg(long, value_name = "FILE", conflicts_with_all = ["debug", "allow_chroot"])]
    pub trace: Option<PathBuf>,

    /// What watches the program for --trace
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value_t,
        requires = "trace"
    )]
    pub trace_by: TraceBy,

    /// Stop the program after this many seconds, and kill it 10 s later
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,

    /// Take the image for OS/ARCHITECTURE from a list
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,

    /// Where this machine allows no namespaces, do with a copy and chroot,
    /// which contain weakly: for images that you trust
    #[arg(long)]
    pub allow_chroot: bool,

    #[command(flatten)]
    pub surroundings: SurroundingsArgs,
}

/// Which network a program sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum NetworkName {
    /// One of its own, without a way out but to companions
    #[default]
    Private,
    /// This machine's
    Host,
    /// Loopback alone
    None,
}

/// What watches a traced program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum TraceBy {
    /// Notifications where the kernel has them, else ptrace
    #[default]
    Auto,
    /// Notifications of seccomp, or not at all
    Notification,
    /// ptrace, which is slower
    Ptrace,
}

/// Starts the image and stays with it.
pub fn run(args: &RunArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    // Codes below 125 are the program's own.
    start(args, global, ui).map_err(|failure| match failure.exit {
        Exit::Program(_) => failure,
        _ => failure.with_exit(Exit::Program(125)),
    })
}

fn start(args: &RunArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let request = request(args)?;
    let context = settings::context(global, ui)?;
    if let Some(file) = &args.trace {
        // Before the program has run for nothing.
        let parent = file.parent().filter(|parent| *parent != Path::new(""));
        if parent.is_some_and(|parent| !parent.is_dir()) || file.is_dir() {
            let problem = format!("--trace: {} cannot be a file", file.display());
            return Err(Failure::new(problem));
        }
    }
    let prepared = prepare_run(&request, &context).map_err(failure)?;
    introduce(&prepared, &args.image, ui);
    let timeout = args.timeout.map(Duration::from_secs);
    let attachment = Attachment::new(request.interactive, timeout).map_err(Failure::new)?;
    let running = prepared.start().map_err(failure)?;
    if running.is_watched() {
        ui.say(
            "memory and processes are bounded by watching: control groups are not writable here",
        );
    }
    let running = Arc::new(running);
    let ended = attachment.stay(&running, ui).map_err(failure)?;
    explain(&ended, ui);
    if let Some(file) = &args.trace {
        write_trace(&running, file, ui)?;
    }
    Ok(Exit::Program(ended.code))
}

fn write_trace(running: &RunningImage, file: &Path, ui: &Ui) -> Result<(), Failure> {
    let trace = running.take_trace().map_err(failure)?;
    for note in &trace.notes {
        ui.say(note);
    }
    if trace.lost > 0 {
        ui.say(&format!(
            "the trace was cut: {} events were lost",
            trace.lost
        ));
    }
    let document = serde_json::to_vec_pretty(&trace::Document::of(&trace));
    words::write(file, &document.map_err(Failure::new)?)
}

fn request(args: &RunArgs) -> Result<RunRequest, Failure> {
    let ports = args.port.iter().map(|word| word.parse::<PublishedPort>());
    let (stdin, stdout) = terminal::is_terminal();
    let tty = args.tty || (args.debug && stdin && stdout);
    let (rows, columns) = terminal::size().unwrap_or(TERMINAL);
    Ok(RunRequest {
        image: Location::parse(&args.image).map_err(Failure::new)?,
        platform: words::platform(args.platform.as_deref())?,
        command: args.command.clone(),
        entrypoint: args.entrypoint.clone(),
        user: args.user.clone(),
        workdir: args.workdir.clone(),
        hardened: args.hardened,
        network: match args.network {
            NetworkName::Private => Network::Private,
            NetworkName::Host => Network::Host,
            NetworkName::None => Network::None,
        },
        ports: ports.collect::<Result<_, _>>().map_err(flag("--port"))?,
        surroundings: words::surroundings(&args.surroundings)?,
        terminal: tty.then_some(TerminalSize { rows, columns }),
        interactive: args.interactive || args.debug,
        tracing: match (&args.trace, args.trace_by) {
            (None, _) => Tracing::Off,
            (_, TraceBy::Auto) => Tracing::On,
            (_, TraceBy::Notification) => Tracing::ByNotification,
            (_, TraceBy::Ptrace) => Tracing::ByPtrace,
        },
        debug: args.debug.then(|| shell(args)),
        allow_chroot: args.allow_chroot,
    })
}

fn shell(args: &RunArgs) -> DebugShell {
    DebugShell {
        shell: args.shell.clone(),
        search: shell_directories(),
    }
}

/// Where a static shell is looked for.
pub fn shell_directories() -> Vec<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let mut search: Vec<PathBuf> = std::env::split_paths(&path).collect();
    search.extend(SHELL_DIRECTORIES.iter().map(PathBuf::from));
    // Nothing comes from the directory that a person happens to be in.
    search.retain(|directory| directory.is_absolute());
    search
}

/// What a person wants to know before the program speaks.
fn introduce(prepared: &Prepared, image: &str, ui: &Ui) {
    let Facts {
        origin,
        digest,
        platform,
        tier,
        notes,
        ..
    } = &prepared.facts;
    ui.say(&format!("{image} from {origin}, for {platform}, {digest}"));
    ui.say(&format!("contained by {tier}"));
    for port in &prepared.published {
        ui.say(&format!("{port}"));
    }
    for note in notes {
        ui.say(note);
    }
}

fn explain(ended: &Ended, ui: &Ui) {
    match ended.reason {
        ExitReason::Memory => ui.say("it was killed: it used more memory than --memory allows"),
        ExitReason::Processes => {
            ui.say("it was killed: it had more processes than --pids-limit allows");
        }
        ExitReason::Ended | ExitReason::Time => {}
    }
}

fn failure(error: RunFailure) -> Failure {
    let exit = Exit::Program(error.exit_code());
    let hint = match &error {
        RunFailure::Transport(error) => error.hint(),
        other => other.hint(),
    };
    let failure = Failure::new(error).with_exit(exit);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
