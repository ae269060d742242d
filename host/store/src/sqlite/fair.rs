//! Who gets how much: a pure decision, so that fairness can be tested without a database.

use std::collections::HashMap;

/// A queue of waiting work: one connection's, or of messages: one destination's, whose row key is in the connection's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Queue {
    pub(super) connection: i64,
    pub(super) workspace: i64,
}

/// How much each workspace may still have in flight.
pub(super) struct Room {
    per_workspace: u32,
    kept: u32,
    used: HashMap<i64, u32>,
}

impl Room {
    pub(super) fn new(per_workspace: u32) -> Self {
        Self { per_workspace, kept: 0, used: HashMap::new() }
    }

    pub(super) fn left(&self, workspace: i64) -> u32 {
        let used = self.used.get(&workspace).copied().unwrap_or(0);
        self.per_workspace.saturating_sub(self.kept).saturating_sub(used)
    }

    /// So much of each workspace's room is kept free from now on.
    pub(super) fn keep(&mut self, kept: u32) {
        self.kept = kept;
    }

    pub(super) fn fill(&mut self, workspace: i64, count: u32) {
        *self.used.entry(workspace).or_default() += count;
    }
}

/// Shares `limit` out over the queues: equal parts to all, then what some did not need to the others, until everybody has
/// enough or nothing is left. `take` takes up to so many from a queue and answers how many it got; a queue that has less
/// than asked is not asked again. Answers how many were taken.
pub(super) fn share_out<E>(
    limit: u32,
    queues: &[Queue],
    room: &mut Room,
    mut take: impl FnMut(&Queue, u32) -> Result<u32, E>,
) -> Result<u32, E> {
    let mut left = limit;
    let mut hungry: Vec<&Queue> = queues.iter().collect();
    loop {
        hungry.retain(|queue| room.left(queue.workspace) > 0);
        if left == 0 || hungry.is_empty() {
            return Ok(limit - left);
        }
        let part = (left / u32::try_from(hungry.len()).unwrap_or(u32::MAX)).max(1);
        // The connections of one workspace share its room among themselves.
        let mut of_workspace: HashMap<i64, u32> = HashMap::new();
        for queue in &hungry {
            *of_workspace.entry(queue.workspace).or_default() += 1;
        }
        let parts: HashMap<i64, u32> = of_workspace
            .into_iter()
            .map(|(workspace, queues)| (workspace, part.min((room.left(workspace) / queues).max(1))))
            .collect();
        let mut still_hungry = Vec::new();
        for queue in hungry {
            let asked = parts[&queue.workspace].min(left).min(room.left(queue.workspace));
            if asked == 0 {
                continue;
            }
            let got = take(queue, asked)?;
            left -= got;
            room.fill(queue.workspace, got);
            if got == asked {
                still_hungry.push(queue);
            }
        }
        hungry = still_hungry;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Shares out over queues given as (workspace, length); answers what each got.
    fn shares(limit: u32, per_workspace: u32, lengths: &[(i64, u32)]) -> Vec<u32> {
        let queues: Vec<_> = (0..)
            .zip(lengths)
            .map(|(connection, (workspace, _))| Queue { connection, workspace: *workspace })
            .collect();
        let mut got = vec![0; lengths.len()];
        let Ok(_) = share_out(limit, &queues, &mut Room::new(per_workspace), |queue, asked| {
            let index = usize::try_from(queue.connection).unwrap();
            let count = asked.min(lengths[index].1 - got[index]);
            got[index] += count;
            Ok::<_, Infallible>(count)
        });
        got
    }

    #[test]
    fn a_long_queue_does_not_keep_a_short_one_waiting() {
        assert_eq!(shares(8, 100, &[(1, 100_000), (2, 1), (3, 2)]), [5, 1, 2]);
    }

    #[test]
    fn nobody_gets_more_than_a_workspace_may_have() {
        assert_eq!(shares(64, 16, &[(1, 100_000), (2, 3)]), [16, 3]);
        assert_eq!(shares(64, 16, &[(1, 100), (1, 100), (2, 100)]), [8, 8, 16]);
    }

    #[test]
    fn the_limit_holds_and_is_used_up() {
        assert_eq!(shares(7, 16, &[(1, 100), (2, 100), (3, 100)]).iter().sum::<u32>(), 7);
        assert_eq!(shares(2, 16, &[(1, 9), (2, 9), (3, 9)]), [1, 1, 0]);
        assert_eq!(shares(0, 16, &[(1, 9)]), [0]);
    }

    #[test]
    fn empty_queues_are_asked_once() {
        assert_eq!(shares(5, 16, &[(1, 0), (2, 0)]), [0, 0]);
    }
}
