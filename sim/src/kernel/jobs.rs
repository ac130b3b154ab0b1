//! Jobs that have nothing to do with each other, on as many threads as there are processors.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does each job. Returns what came of each, in the order of the jobs: the same whatever the number of processors.
pub(crate) fn all<J: Sync, T: Send>(jobs: &[J], act: impl Fn(&J) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(jobs.len())));
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(place) else { return };
            let outcome = act(job);
            done.lock().expect("no other thread has panicked").push((place, outcome));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().expect("no thread has panicked");
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_jobs_is_in_their_order() {
        let jobs: Vec<u64> = (0..100).collect();
        assert_eq!(all(&jobs, |job| job * job), jobs.iter().map(|job| job * job).collect::<Vec<_>>());
        assert!(all(&[0_u64; 0], |job| *job).is_empty());
    }
}
