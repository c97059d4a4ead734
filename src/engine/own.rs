//! A planner that runs as a program of its own: started once, asked over its standard input, answering on its output.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::ops::ControlFlow;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::planner::{Ask, ProposeError};
use crate::scene::for_terminal;

/// How long an answer may take; the first one includes the start, with whatever the planner loads.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often whoever waits is asked whether to go on.
const POLL: Duration = Duration::from_millis(20);
/// How long a planner may take to end once nothing more is asked of it.
const FAREWELL: Duration = Duration::from_millis(500);
/// An answer is at most so long.
const MOST_BYTES: u64 = 64 << 20;
/// Lines of its standard error that are told when it fails.
const LAST_LINES: usize = 12;

/// A command that is a planner ([`Ask`]). It is started when it is first asked, stays for further requests, and is started
/// again after it has failed.
///
/// A line of its output that begins with `{` is an answer; others, and its standard error, are passed on to this program's
/// standard error. It should end when its standard input does.
pub(super) struct OwnPlanner {
    words: Vec<String>,
    identity: String,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    requests: Option<mpsc::Sender<String>>,
    answers: mpsc::Receiver<std::io::Result<String>>,
    said: Arc<Mutex<VecDeque<String>>>,
    /// Answers to come to requests that nobody waits for any more.
    owed: usize,
}

impl OwnPlanner {
    /// The planner that `command` starts: a program and its arguments, quoted as in a shell (which it is not given to).
    ///
    /// # Errors
    /// A sentence, if the command is empty or its quotes do not match.
    pub(super) fn new(command: &str) -> Result<Self, String> {
        let words = shlex::split(command)
            .ok_or_else(|| format!("the command {command} has a quote that does not end"))?;
        if words.is_empty() {
            return Err("no command is given that starts your planner".to_owned());
        }
        Ok(Self {
            words,
            identity: format!("<own: {}>", command.trim()),
            running: Mutex::default(),
        })
    }
}

impl Ask for OwnPlanner {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn ask(
        &self,
        request: &str,
        waiting: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<String, ProposeError> {
        let mut slot = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = match slot.take() {
            Some(running) => running,
            None => Running::start(&self.words)?,
        };
        let answer = running.ask(request, waiting);
        if !matches!(answer, Err(ProposeError::Own(_))) {
            *slot = Some(running);
        }
        answer
    }
}

impl Running {
    fn start(words: &[String]) -> Result<Self, ProposeError> {
        let failed = |error: std::io::Error| {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such command".to_owned(),
                _ => error.to_string(),
            };
            let program = &words[0];
            ProposeError::Own(format!("your planner cannot be started: {program}: {why}"))
        };
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (requests, inbox) = mpsc::channel::<String>();
        let (outbox, answers) = mpsc::channel();
        let said = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(mut stdin) = child.stdin.take() {
            spawn("own planner, in", move || {
                for request in inbox {
                    let written = writeln!(stdin, "{request}").and_then(|()| stdin.flush());
                    if written.is_err() {
                        return; // it has ended; whoever waits for its answer is told
                    }
                }
            })
            .map_err(failed)?;
        }
        if let Some(stdout) = child.stdout.take() {
            spawn("own planner, out", move || {
                for_each_line(stdout, |line| {
                    let chatter = matches!(&line, Ok(text) if !text.starts_with('{'));
                    if chatter {
                        pass_on(&line.unwrap_or_default());
                        return true;
                    }
                    outbox.send(line).is_ok()
                });
            })
            .map_err(failed)?;
        }
        if let Some(stderr) = child.stderr.take() {
            let said = Arc::clone(&said);
            spawn("own planner, err", move || {
                for_each_line(stderr, |line| {
                    let Ok(line) = line else { return false };
                    pass_on(&line);
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    said.push_back(line);
                    let over = said.len().saturating_sub(LAST_LINES);
                    said.drain(..over);
                    true
                });
            })
            .map_err(failed)?;
        }
        Ok(Self {
            child,
            requests: Some(requests),
            answers,
            said,
            owed: 0,
        })
    }

    fn ask(
        &mut self,
        request: &str,
        waiting: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<String, ProposeError> {
        while self.owed > 0 {
            self.answer(waiting)?;
            self.owed -= 1;
        }
        // a line too many would be taken for the answer to what is asked next
        if let Ok(Ok(line)) = self.answers.try_recv() {
            while self.answers.try_recv().is_ok() {}
            let begin: String = line.chars().take(60).collect();
            let why = format!(
                "your planner wrote more than one line of JSON for a request; the line too many begins {begin:?}"
            );
            return Err(ProposeError::Own(why));
        }
        if let Some(requests) = &self.requests {
            // the writing thread is gone only with the planner, and then no answer comes
            requests.send(request.to_owned()).ok();
        }
        let answer = self.answer(waiting);
        if answer == Err(ProposeError::Stopped) {
            self.owed += 1;
        }
        answer
    }

    fn answer(
        &mut self,
        waiting: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<String, ProposeError> {
        let began = Instant::now();
        loop {
            match self.answers.recv_timeout(POLL) {
                Ok(Ok(line)) => return Ok(line),
                Ok(Err(error)) => {
                    let why = format!("your planner's answer cannot be read: {error}");
                    return Err(ProposeError::Own(why));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(self.ended()),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if waiting().is_break() {
                return Err(ProposeError::Stopped);
            }
            if began.elapsed() > PATIENCE {
                let seconds = PATIENCE.as_secs();
                let why = format!("your planner gave no answer within {seconds} s and was ended");
                return Err(ProposeError::Own(why));
            }
        }
    }

    /// What to say of a planner that has closed its output.
    fn ended(&mut self) -> ProposeError {
        let status = self.leave();
        thread::sleep(POLL); // for the last words on its standard error
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let last: Vec<&str> = said.iter().map(String::as_str).collect();
        let how = status.map_or_else(String::new, |status| format!(" ({status})"));
        let words = if last.is_empty() {
            ". It said nothing on its standard error".to_owned()
        } else {
            format!(". Its last words:\n{}", last.join("\n"))
        };
        ProposeError::Own(format!("your planner ended before it answered{how}{words}"))
    }

    /// Closes its input, and ends it if it does not end by itself.
    fn leave(&mut self) -> Option<ExitStatus> {
        self.requests = None;
        let began = Instant::now();
        while began.elapsed() < FAREWELL {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Err(_) => break,
            }
        }
        self.child.kill().ok();
        self.child.wait().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.leave();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map(|_goes_with_the_planner| ())
}

/// Hands over each line that is not empty, without its end, until there are no more or `take` has enough. A line that is
/// too long, or no text, is an error and the last.
fn for_each_line(from: impl Read, mut take: impl FnMut(std::io::Result<String>) -> bool) {
    let mut reader = BufReader::new(from);
    loop {
        let mut bytes = Vec::new();
        let read = reader
            .by_ref()
            .take(MOST_BYTES)
            .read_until(b'\n', &mut bytes);
        let line = match read {
            Ok(0) => return,
            Ok(count) if count as u64 == MOST_BYTES => {
                Err(std::io::Error::other("it is longer than 64 MiB"))
            }
            Ok(_) => String::from_utf8(bytes).map_err(std::io::Error::other),
            Err(error) => Err(error),
        };
        let line = line.map(|line| line.trim().to_owned());
        let over = line.is_err();
        if !matches!(&line, Ok(text) if text.is_empty()) && !take(line) || over {
            return;
        }
    }
}

/// A line for whoever watches this program's standard error.
fn pass_on(line: &str) {
    writeln!(std::io::stderr(), "{}", for_terminal(line)).ok(); // nobody may be watching
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(planner: &OwnPlanner, request: &str) -> Result<String, ProposeError> {
        planner.ask(request, &mut || ControlFlow::Continue(()))
    }

    /// A shell as planner; the tests run where there is one.
    #[cfg(unix)]
    fn shell(script: &str) -> OwnPlanner {
        let word = shlex::try_quote(script).unwrap();
        OwnPlanner::new(&format!("sh -c {word}")).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn one_process_answers_one_request_after_the_other() {
        let planner = shell(r#"n=0; while read line; do n=$((n+1)); echo "{$n $line}"; done"#);
        assert_eq!(ask(&planner, "a"), Ok("{1 a}".to_owned()));
        assert_eq!(ask(&planner, "b"), Ok("{2 b}".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn chatter_on_its_output_is_no_answer() {
        let planner = shell(r#"echo "welcome to the library"; echo; read line; echo "{}""#);
        assert_eq!(ask(&planner, "a"), Ok("{}".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_line_too_many_is_not_taken_for_the_next_answer() {
        let planner = shell(r#"while read line; do echo "{$line}"; echo "{stale}"; done"#);
        assert_eq!(ask(&planner, "a"), Ok("{a}".to_owned()));
        thread::sleep(Duration::from_millis(300));
        let said = ask(&planner, "b").unwrap_err().to_string();
        assert!(
            said.contains("more than one line") && said.contains("{stale}"),
            "{said}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn who_ends_without_an_answer_is_quoted_and_started_again() {
        let planner = shell(r#"read line; echo "no weights here" >&2; exit 3"#);
        for _ in 0..2 {
            let said = ask(&planner, "a").unwrap_err().to_string();
            assert!(
                said.contains("no weights here") && said.contains('3'),
                "{said}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn whoever_waits_can_stop_and_the_late_answer_is_not_taken_for_the_next() {
        let planner = shell(r#"while read line; do sleep 0.2; echo "{$line}"; done"#);
        let stopped = planner.ask("old", &mut || ControlFlow::Break(()));
        assert_eq!(stopped, Err(ProposeError::Stopped));
        assert_eq!(ask(&planner, "new"), Ok("{new}".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_long_request_to_one_who_does_not_read_can_be_stopped() {
        let planner = shell("sleep 20");
        let mut polls = 0;
        let stopped = planner.ask(&"x".repeat(1 << 20), &mut || {
            polls += 1;
            match polls {
                3 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        assert_eq!(stopped, Err(ProposeError::Stopped));
    }

    #[test]
    fn what_is_no_command_gets_a_sentence() {
        let said = |command: &str| OwnPlanner::new(command).err().unwrap();
        assert!(said("  ").contains("no command"));
        assert!(said("python 'x").contains("quote"));
        let planner = OwnPlanner::new("nobody-has-this-program").unwrap();
        let found = ask(&planner, "a").unwrap_err().to_string();
        assert!(
            found.contains("nobody-has-this-program: there is no such"),
            "{found}"
        );
    }
}
