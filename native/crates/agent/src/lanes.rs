use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// How long a worker waits for more to do.
const IDLE: Duration = Duration::from_secs(2);
/// More programs than a node's pods start at the same time. Each costs a thread and five descriptors while it runs, and
/// those that hang hold up nobody before there are so many.
const PROGRAMS: usize = 1000;

/// Paths of file systems that do not answer which hold up nobody yet. berthd asks for each once.
const PATHS: usize = 64;

/// Which queue a call waits in. Calls wait only for their likes: an unpack of a minute must not hold up a mount.
#[derive(Debug, Clone, Copy)]
pub enum Lane {
    /// Calls of a few milliseconds.
    Quick,
    /// Namespaces. The kernel makes network namespaces slower when more threads ask for them.
    Namespaces,
    /// Programs, which mostly wait: CNI plugins for daemons that may be containers of this node.
    Exec,
    /// Starts of shims, so that those daemons come up whatever waits for them.
    Shims,
    /// Connections into pods, each of which waits as long as the pod pleases.
    Forward,
    /// Whole trees: removal, usage, copies. The daemon fills one worker with removals that nobody waits for.
    Trees,
    /// Statistics, which somebody may ask for more often than is good.
    Readings,
    /// Paths that a client named, each of which may wait for ever.
    Paths,
    /// Layers, which may take minutes. Two keep both the disk and a processor busy.
    Unpack,
}

/// Threads for each lane, as many as its calls need at the time and the lane allows.
pub struct Lanes {
    quick: Arc<Queue>,
    namespaces: Arc<Queue>,
    exec: Arc<Queue>,
    shims: Arc<Queue>,
    forward: Arc<Queue>,
    trees: Arc<Queue>,
    readings: Arc<Queue>,
    paths: Arc<Queue>,
    unpack: Arc<Queue>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            quick: Queue::new("quick", 4),
            namespaces: Queue::new("namespaces", 2),
            exec: Queue::new("exec", PROGRAMS),
            shims: Queue::new("shims", PROGRAMS),
            forward: Queue::new("dial", 16),
            trees: Queue::new("trees", 3),
            readings: Queue::new("readings", 2),
            paths: Queue::new("paths", PATHS),
            unpack: Queue::new("unpack", 2),
        }
    }
}

impl Lanes {
    pub fn run(&self, lane: Lane, job: Job) {
        let queue = match lane {
            Lane::Quick => &self.quick,
            Lane::Namespaces => &self.namespaces,
            Lane::Exec => &self.exec,
            Lane::Shims => &self.shims,
            Lane::Forward => &self.forward,
            Lane::Trees => &self.trees,
            Lane::Readings => &self.readings,
            Lane::Paths => &self.paths,
            Lane::Unpack => &self.unpack,
        };
        queue.run(job);
    }
}

/// The calls of one lane that wait, and its workers.
struct Queue {
    name: &'static str,
    most: usize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    workers: usize,
    idle: usize,
}

impl Queue {
    fn new(name: &'static str, most: usize) -> Arc<Self> {
        Arc::new(Self { name, most, state: Mutex::default(), wake: Condvar::new() })
    }

    fn run(self: &Arc<Self>, job: Job) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() {
            self.wake.notify_one();
        } else if state.workers < self.most {
            let queue = self.clone();
            let spawned = thread::Builder::new().name(self.name.into()).spawn(move || queue.work());
            // Without a new thread the job waits for a worker there is, or comes with the next job.
            state.workers += usize::from(spawned.is_ok());
        }
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            job();
        }
    }

    /// `None` when there was nothing to do for a while; the worker counts no longer.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        state.idle += 1;
        let waited = self.wake.wait_timeout_while(state, IDLE, |state| state.jobs.is_empty());
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.idle -= 1;
        let job = state.jobs.pop_front();
        state.workers -= usize::from(job.is_none());
        job
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    #[test]
    fn a_full_lane_does_not_hold_up_another() {
        let lanes = Lanes::default();
        let (release, blocked) = channel::<()>();
        let blocked = Arc::new(Mutex::new(blocked));
        for _ in 0..8 {
            let blocked = blocked.clone();
            let wait = move || assert!(blocked.lock().unwrap().recv().is_err());
            lanes.run(Lane::Unpack, Box::new(wait));
        }
        let (done, answer) = channel();
        lanes.run(Lane::Quick, Box::new(move || done.send(1).unwrap()));
        assert_eq!(answer.recv(), Ok(1));
        drop(release);
    }

    /// One is busy with removals in the background, one with a cleanup.
    #[test]
    fn a_third_tree_does_not_wait_for_two() {
        let lanes = Lanes::default();
        let (releases, blocked): (Vec<Sender<()>>, Vec<Receiver<()>>) = (0..2).map(|_| channel()).unzip();
        for blocked in blocked {
            lanes.run(Lane::Trees, Box::new(move || assert!(blocked.recv().is_err())));
        }
        let (done, answer) = channel();
        lanes.run(Lane::Trees, Box::new(move || done.send(1).unwrap()));
        assert_eq!(answer.recv_timeout(std::time::Duration::from_secs(5)), Ok(1));
        drop(releases);
    }

    #[test]
    fn programs_that_hang_hold_up_no_other_and_their_threads_end() {
        let lanes = Lanes::default();
        let (release, blocked) = channel::<()>();
        let blocked = Arc::new(Mutex::new(blocked));
        for _ in 0..200 {
            let blocked = blocked.clone();
            lanes.run(Lane::Exec, Box::new(move || assert!(blocked.lock().unwrap().recv().is_err())));
        }
        let (done, answer) = channel();
        lanes.run(Lane::Exec, Box::new(move || done.send(1).unwrap()));
        assert_eq!(answer.recv_timeout(Duration::from_secs(60)), Ok(1));
        drop(release);
        let begun = std::time::Instant::now();
        while lanes.exec.lock().workers > 0 {
            assert!(begun.elapsed() < 6 * IDLE, "a worker stays");
            thread::sleep(Duration::from_millis(50));
        }
    }

    #[test]
    fn a_lane_never_has_more_workers_than_it_may_and_loses_no_job() {
        let queue = Queue::new("test", 3);
        let (done, answers) = channel();
        for number in 0..500 {
            let done = done.clone();
            queue.run(Box::new(move || done.send(number).unwrap()));
            assert!(queue.lock().workers <= 3);
        }
        drop(done);
        assert_eq!(answers.iter().take(500).sum::<i32>(), 499 * 250);
    }
}
