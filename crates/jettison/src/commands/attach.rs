//! A person at a running program: keys and output through its terminal,
//! signals, the size of the window, the end of its time.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jettison_engine::run::{ExitReason, RunFailure, RunningImage};
use rustix::termios::{Winsize, tcsetwinsize};
use signal_hook::consts::signal::{
    SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::Signals;

use crate::ui::Ui;
use crate::ui::terminal::{self, RawTerminal};

const SIGKILL: i32 = 9;
/// As `docker stop`.
const GRACE: Duration = Duration::from_secs(10);
/// Two interrupts closer together are one, sent to process and group alike
/// (timeout(1) does).
const APART: Duration = Duration::from_millis(300);
/// How long the end of an ended program's output is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a person brings to a program.
pub struct Attachment {
    /// Signals are caught from before the start.
    signals: Signals,
    /// Keys are passed on.
    pub interactive: bool,
    /// The program's time.
    pub timeout: Option<Duration>,
}

/// How the program ended.
pub struct Ended {
    /// Its exit code.
    pub code: u8,
    /// Who ended it.
    pub reason: ExitReason,
}

impl Attachment {
    /// Takes over the process' signals.
    pub fn new(interactive: bool, timeout: Option<Duration>) -> io::Result<Self> {
        let forwarded = [
            SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH,
        ];
        Ok(Self {
            signals: Signals::new(forwarded)?,
            interactive,
            timeout,
        })
    }

    /// Stays with the program until it ends.
    pub fn stay(self, running: &Arc<RunningImage>, ui: &Ui) -> Result<Ended, RunFailure> {
        let master = running.terminal().ok().flatten().map(Arc::new);
        let handle = self.signals.handle();
        let forwarding = forward(self.signals, Arc::clone(running), master.clone());
        let attached = master.map(|master| Terminal::attach(master, self.interactive));

        let mut ended = running.wait(self.timeout);
        if let Ok(None) = ended {
            ui.say("its time is over: stopping it");
            ended = running.stop(GRACE).map(Some);
        }
        handle.close();
        let _ = forwarding.join();
        if let Some(terminal) = attached {
            terminal.finish();
        }
        let exit = ended?.ok_or(RunFailure::Sandbox(
            jettison_engine::run::SandboxError::Gone,
        ))?;
        Ok(Ended {
            code: u8::try_from(exit.code).unwrap_or(125),
            reason: exit.reason,
        })
    }
}

/// Every signal goes to the program; a second interrupt kills it.
fn forward(
    mut signals: Signals,
    running: Arc<RunningImage>,
    terminal: Option<Arc<OwnedFd>>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut interrupted: Option<Instant> = None;
        for signal in signals.forever() {
            let sent = match signal {
                SIGWINCH => {
                    match &terminal {
                        Some(terminal) => resize(terminal),
                        None => drop(running.signal(SIGWINCH)),
                    }
                    continue;
                }
                SIGINT => match interrupted {
                    Some(before) if before.elapsed() < APART => continue,
                    Some(_) => running.signal(SIGKILL),
                    None => {
                        interrupted = Some(Instant::now());
                        running.signal(SIGINT)
                    }
                },
                other => running.signal(other),
            };
            // The sandbox is gone, and whoever waits for the program knows.
            if sent.is_err() {
                break;
            }
        }
    })
}

fn resize(master: &OwnedFd) {
    if let Some((rows, columns)) = terminal::size() {
        let window = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let _ = tcsetwinsize(master, window);
    }
}

/// The program's terminal, carried to ours.
struct Terminal {
    raw: Option<RawTerminal>,
    shown: mpsc::Receiver<()>,
    over: Arc<AtomicBool>,
}

impl Terminal {
    fn attach(master: Arc<OwnedFd>, interactive: bool) -> Self {
        let (stdin_is_terminal, _) = terminal::is_terminal();
        let raw = match interactive && stdin_is_terminal {
            true => RawTerminal::enter().ok(),
            false => None,
        };
        // The window may have changed since the program was asked for.
        resize(&master);
        let over = Arc::new(AtomicBool::new(false));
        if interactive && let Ok(keys) = master.try_clone() {
            let over = Arc::clone(&over);
            thread::spawn(move || pass_keys(File::from(keys), &over));
        }
        let (said, shown) = mpsc::channel();
        thread::spawn(move || {
            if let Ok(output) = master.try_clone() {
                show(File::from(output));
            }
            let _ = said.send(());
        });
        Self { raw, shown, over }
    }

    /// Waits for the last output, and gives the terminal back.
    fn finish(self) {
        let _ = self.shown.recv_timeout(PATIENCE);
        self.over.store(true, Ordering::Relaxed);
        drop(self.raw);
    }
}

fn pass_keys(mut keys: File, over: &AtomicBool) {
    let mut buffer = [0; 4096];
    let mut stdin = io::stdin().lock();
    while !over.load(Ordering::Relaxed) {
        let read = match stdin.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => 0,
        };
        if read == 0 {
            // What a terminal's reader sees as the end of its input (VEOF).
            let _ = keys.write_all(&[4]);
            return;
        }
        if keys.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
}

/// Until the last process that has the terminal is gone (EIO).
fn show(mut output: File) {
    let mut buffer = [0; 16 << 10];
    let mut stdout = io::stdout().lock();
    loop {
        match output.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                let written = stdout.write_all(&buffer[..count]);
                if written.and_then(|()| stdout.flush()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
