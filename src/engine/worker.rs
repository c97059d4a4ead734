//! One owner thread, numbered jobs, the newest wins.
//!
//! Knows nothing of what the jobs are: `engine` says that. A job is a plain function that reports through [`Desk`] and
//! asks it between two steps whether it is still wanted.

use std::cell::Cell;
use std::cell::RefCell;
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
pub struct Desk<'a, J, E> {
    job: Cell<JobId>,
    wanted: &'a AtomicU64,
    letters: &'a mpsc::Receiver<Letter<J>>,
    /// A letter taken from the box and not answered.
    kept: RefCell<Option<Letter<J>>>,
    events: &'a mpsc::Sender<(JobId, E)>,
    wake: &'a (dyn Fn() + Send),
}

impl<J, E> Desk<'_, J, E> {
    /// The job's number.
    pub fn job(&self) -> JobId {
        self.job.get()
    }

    /// Whether the answer is still of use. Ask between two steps.
    pub fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) <= self.job.get().0
    }

    /// Once superseded: offers the newest waiting job to `takes_in`, which returns it if it cannot be part of this one.
    /// True if it was taken in: this job then goes on under the newer number.
    pub fn take_in(&self, takes_in: impl FnOnce(J) -> Option<J>) -> bool {
        let (job, order) = match self.letters.try_iter().last() {
            Some(Letter::Job(job, order)) => (job, order),
            // cancelled with nothing to follow, or the end, which the thread must see
            other => {
                self.kept.replace(other);
                return false;
            }
        };
        if self.wanted.load(Ordering::Acquire) > job.0 {
            return false;
        }
        let back = takes_in(order).map(|order| Letter::Job(job, order));
        let taken = back.is_none();
        if taken {
            self.job.set(job);
        }
        self.kept.replace(back);
        taken
    }

    /// Reports to the window and wakes it. A closed window is no error.
    pub fn report(&self, event: E) {
        self.events.send((self.job.get(), event)).ok();
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
        mut work: impl FnMut(J, &Desk<'_, J, E>) + Send + 'static,
        failed: impl Fn(String) -> E + Send + 'static,
    ) -> std::io::Result<Self> {
        let (letters, inbox) = mpsc::channel();
        let (outbox, events) = mpsc::channel();
        let wanted = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&wanted);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let mut kept = None;
                while let Some(Letter::Job(job, order)) = kept.take().or_else(|| inbox.recv().ok())
                {
                    let desk = Desk {
                        job: Cell::new(job),
                        wanted: &seen,
                        letters: &inbox,
                        kept: RefCell::new(None),
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
                    kept = desk.kept.into_inner();
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
        // the letter first: a job that finds itself superseded finds it in the box
        self.letters.send(Letter::Job(JobId(self.last), order)).ok();
        self.wanted.store(self.last, Ordering::Release);
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
    use std::time::{Duration, Instant};

    /// Longest time that anything here takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Counts to the ordered number, reporting each step, and reports the total when not stopped; takes in orders of
    /// odd numbers by going on.
    fn counter() -> Worker<u32, String> {
        let work = |count: u32, desk: &Desk<'_, u32, String>| {
            assert!(count != 13, "thirteen");
            for step in 0..count {
                let odd = |order: u32| order.is_multiple_of(2).then_some(order);
                if !desk.wanted() && !desk.take_in(odd) {
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

    /// The next event; one that does not come fails the test.
    fn next(worker: &Worker<u32, String>) -> (JobId, String) {
        let event = worker.events.recv_timeout(PATIENCE);
        event.expect("an event in time")
    }

    /// The first event that meets `met`.
    fn until(
        worker: &Worker<u32, String>,
        mut met: impl FnMut(JobId, &str) -> bool,
    ) -> (JobId, String) {
        let began = Instant::now();
        loop {
            let (job, event) = next(worker);
            if met(job, &event) {
                return (job, event);
            }
            assert!(began.elapsed() < PATIENCE, "still at {event:?}");
        }
    }

    #[test]
    fn a_newer_job_stops_the_running_one_within_a_step() {
        let mut worker = counter();
        let first = worker.submit(1_000_000);
        assert_eq!(next(&worker), (first, "step 0".to_owned()));
        let second = worker.submit(2);
        let mut last_of_first = String::new();
        until(&worker, |job, event| {
            if job == first {
                event.clone_into(&mut last_of_first);
            }
            job == second
        });
        assert!(last_of_first.starts_with("stopped at"), "{last_of_first}");
    }

    #[test]
    fn jobs_superseded_while_waiting_are_never_begun() {
        let mut worker = counter();
        worker.submit(1_000_000);
        let skipped = worker.submit(6);
        let last = worker.submit(2);
        until(&worker, |job, event| {
            assert_ne!(job, skipped);
            job == last && event == "done 2"
        });
    }

    #[test]
    fn a_job_that_takes_in_its_successor_goes_on_under_the_newer_number() {
        let mut worker = counter();
        let first = worker.submit(1_000);
        assert_eq!(next(&worker), (first, "step 0".to_owned()));
        let second = worker.submit(7);
        for step in 1..1_000 {
            assert_eq!(next(&worker).1, format!("step {step}"));
        }
        assert_eq!(next(&worker), (second, "done 1000".to_owned()));
    }

    #[test]
    fn closing_the_window_ends_a_job_that_would_take_in_others() {
        let mut worker = counter();
        worker.submit(1_000_000);
        next(&worker);
        let (closed, end) = mpsc::channel();
        thread::spawn(move || {
            drop(worker); // returns once the thread has seen the end
            closed.send(()).ok();
        });
        let ended = end.recv_timeout(PATIENCE);
        assert_eq!(ended, Ok(()), "the job goes on");
    }

    #[test]
    fn a_panic_is_reported_and_the_thread_lives_on() {
        let mut worker = counter();
        let bad = worker.submit(13);
        let (job, message) = next(&worker);
        assert_eq!(job, bad);
        assert!(message.contains("thirteen"), "{message}");
        let good = worker.submit(0);
        assert_eq!(next(&worker), (good, "done 0".to_owned()));
    }

    #[test]
    fn cancel_stops_the_running_job() {
        let mut worker = counter();
        worker.submit(1_000_000);
        next(&worker);
        worker.cancel();
        until(&worker, |_, event| event.starts_with("stopped at"));
    }
}
