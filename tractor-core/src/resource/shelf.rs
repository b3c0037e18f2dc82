//! The shelf: the slots of all keys that are in use in this process.
//!
//! Keys are compared by their own code, which may do anything, so that happens outside of the
//! lock: whoever looks for a key takes what may be it out of the lock, compares, and adds a slot
//! only if nothing was added meanwhile.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::slot::{Slot, Visit};

/// Where a slot is kept. No two slots are ever kept at one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    bucket: Bucket,
    number: u64,
}

/// The types of key and resource, and the key's hash. Keys of one bucket may differ.
type Bucket = (TypeId, TypeId, u64);

struct Shelved {
    number: u64,
    /// A `Keyed` of the types that the bucket names.
    keyed: Arc<dyn Any + Send + Sync>,
}

struct Keyed<K, R> {
    key: Arc<K>,
    slot: Arc<Slot<R>>,
}

static SHELF: Mutex<BTreeMap<Bucket, Vec<Shelved>>> = Mutex::new(BTreeMap::new());

/// Enters a user of `key`, the first one of a new slot if there is none.
pub(super) fn enter<K, R>(key: K) -> Visit<R>
where
    K: Hash + Eq + Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    let key = Arc::new(key);
    let bucket = bucket_of::<K, R>(&key);
    loop {
        let (numbers, there) = look(bucket);
        let mut keyed = there.iter().filter_map(|keyed| keyed.downcast_ref());
        let found = keyed.find(|keyed: &&Keyed<K, R>| keyed.key == key);
        let visit = match found {
            Some(keyed) => {
                let visit = keyed.slot.arrive();
                if visit.is_none() {
                    // Freed, and whoever freed it has not come to remove it.
                    remove(keyed.slot.place());
                }
                visit
            }
            None => add(bucket, &numbers, &key),
        };
        if let Some(visit) = visit {
            return visit;
        }
    }
}

/// Takes a slot off the shelf, unless that has been done.
pub(super) fn remove(place: Place) {
    let mut shelf = lock();
    let Some(shelved) = shelf.get_mut(&place.bucket) else {
        return;
    };
    let index = shelved.iter().position(|one| one.number == place.number);
    let removed = index.map(|index| shelved.remove(index));
    if shelved.is_empty() {
        shelf.remove(&place.bucket);
    }
    drop(shelf);
    // With its key, which may have a destructor.
    drop(removed);
}

fn bucket_of<K: Hash + 'static, R: 'static>(key: &K) -> Bucket {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (TypeId::of::<K>(), TypeId::of::<R>(), hasher.finish())
}

/// What stands in a bucket: the numbers, and the slots with their keys.
fn look(bucket: Bucket) -> (Vec<u64>, Vec<Arc<dyn Any + Send + Sync>>) {
    let shelf = lock();
    let there = shelf.get(&bucket).into_iter().flatten();
    there.map(|one| (one.number, one.keyed.clone())).unzip()
}

/// Adds a slot, unless there is something else in the bucket than what was `seen`.
fn add<K, R>(bucket: Bucket, seen: &[u64], key: &Arc<K>) -> Option<Visit<R>>
where
    K: Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let (slot, visit) = Slot::new(Place { bucket, number });
    let key = key.clone();
    let keyed: Arc<dyn Any + Send + Sync> = Arc::new(Keyed { key, slot });
    let mut shelf = lock();
    let there = shelf.entry(bucket).or_default();
    let is_as_seen = there.iter().map(|one| one.number).eq(seen.iter().copied());
    if is_as_seen {
        there.push(Shelved { number, keyed });
    }
    drop(shelf);
    is_as_seen.then_some(visit)
}

fn lock() -> MutexGuard<'static, BTreeMap<Bucket, Vec<Shelved>>> {
    SHELF.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<K: 'static>() -> usize {
        let shelf = lock();
        let of_type = shelf
            .iter()
            .filter(|((key, ..), _)| *key == TypeId::of::<K>());
        of_type.map(|(_, there)| there.len()).sum()
    }

    /// All of one hash.
    #[derive(PartialEq, Eq)]
    struct Colliding(u8);

    impl Hash for Colliding {
        fn hash<H: Hasher>(&self, state: &mut H) {
            0_u8.hash(state);
        }
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let first = enter::<_, ()>(Colliding(1));
        let second = enter::<_, ()>(Colliding(2));
        let third = enter::<_, ()>(Colliding(2));
        assert!(!Arc::ptr_eq(first.slot(), second.slot()));
        assert!(Arc::ptr_eq(second.slot(), third.slot()));
        assert_eq!(kept::<Colliding>(), 2);
        drop((first, second));
        assert_eq!(kept::<Colliding>(), 1);
        drop(third);
        assert_eq!(kept::<Colliding>(), 0);
    }

    #[test]
    fn a_key_stands_for_a_resource_of_each_type() {
        #[derive(PartialEq, Eq, Hash)]
        struct Key;
        let text = enter::<_, String>(Key);
        let number = enter::<_, u8>(Key);
        assert_eq!(kept::<Key>(), 2);
        drop((text, number));
        assert_eq!(kept::<Key>(), 0);
    }

    /// Uses the shelf for itself while it is compared.
    struct Curious;

    impl Hash for Curious {
        fn hash<H: Hasher>(&self, state: &mut H) {
            0_u8.hash(state);
        }
    }

    impl PartialEq for Curious {
        fn eq(&self, _: &Self) -> bool {
            drop(enter::<_, u8>("looked up in a comparison"));
            true
        }
    }

    impl Eq for Curious {}

    impl Drop for Curious {
        fn drop(&mut self) {
            drop(enter::<_, u8>("looked up in a destructor"));
        }
    }

    #[test]
    fn keys_may_use_the_shelf_when_they_are_compared_and_destroyed() {
        let visits = [enter::<_, ()>(Curious), enter::<_, ()>(Curious)];
        assert_eq!(kept::<Curious>(), 1);
        drop(visits);
        assert_eq!(kept::<Curious>(), 0);
    }

    #[test]
    fn a_key_that_panics_leaves_the_shelf_usable() {
        #[derive(PartialEq, Eq)]
        struct Panicking;
        impl Hash for Panicking {
            fn hash<H: Hasher>(&self, _: &mut H) {
                panic!("this key has no hash");
            }
        }
        let entered = std::panic::catch_unwind(|| drop(enter::<_, ()>(Panicking)));
        assert!(entered.is_err());
        drop(enter::<_, ()>("another"));
    }
}
