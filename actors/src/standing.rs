//! What this process is on its database: the one that acts, or one that waits for its turn.

use tokio::sync::watch;

/// See the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// The database has not been asked yet.
    #[default]
    Unknown,
    /// Another process acts; this one is ready to.
    Standby,
    /// This one acts, as this start of precall.
    Acting(u64),
    /// Another process has taken over: this one does nothing more.
    Superseded,
}

/// The standing as it changes.
#[derive(Debug, Default)]
pub struct Stand(watch::Sender<Standing>);

impl Stand {
    /// As it is now.
    #[must_use]
    pub fn now(&self) -> Standing {
        *self.0.borrow()
    }

    /// Changes it; once superseded it stays so. Returns whether that is news.
    pub fn set(&self, standing: Standing) -> bool {
        self.0.send_if_modified(|now| {
            let is_news = *now != standing && *now != Standing::Superseded;
            if is_news {
                *now = standing;
            }
            is_news
        })
    }

    /// Waits until another process has taken over.
    pub async fn superseded(&self) {
        let mut changes = self.0.subscribe();
        // The sender is ours: it is not gone while it is borrowed.
        let _ = changes.wait_for(|standing| *standing == Standing::Superseded).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_superseded_stays_so() {
        let stand = Stand::default();
        assert!(stand.set(Standing::Standby) && stand.set(Standing::Acting(3)));
        assert!(!stand.set(Standing::Acting(3)), "no news");
        assert!(stand.set(Standing::Superseded));
        assert!(!stand.set(Standing::Acting(4)));
        assert_eq!(stand.now(), Standing::Superseded);
    }
}
