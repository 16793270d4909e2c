//! Values that cannot leave their thread, one per arbiter: HTTP clients hold an `Rc`.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static BUILT: RefCell<HashMap<u64, Rc<dyn Any>>> = RefCell::default();
}

/// Builds one `T` on each arbiter on first use, and returns the same one later.
///
/// It can be sent to every arbiter; the value from [`PerArbiter::here`] stays on its own.
pub struct PerArbiter<T> {
    id: u64,
    build: Arc<dyn Fn() -> T + Send + Sync>,
}

impl<T: 'static> PerArbiter<T> {
    /// `build` runs at most once on each arbiter.
    pub fn new(build: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), build: Arc::new(build) }
    }

    /// The value of the current arbiter.
    #[must_use]
    pub fn here(&self) -> Rc<T> {
        let known = BUILT.with_borrow(|built| built.get(&self.id).cloned());
        if let Some(value) = known.and_then(|value| value.downcast::<T>().ok()) {
            return value;
        }
        let value = Rc::new((self.build)());
        let stored: Rc<dyn Any> = Rc::<T>::clone(&value);
        BUILT.with_borrow_mut(|built| built.insert(self.id, stored));
        value
    }
}

impl<T> Clone for PerArbiter<T> {
    fn clone(&self) -> Self {
        Self { id: self.id, build: Arc::clone(&self.build) }
    }
}

#[cfg(test)]
mod tests;
