//! What is said to systemd, if it listens (`Type=notify`); see sd_notify(3).

use sd_notify::NotifyState;

/// Everything has started, or was read again.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// What `systemctl status` shows.
pub(super) fn status(status: &str) {
    notify(&[NotifyState::Status(status)]);
}

/// Certificates and tokens are being read again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// Nothing new is taken.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    // Without systemd this does nothing. A systemd that cannot be told will say so.
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
