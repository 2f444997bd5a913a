//! A program behind a pipe: a case goes in, a result comes out, and nothing that the program does can block or break us.
//!
//! Three threads do the waiting: one writes to the program, one reads its answers, one reads its stderr. The command
//! itself only waits on a channel, with a time limit. A program that has failed is ended; the next case gets a new one.

use super::super::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The largest answer that is read: 1 GiB. Whoever writes text to stdout asks for far more.
const LARGEST: u64 = 1 << 30;

/// Bytes of stderr that are kept, from its end.
const STDERR: usize = 4096;

/// How long a program that has closed its stdout may take to exit.
const GRACE: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Silence {
    /// The program has ended.
    Died(String),
    /// It has not answered in time.
    Hung(Duration),
    /// What it wrote is no message.
    Garbage(String),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died(how) => write!(f, "the program died: {how}"),
            Self::Hung(limit) => write!(
                f,
                "the program gave no answer in {} s and was ended",
                limit.as_secs_f64()
            ),
            Self::Garbage(what) => write!(f, "the program wrote garbage: {what}"),
        }
    }
}

/// How long a program is listened to after the last case.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What is wrong with a message that nobody asked for.
const SURPLUS: &str = "an answer to no case; it must write one for each case, and nothing before it is asked";

/// What the reading thread found.
enum Message {
    Answer(Vec<u8>),
    Garbage(String),
    End,
}

/// A running program.
pub(super) struct Program {
    child: Child,
    cases: Option<Sender<Vec<u8>>>,
    was_asked: bool,
    answers: Receiver<Message>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl Program {
    /// Starts a program.
    pub(super) fn start(command: &[OsString]) -> Result<Self, Error> {
        let [program, arguments @ ..] = command else {
            return Err(Error::Usage("the program to judge is missing".to_owned()));
        };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Error::Judge(format!("cannot start {}: {error}", program.to_string_lossy())))?;
        let (cases, to_write) = mpsc::channel::<Vec<u8>>();
        // Of a program that writes more than it is asked for, one message is kept and the rest stays in its pipe.
        let (found, answers) = mpsc::sync_channel(1);
        let stderr = Arc::new(Mutex::new(Vec::new()));
        if let Some(mut stdin) = child.stdin.take() {
            thread::spawn(move || {
                for case in to_write {
                    let length = (case.len() as u64).to_le_bytes();
                    // A program that has gone is noticed by the reader.
                    if stdin
                        .write_all(&length)
                        .and_then(|()| stdin.write_all(&case))
                        .is_err()
                        || stdin.flush().is_err()
                    {
                        break;
                    }
                }
            });
        }
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || read_messages(stdout, &found));
        }
        if let Some(pipe) = child.stderr.take() {
            let kept = Arc::clone(&stderr);
            thread::spawn(move || keep_end(pipe, &kept));
        }
        Ok(Self {
            child,
            cases: Some(cases),
            was_asked: false,
            answers,
            stderr,
        })
    }

    /// Asks for the answer to a case, as the bytes of its file; an empty answer declines.
    pub(super) fn ask(&mut self, case: Vec<u8>, limit: Duration) -> Result<Vec<u8>, Silence> {
        let is_first = !std::mem::replace(&mut self.was_asked, true);
        match self.answers.try_recv() {
            Err(TryRecvError::Empty) => {}
            // Of a program that has just begun no message can be told from an answer.
            Ok(Message::Answer(bytes)) if is_first => return Ok(bytes),
            Ok(Message::Answer(_)) => return Err(Silence::Garbage(SURPLUS.to_owned())),
            Ok(Message::Garbage(what)) => return Err(Silence::Garbage(what)),
            Ok(Message::End) | Err(TryRecvError::Disconnected) => return Err(Silence::Died(self.wait())),
        }
        if let Some(cases) = &self.cases {
            // If the writer has gone, so has the program, and the reader says so.
            let _ = cases.send(case);
        }
        match self.answers.recv_timeout(limit) {
            Ok(Message::Answer(bytes)) => Ok(bytes),
            Ok(Message::Garbage(what)) => Err(Silence::Garbage(what)),
            Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => Err(Silence::Died(self.wait())),
            Err(RecvTimeoutError::Timeout) => Err(Silence::Hung(limit)),
        }
    }

    /// Closes its stdin after the last case: it must have nothing more to say. How it exits, and when, is its own affair, for
    /// the answers are there.
    pub(super) fn finish(&mut self) -> Result<(), Silence> {
        self.cases = None;
        match self.answers.recv_timeout(LAST_WORDS) {
            Ok(Message::Answer(_)) => Err(Silence::Garbage(SURPLUS.to_owned())),
            Ok(Message::Garbage(what)) => Err(Silence::Garbage(what)),
            Ok(Message::End) | Err(_) => Ok(()),
        }
    }

    /// How it ended; it is ended if it does not end by itself.
    fn wait(&mut self) -> String {
        self.cases = None;
        let start = Instant::now();
        while start.elapsed() < GRACE {
            match self.child.try_wait() {
                Ok(Some(status)) => return ending(status),
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Err(error) => return error.to_string(),
            }
        }
        "it closed its stdout and did not exit".to_owned()
    }

    /// The end of what it wrote to stderr.
    pub(super) fn stderr(&self) -> String {
        // The thread that reads it may be a moment behind.
        let mut length = usize::MAX;
        for _ in 0..20 {
            let now = self.stderr.lock().unwrap_or_else(PoisonError::into_inner).len();
            if now == length && now > 0 {
                break;
            }
            length = now;
            thread::sleep(Duration::from_millis(5));
        }
        let bytes = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // With its stdin closed a program should exit; one that has failed is not waited for.
        self.cases = None;
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}

/// Reads messages until the pipe ends or holds something else.
fn read_messages(mut stdout: impl Read, found: &SyncSender<Message>) {
    loop {
        let message = match read_message(&mut stdout) {
            Ok(Some(bytes)) => Message::Answer(bytes),
            Ok(None) => Message::End,
            Err(what) => Message::Garbage(what),
        };
        let last = !matches!(message, Message::Answer(_));
        if found.send(message).is_err() || last {
            return;
        }
    }
}

/// One message, or none at the end.
fn read_message(stdout: &mut impl Read) -> Result<Option<Vec<u8>>, String> {
    let mut length = Vec::with_capacity(8);
    stdout
        .take(8)
        .read_to_end(&mut length)
        .map_err(|error| error.to_string())?;
    let Some(bytes) = length.first_chunk::<8>() else {
        return if length.is_empty() {
            Ok(None)
        } else {
            Err(format!("{}, then the end", shown(&length)))
        };
    };
    let expected = u64::from_le_bytes(*bytes);
    if expected > LARGEST {
        return Err(format!(
            "{} as the length of a message; is something else printed to stdout?",
            shown(&length)
        ));
    }
    let mut answer = Vec::new();
    stdout
        .take(expected)
        .read_to_end(&mut answer)
        .map_err(|error| error.to_string())?;
    if (answer.len() as u64) < expected {
        return Err(format!(
            "a message of {expected} bytes that ends after {}",
            answer.len()
        ));
    }
    Ok(Some(answer))
}

/// Bytes as text where they are text.
fn shown(bytes: &[u8]) -> String {
    format!("`{}`", bytes.escape_ascii())
}

fn keep_end(mut pipe: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = pipe.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..n]);
        let surplus = kept.len().saturating_sub(STDERR);
        kept.drain(..surplus);
    }
}
