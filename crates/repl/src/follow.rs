//! Following a source: connecting, applying, acknowledging, and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join, join_all};
use hozo_traits::{
    ChangeFeed, Error, ErrorKind, FeedPart, FollowState, Position, Reader, Result, Role,
    SourceStatus, Start, Timestamp, Update, What,
};
use parking_lot::Mutex;

use crate::apply::Applied;
use crate::load::{CatchingUp, load, refuse_to_load};
use crate::loading::Loading;
use crate::pages::Commits;
use crate::retry::{Attempts, retrying};
use crate::shared::Shared;
use crate::signal::Signal;

/// Bytes of updates at once.
pub(crate) const PART_BYTES: usize = 1 << 20;

/// How sources are reached, and how time passes.
#[async_trait]
pub trait Network: Send + Sync {
    /// Connects to the server at an address, on behalf of `me`.
    async fn connect(&self, address: &str, me: &Reader) -> Result<Arc<dyn ChangeFeed>>;

    /// Waits so long.
    async fn sleep(&self, time: Duration);
}

/// Whom a server follows, and how that goes.
#[derive(Default)]
pub(crate) struct Follow {
    /// Another one each time somebody else is to be followed, or nobody.
    pub(crate) generation: AtomicU64,
    /// How many are applying updates or commits.
    applying: AtomicUsize,
    /// Either of both changed.
    pub(crate) changed: Signal,
    status: Mutex<Option<SourceStatus>>,
    /// The time of the newest update of the source that is here.
    pub(crate) newest: Mutex<Timestamp>,
}

impl Follow {
    /// What was followed is not any more; answers when nothing of it is being
    /// applied any more.
    pub(crate) async fn turn(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.changed.tell();
        self.changed.until(|| (self.applying.load(Ordering::SeqCst) == 0).then_some(())).await;
    }

    pub(crate) fn status(&self) -> Option<SourceStatus> {
        self.status.lock().clone()
    }

    pub(crate) fn note(&self, change: impl FnOnce(&mut SourceStatus)) {
        if let Some(status) = &mut *self.status.lock() {
            change(status);
        }
    }
}

/// Marks that updates are being applied, for as long as it lives.
pub(crate) struct Applying<'a>(&'a Follow);

impl<'a> Applying<'a> {
    /// `None` if they are not to be any more.
    pub(crate) fn begin(follow: &'a Follow, generation: u64) -> Option<Applying<'a>> {
        follow.applying.fetch_add(1, Ordering::SeqCst);
        let applying = Applying(follow);
        (follow.generation.load(Ordering::SeqCst) == generation).then_some(applying)
    }
}

impl Drop for Applying<'_> {
    fn drop(&mut self) {
        self.0.applying.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.tell();
    }
}

/// Why following ended for now.
pub(crate) enum End {
    /// Somebody else is to be followed, or nobody.
    Turned,
    /// Trying again makes no sense.
    Stopped(Error),
    /// The log is not enough.
    NeedsSnapshot,
}

/// Follows whomever the server is to follow, until it stops: its records, and the
/// namespaces of each store, which do not wait for each other.
pub(crate) async fn run(shared: Arc<Shared>, network: Arc<dyn Network>) {
    let records = Records { shared: &shared, network: &*network };
    let stores = shared.pages.stores.iter();
    let stores = stores.map(|store| Commits { shared: &shared, network: &*network, store });
    let stores: Vec<_> = stores.collect();
    let all = stores.iter().map(|commits| retrying(&shared, &*network, commits));
    join(retrying(&shared, &*network, &records), join_all(all)).await;
}

/// Follows the records of a source.
struct Records<'a> {
    shared: &'a Shared,
    network: &'a dyn Network,
}

#[async_trait]
impl Attempts for Records<'_> {
    fn begin(&self, address: Option<&str>) {
        *self.shared.follow.status.lock() = address.map(|address| SourceStatus {
            address: address.to_owned(),
            server: None,
            state: FollowState::Connecting,
            error: None,
            behind: 0,
            lag: Duration::ZERO,
            loaded: None,
        });
    }

    async fn attempt(&self, address: &str, generation: u64, went_well: &AtomicBool) -> Result<End> {
        attempt(self.shared, self.network, address, generation, went_well).await
    }

    fn failed(&self, state: FollowState, error: &Error) {
        self.shared.follow.note(|status| {
            status.state = state;
            status.error = Some(error.to_string());
        });
    }

    fn what(&self) -> &str {
        "records"
    }
}

pub(crate) fn reader(shared: &Shared) -> Reader {
    let me = shared.ulog.me();
    Reader {
        server: Some(me),
        epoch: shared.ulog.state().epoch,
        name: format!("server {me}"),
        acknowledges: shared.config.acknowledge,
    }
}

async fn attempt(
    shared: &Shared,
    network: &dyn Network,
    address: &str,
    generation: u64,
    went_well: &AtomicBool,
) -> Result<End> {
    let follow = &shared.follow;
    // What is settled would come between the records of a snapshot.
    shared.unsettled.refuse()?;
    let me = reader(shared);
    let feed = network.connect(address, &me).await?;
    follow.note(|status| status.server = Some(feed.server()));
    let numbered = !feed.dbms().is_empty();
    let epoch = me.epoch;
    if numbered && feed.epoch() < epoch {
        // It takes writes, perhaps, and is to know that it is not the master any more.
        let start = Start::After(shared.ulog.state().position);
        match feed.open(start, me).await {
            Err(error) if error.kind() != ErrorKind::ReadOnly => return Err(error),
            _ => {}
        }
        return Err(Error::new(
            ErrorKind::ReadOnly,
            "the source is of an older epoch than this server knows: another was promoted since",
        )
        .with("source_epoch", feed.epoch())
        .with("epoch", epoch));
    }
    if let Some(end) = fits(shared, &*feed)? {
        return Ok(end);
    }
    let loading = Loading::read(shared.ulog.disk())?;
    let catching_up = {
        let Some(_applying) = Applying::begin(follow, generation) else { return Ok(End::Turned) };
        CatchingUp::begin(shared, &*feed, loading.as_ref())?
    };
    let Some(mut catching_up) = catching_up else {
        return load(shared, &*feed, loading, generation, went_well).await;
    };
    if numbered && has_records_of_its_own(shared).await? {
        return Ok(End::Stopped(Error::new(
            ErrorKind::Conflict,
            "this server has records of which its update log knows nothing, and following would \
             mix them with its source's: remove its stores to begin anew as a follower, or let \
             it be a master",
        )));
    }
    let start = match numbered {
        true => Start::After(shared.ulog.state().position),
        false => Start::Since(since(shared, &*feed)),
    };
    let opened = feed.open(start, me).await;
    let mut updates = match opened {
        Ok(updates) => updates,
        Err(error) => match error.kind() {
            ErrorKind::VersionGone => {
                tracing::info!(
                    source = address,
                    "the source's log does not reach back: loading all records"
                );
                return load(shared, &*feed, None, generation, went_well).await;
            }
            ErrorKind::Conflict => return Ok(End::Stopped(error)),
            _ => return Err(error),
        },
    };
    went_well.store(true, Ordering::Relaxed);
    let here = shared.ulog.state().position;
    follow.note(|status| {
        status.state = FollowState::Following;
        status.error = None;
        status.loaded = None;
        status.behind = here.behind(&feed.head());
    });
    let acknowledges = shared.config.acknowledge;
    if numbered {
        // The source may not know: it was started again, or an acknowledgement was
        // lost with a connection. Somebody may wait for it, and no update be to come.
        shared.ulog.wait(shared.ulog.end()).await?;
        if catching_up.is_over(shared)? && acknowledges {
            updates.acknowledge(&here, epoch)?;
        }
    }
    // What the source has of this server's updates it says first.
    let mut theirs = Position::default();
    loop {
        let part = match updates.next(PART_BYTES).await {
            Err(error) if error.kind() == ErrorKind::Conflict => return Ok(End::Stopped(error)),
            part => part?,
        };
        let any = !part.updates.is_empty();
        if any {
            let Some(_applying) = Applying::begin(follow, generation) else {
                return Ok(End::Turned);
            };
            if let Some(error) = left_behind(shared, &part) {
                return Ok(End::Stopped(error));
            }
            let mut batch = shared.batch();
            let mut applied = Ok(Applied::Done);
            for update in &part.updates {
                applied = shared.apply(update, &mut theirs, &mut batch).await;
                if !matches!(applied, Ok(Applied::Done | Applied::Known)) {
                    break;
                }
            }
            batch.finish().await?;
            match applied {
                Ok(Applied::NeedsSnapshot) => {
                    drop(updates);
                    if let Some(end) = refuse_to_load(shared) {
                        return Ok(end);
                    }
                    Loading::default().write(shared.ulog.disk())?;
                    return Ok(End::NeedsSnapshot);
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Invalid) => {
                    return Ok(End::Stopped(error));
                }
                Err(error) => return Err(error),
            }
            if let Some(last) = part.updates.last() {
                let mut newest = follow.newest.lock();
                *newest = last.time.max(*newest);
            }
        }
        heard(shared, &part);
        if any && numbered {
            let position = shared.ulog.state().position;
            shared.ulog.wait(shared.ulog.end()).await?;
            if catching_up.is_over(shared)? && acknowledges {
                updates.acknowledge(&position, shared.ulog.state().epoch)?;
            }
        }
    }
}

/// What the source said last of itself.
fn heard(shared: &Shared, part: &FeedPart) {
    let here = shared.ulog.state().position;
    let behind = here.behind(&part.head);
    let newest = *shared.follow.newest.lock();
    let lag = match behind {
        0 => 0,
        _ => shared.ambient.now().as_micros().saturating_sub(newest.as_micros()),
    };
    shared.follow.note(|status| {
        status.behind = behind;
        status.lag = Duration::from_micros(lag);
    });
}

/// From when on to ask a server whose updates have no numbers.
fn since(shared: &Shared, feed: &dyn ChangeFeed) -> Timestamp {
    let known = shared.ulog.state().foreign_of(feed.server()).unwrap_or_default();
    let skew = shared.standing.lock().skew_ms;
    let micros = known.as_micros() as i128 + i128::from(skew) * 1000;
    Timestamp::from_micros(u64::try_from(micros.max(0)).unwrap_or(u64::MAX))
}

/// Whether there are records although nothing was ever logged: from before there was
/// a log, or the log was removed.
async fn has_records_of_its_own(shared: &Shared) -> Result<bool> {
    let follower = shared.standing.lock().role == Role::Follower;
    if !follower || shared.ulog.state().position != Position::default() {
        return Ok(false);
    }
    for records in &shared.records {
        if records.count().await? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a source can be followed at all.
fn fits(shared: &Shared, feed: &dyn ChangeFeed) -> Result<Option<End>> {
    let me = shared.ulog.me();
    let invalid = |message: &'static str| Error::new(ErrorKind::Invalid, message);
    if feed.server() == me {
        let error = invalid("the source has the server id of this one: each has one of its own");
        return Ok(Some(End::Stopped(error.with("server_id", me))));
    }
    let theirs = feed.dbms();
    if theirs.is_empty() {
        return Ok(None);
    }
    let state = shared.ulog.state();
    let ours = &state.dbms;
    if let Some(index) = (0..theirs.len()).find(|index| ours.get(*index) != theirs.get(*index)) {
        let error = invalid(
            "the source has other DBMs: the configs of both name the same ones in the same order",
        )
        .with("index", index)
        .with("source", &theirs[index])
        .with("here", ours.get(index).map_or("none", String::as_str));
        return Ok(Some(End::Stopped(error)));
    }
    let role = shared.standing.lock().role;
    let (own, known) = (state.position.of(me), feed.head().of(me));
    if role == Role::Follower && own.seq > known.seq {
        let error = Error::new(
            ErrorKind::Conflict,
            "this server has updates of its own that the source never got, from when it was a \
             master: promote it, or remove its update log and its stores to begin anew as a \
             follower",
        )
        .with("updates", own.seq - known.seq);
        return Ok(Some(End::Stopped(error)));
    }
    Ok(None)
}

/// An error if a master was promoted that never had what this follower has. Who
/// has the promotion in its log has all before it that there is in this history.
fn left_behind(shared: &Shared, part: &FeedPart) -> Option<Error> {
    let here = shared.ulog.state().position;
    let unknown = |update: &Update| update.reach.seq > here.of(update.origin).seq;
    let promotes = |update: &&Update| matches!(update.what, What::Epoch(_)) && unknown(update);
    let promotion = part.updates.iter().find(promotes)?;
    if shared.standing.lock().role.takes_writes() {
        return None;
    }
    let (server, reach) =
        here.iter().find(|(server, reach)| part.position.of(*server).seq < reach.seq)?;
    Some(
        Error::new(
            ErrorKind::Conflict,
            "this follower has updates that the new master never got: promote this one, or remove \
             its update log and its stores to begin anew",
        )
        .with("new_master", promotion.origin)
        .with("server", server)
        .with("update", reach.seq),
    )
}
