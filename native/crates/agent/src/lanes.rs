use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

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
    /// Layers, which may take minutes. Two keep both the disk and a processor busy.
    Unpack,
}

/// A few threads for each lane, which live as long as the process.
pub struct Lanes {
    quick: Sender<Job>,
    namespaces: Sender<Job>,
    exec: Sender<Job>,
    shims: Sender<Job>,
    forward: Sender<Job>,
    trees: Sender<Job>,
    readings: Sender<Job>,
    unpack: Sender<Job>,
}

impl Lanes {
    pub fn start() -> Self {
        Self {
            quick: start("quick", 4),
            namespaces: start("namespaces", 2),
            exec: start("exec", 16),
            shims: start("shims", 16),
            forward: start("dial", 16),
            trees: start("trees", 3),
            readings: start("readings", 2),
            unpack: start("unpack", 2),
        }
    }

    pub fn run(&self, lane: Lane, job: Job) {
        let queue = match lane {
            Lane::Quick => &self.quick,
            Lane::Namespaces => &self.namespaces,
            Lane::Exec => &self.exec,
            Lane::Shims => &self.shims,
            Lane::Forward => &self.forward,
            Lane::Trees => &self.trees,
            Lane::Readings => &self.readings,
            Lane::Unpack => &self.unpack,
        };
        // Only without any worker does a queue refuse; a job that is dropped unrun answers its call by itself.
        let _ = queue.send(job);
    }
}

fn start(name: &str, workers: usize) -> Sender<Job> {
    let (sender, jobs) = channel();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..workers {
        let jobs = jobs.clone();
        // Fewer workers than wished for still do the work.
        let _ = thread::Builder::new().name(name.into()).spawn(move || work(&jobs));
    }
    sender
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_does_not_hold_up_another() {
        let lanes = Lanes::start();
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
        let lanes = Lanes::start();
        let (releases, blocked): (Vec<Sender<()>>, Vec<Receiver<()>>) = (0..2).map(|_| channel()).unzip();
        for blocked in blocked {
            lanes.run(Lane::Trees, Box::new(move || assert!(blocked.recv().is_err())));
        }
        let (done, answer) = channel();
        lanes.run(Lane::Trees, Box::new(move || done.send(1).unwrap()));
        assert_eq!(answer.recv_timeout(std::time::Duration::from_secs(5)), Ok(1));
        drop(releases);
    }
}
