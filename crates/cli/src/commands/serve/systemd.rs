//! What is said to systemd, if it listens (`Type=notify`); see sd_notify(3).

use sd_notify::NotifyState;

/// Everything has started, or reading again is over; and what `systemctl status` shows.
pub(super) fn ready_with(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(&line(status))]);
}

/// What `systemctl status` shows from now on.
pub(super) fn status(status: &str) {
    notify(&[NotifyState::Status(&line(status))]);
}

/// A line's end in a status would begin another message to systemd.
fn line(status: &str) -> String {
    status.split_whitespace().collect::<Vec<_>>().join(" ")
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
