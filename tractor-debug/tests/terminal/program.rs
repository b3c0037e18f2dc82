//! What runs in the terminal: a shell with job control, and a root that does what the test says.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::{SigSet, Signal as Masked};
use rustix::io::Errno;
use rustix::process::{self as sys, Pid, Signal, WaitOptions, ioctl_tiocsctty, waitpid};
use rustix::stdio;
use rustix::termios::tcsetpgrp;
use tractor_debug::{Lease, Settings, Terminal, be_editor_if_asked};

use super::session::{Talk, command};

/// What this process is.
pub(crate) const ROLE: &str = "TRACTOR_TERMINAL_ROLE";
/// The socket of the test.
pub(crate) const CONTROL: &str = "TRACTOR_TERMINAL_CONTROL";
/// How this program is started to come here.
pub(crate) const ARGUMENTS: [&str; 3] = ["program::plays_its_role", "--exact", "--nocapture"];

#[test]
fn plays_its_role() {
    be_editor_if_asked();
    // Without a role this is one of the tests, and has nothing to show.
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let socket = PathBuf::from(std::env::var_os(CONTROL).expect("a role has a socket"));
    match &*role {
        "shell" => shell(&socket),
        "root" => root(&socket),
        role => panic!("there is no role {role}"),
    }
}

/// Has the terminal for its session, runs a root in the foreground, and tells what becomes of it.
fn shell(socket: &Path) {
    sys::setsid().expect("it leads no group");
    ioctl_tiocsctty(stdio::stdin()).expect("the terminal is new");
    let mut talk = Talk::begin(socket, "shell");
    let mut job = run(socket);
    loop {
        let status = waitpid(Some(job), WaitOptions::UNTRACED);
        let (_, status) = status.expect("it is a child").expect("it has changed");
        foreground(sys::getpgrp());
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => talk.say(&format!("exited {code}")),
            (_, Some(signal)) => talk.say(&format!("killed {signal}")),
            _ => talk.say("stopped"),
        }
        match talk.try_hear().as_deref() {
            Some("run") => job = run(socket),
            Some("fg") => {
                foreground(job);
                sys::kill_process_group(job, Signal::CONT).expect("it is there");
            }
            _ => return,
        }
    }
}

fn run(socket: &Path) -> Pid {
    let mut command = command(&[], "root", socket);
    if let Some(term) = std::env::var_os("TERM") {
        command.env("TERM", term);
    }
    // It is waited for by number, with its stops.
    let root = command.process_group(0).spawn();
    let number = root.expect("this program starts").id();
    Pid::from_raw(number.cast_signed()).expect("it has a number")
}

/// Gives the terminal to a process group of this session. It has none without job control.
fn foreground(group: Pid) {
    let stop = SigSet::from(Masked::SIGTTOU);
    stop.thread_block().expect("it can be blocked");
    let given = tcsetpgrp(stdio::stdin(), group);
    assert!(matches!(given, Ok(()) | Err(Errno::NOTTY)), "{given:?}");
    stop.thread_unblock().expect("it can be unblocked");
}

/// Opens the terminal and does with it what the test says.
fn root(socket: &Path) {
    // As what a shell starts does before it is what was asked for.
    foreground(sys::getpgrp());
    let talk = Talk::begin(socket, "root");
    let voice = Arc::new(Mutex::new(talk.voice()));
    let settings = Settings {
        arguments: ARGUMENTS.map(Into::into).to_vec(),
        ..Settings::default()
    };
    let terminal = match Terminal::open(settings) {
        Ok(terminal) => terminal,
        Err(reason) => return tell(&voice, &reason.to_string()),
    };
    tell(&voice, "opened");
    obey(&terminal, talk, &voice);
}

fn obey(terminal: &Terminal, mut talk: Talk, voice: &Arc<Mutex<UnixStream>>) {
    while let Some(line) = talk.try_hear() {
        let mut words = line.splitn(3, ' ');
        let (name, number, text) = (words.next(), words.next(), words.next());
        let lease = Lease(number.and_then(|n| n.parse().ok()).unwrap_or_default());
        let text = text.unwrap_or_default().to_owned();
        let voice = voice.clone();
        match name {
            Some("read") => {
                let words = ["continue", "clear", "quit"].map(String::from).to_vec();
                terminal.read(lease, String::new(), text, words, move |read| {
                    tell(&voice, &format!("{} {read:?}", lease.0));
                });
            }
            Some("show") => terminal.show(lease, text + "\n"),
            Some("say") => terminal.say(text),
            Some("reclaim") => terminal.reclaim(lease, move || tell(&voice, "reclaimed")),
            Some("interrupted") => terminal.interrupted(),
            Some("prompting") => tell(&voice, &terminal.is_prompting().to_string()),
            Some("pid") => tell(&voice, &std::process::id().to_string()),
            Some("quit") => return,
            _ => panic!("there is no command {line:?}"),
        }
    }
}

fn tell(voice: &Mutex<UnixStream>, line: &str) {
    let mut voice = voice.lock().unwrap_or_else(PoisonError::into_inner);
    // A test that has failed does not listen.
    let _ = voice.write_all(format!("{line}\n").as_bytes());
}
