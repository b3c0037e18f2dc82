//! [`TaskTable`]: the RPC tasks that one peer started here and that still run.
//!
//! A plain table, generic over what a task is. It is the single source for statistics and
//! dumps.

use std::collections::BTreeMap;

/// The tasks of one peer by call id.
#[derive(Debug)]
pub(crate) struct TaskTable<T> {
    running: BTreeMap<u64, T>,
    closed: bool,
}

/// Why a task is not entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotEntered {
    /// A task of this id runs already; answering would complete the wrong call.
    Duplicate,
    /// The link is closed, so nobody waits for an answer.
    Closed,
}

impl<T> Default for TaskTable<T> {
    fn default() -> Self {
        Self {
            running: BTreeMap::new(),
            closed: false,
        }
    }
}

impl<T: Clone> TaskTable<T> {
    /// Enters a task before anything of it can be seen.
    pub(crate) fn insert(&mut self, id: u64, task: T) -> Result<(), NotEntered> {
        if self.closed {
            return Err(NotEntered::Closed);
        }
        if self.running.contains_key(&id) {
            return Err(NotEntered::Duplicate);
        }
        self.running.insert(id, task);
        Ok(())
    }

    pub(crate) fn get(&self, id: u64) -> Option<&T> {
        self.running.get(&id)
    }

    /// The task has ended.
    pub(crate) fn remove(&mut self, id: u64) -> Option<T> {
        self.running.remove(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    /// All tasks, oldest first.
    pub(crate) fn all(&self) -> Vec<T> {
        self.running.values().cloned().collect()
    }

    /// No task may start any more. Gives those that run; each leaves when it has ended.
    pub(crate) fn close(&mut self) -> Vec<T> {
        self.closed = true;
        self.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_in_use_is_refused() {
        let mut table = TaskTable::default();
        assert_eq!(table.insert(1, 'a'), Ok(()));
        assert_eq!(table.insert(1, 'b'), Err(NotEntered::Duplicate));
        assert_eq!(table.get(1), Some(&'a'));
        table.remove(1);
        assert_eq!(table.insert(1, 'c'), Ok(()));
    }

    #[test]
    fn a_closed_table_keeps_its_tasks_until_they_end() {
        let mut table = TaskTable::default();
        table.insert(1, 'a').unwrap();
        assert_eq!(table.close(), ['a']);
        assert_eq!(table.insert(2, 'b'), Err(NotEntered::Closed));
        assert_eq!(table.len(), 1);
        table.remove(1);
        assert_eq!(table.all(), []);
    }
}
