//! One owner thread, numbered jobs, the newest wins.
//!
//! Knows nothing of what the jobs are: `engine` says that. A job is a plain function that reports through [`Desk`] and
//! asks it between two steps whether it is still wanted.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// Number of a job; later jobs have higher numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u64);

/// What the thread is asked.
enum Letter<J> {
    Job(JobId, J),
    Stop,
}

/// The asking side: lives in the window.
pub struct Worker<J, E> {
    letters: mpsc::Sender<Letter<J>>,
    events: mpsc::Receiver<(JobId, E)>,
    wanted: Arc<AtomicU64>,
    last: u64,
    thread: Option<thread::JoinHandle<()>>,
}

/// The working side: what a job sees of the window.
pub struct Desk<'a, E> {
    job: JobId,
    wanted: &'a AtomicU64,
    events: &'a mpsc::Sender<(JobId, E)>,
    wake: &'a (dyn Fn() + Send),
}

impl<E> Desk<'_, E> {
    /// The job's number.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// Whether the answer is still of use. Ask between two steps.
    pub fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) == self.job.0
    }

    /// Reports to the window and wakes it. A closed window is no error.
    pub fn report(&self, event: E) {
        self.events.send((self.job, event)).ok();
        (self.wake)();
    }
}

impl<J: Send + 'static, E: Send + 'static> Worker<J, E> {
    /// Starts the thread. `work` does one job; `failed` makes an event of a panic's message: the thread survives it.
    /// `wake` is called after every event (the window asks for a frame).
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn start(
        name: &str,
        wake: Box<dyn Fn() + Send>,
        mut work: impl FnMut(J, &Desk<'_, E>) + Send + 'static,
        failed: impl Fn(String) -> E + Send + 'static,
    ) -> std::io::Result<Self> {
        let (letters, inbox) = mpsc::channel();
        let (outbox, events) = mpsc::channel();
        let wanted = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&wanted);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while let Ok(Letter::Job(job, order)) = inbox.recv() {
                    let desk = Desk {
                        job,
                        wanted: &seen,
                        events: &outbox,
                        wake: &*wake,
                    };
                    if !desk.wanted() {
                        continue; // superseded while it waited
                    }
                    let done = catch_unwind(AssertUnwindSafe(|| work(order, &desk)));
                    if let Err(panic) = done {
                        let message = panic
                            .downcast_ref::<String>()
                            .map(String::as_str)
                            .or_else(|| panic.downcast_ref::<&str>().copied())
                            .unwrap_or("the job stopped without a message");
                        desk.report(failed(message.to_owned()));
                    }
                }
            })?;
        Ok(Self {
            letters,
            events,
            wanted,
            last: 0,
            thread: Some(thread),
        })
    }

    /// Hands in a job. It supersedes all earlier ones: the running one stops at its next step.
    pub fn submit(&mut self, order: J) -> JobId {
        self.last += 1;
        self.wanted.store(self.last, Ordering::Release);
        self.letters.send(Letter::Job(JobId(self.last), order)).ok();
        JobId(self.last)
    }

    /// Nothing handed in so far is wanted any more.
    pub fn cancel(&mut self) {
        self.last += 1;
        self.wanted.store(self.last, Ordering::Release);
    }

    /// The next event, if there is one; never waits. Events of superseded jobs arrive too: compare the number.
    pub fn poll(&self) -> Option<(JobId, E)> {
        self.events.try_recv().ok()
    }

    /// The next event, waiting for it; `None` once the thread is gone.
    pub fn wait(&self) -> Option<(JobId, E)> {
        self.events.recv().ok()
    }
}

impl<J, E> Drop for Worker<J, E> {
    /// Stops the running job at its next step and waits for the thread.
    fn drop(&mut self) {
        self.wanted.store(u64::MAX, Ordering::Release);
        self.letters.send(Letter::Stop).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Counts to the ordered number, reporting each step, and reports the total when not stopped.
    fn counter() -> Worker<u32, String> {
        let work = |count: u32, desk: &Desk<'_, String>| {
            assert!(count != 13, "thirteen");
            for step in 0..count {
                if !desk.wanted() {
                    desk.report(format!("stopped at {step}"));
                    return;
                }
                desk.report(format!("step {step}"));
                thread::sleep(Duration::from_millis(1));
            }
            desk.report(format!("done {count}"));
        };
        Worker::start("test", Box::new(|| {}), work, |message| message).unwrap()
    }

    #[test]
    fn a_newer_job_stops_the_running_one_within_a_step() {
        let mut worker = counter();
        let first = worker.submit(1_000_000);
        assert_eq!(worker.wait(), Some((first, "step 0".to_owned())));
        let second = worker.submit(1);
        let mut last_of_first = String::new();
        loop {
            let (job, event) = worker.wait().unwrap();
            if job == second {
                break;
            }
            last_of_first = event;
        }
        assert!(last_of_first.starts_with("stopped at"), "{last_of_first}");
    }

    #[test]
    fn jobs_superseded_while_waiting_are_never_begun() {
        let mut worker = counter();
        worker.submit(1_000_000);
        let skipped = worker.submit(5);
        let last = worker.submit(1);
        loop {
            let (job, event) = worker.wait().unwrap();
            assert_ne!(job, skipped);
            if job == last && event == "done 1" {
                break;
            }
        }
    }

    #[test]
    fn a_panic_is_reported_and_the_thread_lives_on() {
        let mut worker = counter();
        let bad = worker.submit(13);
        let (job, message) = worker.wait().unwrap();
        assert_eq!(job, bad);
        assert!(message.contains("thirteen"), "{message}");
        let good = worker.submit(0);
        assert_eq!(worker.wait(), Some((good, "done 0".to_owned())));
    }

    #[test]
    fn cancel_stops_the_running_job() {
        let mut worker = counter();
        worker.submit(1_000_000);
        worker.wait();
        worker.cancel();
        loop {
            if worker.wait().unwrap().1.starts_with("stopped at") {
                break;
            }
        }
    }
}
