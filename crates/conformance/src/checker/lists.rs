//! The list-append workload: each page is a list to which transactions append.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{Ambient, NamespaceId, PageNo, PageStore};

use super::append::check_strict;
use super::client::{Client, Gated, PAGE_SIZE, Place, Setup, run};
use super::history::{Key, Outcome, Recorder, Value};
use super::violation::{Anomaly, Report, Violation};

/// Lists that are in use at a time; few, so that transactions meet.
const LISTS: u64 = 5;
/// After so many appends others are used, since a page holds only so much.
const APPENDS: u64 = 500;

struct Shared {
    recorder: Recorder,
    next: AtomicU64,
    namespaces: u64,
}

impl Shared {
    fn place(&self, key: Key) -> Place {
        let page = u32::try_from(1 + key / self.namespaces).ok().and_then(PageNo::new);
        (NamespaceId(1 + key % self.namespaces), page.unwrap_or(PageNo::ONE))
    }

    fn a_key(&self, client: &mut Client) -> Key {
        let generation = self.next.load(Ordering::Relaxed) / APPENDS;
        generation * LISTS + client.rng.below(LISTS as usize) as u64
    }
}

fn encode(list: &[Value]) -> Bytes {
    let mut bytes: Vec<u8> = std::iter::once(list.len() as u64)
        .chain(list.iter().copied())
        .flat_map(u64::to_le_bytes)
        .collect();
    assert!(bytes.len() <= PAGE_SIZE.get() as usize, "a list outgrew its page");
    bytes.resize(PAGE_SIZE.get() as usize, 0);
    bytes.into()
}

fn decode(bytes: &[u8]) -> Result<Vec<Value>, Violation> {
    let mut numbers =
        bytes.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes")));
    let length = numbers.next().unwrap_or(0) as usize;
    let list: Vec<Value> = numbers.take(length).collect();
    if list.len() == length && encode(&list) == bytes {
        return Ok(list);
    }
    Err(Violation::new(Anomaly::Garbage, "a page is not as anybody wrote it"))
}

/// Runs transactions that read lists and append to them, and checks that they
/// could have run one after the other, each between its start and its end.
///
/// # Errors
/// The anomaly that was found, or that too little happened.
pub fn list_append(
    store: &Arc<dyn PageStore>,
    ambient: &Arc<dyn Ambient>,
    setup: &Setup,
) -> Result<Report, Violation> {
    let shared = Arc::new(Shared {
        recorder: Recorder::new(),
        next: AtomicU64::new(0),
        namespaces: setup.namespaces as u64,
    });
    run(store, setup, |n, gated: Gated| {
        let client = Client::new(gated, Arc::clone(ambient), setup, &n.to_string());
        Box::pin(work(client, Arc::clone(&shared), n as u32, setup.transactions))
    })?;
    let client = Client::new(Arc::clone(store), Arc::clone(ambient), setup, "the last");
    let last = shared.next.load(Ordering::Relaxed) / APPENDS;
    let keys: BTreeSet<Key> = (0..(last + 1) * LISTS).collect();
    block_on(read_only(&client, &shared, u32::MAX, &keys))?;
    let shared = Arc::into_inner(shared).expect("all workers have ended");
    let report = check_strict(&shared.recorder.into_history())?;
    if report.contended * 4 < report.committed || report.aborted == 0 || report.rw == 0 {
        let text = format!("transactions hardly met: {report:?}");
        return Err(Violation::new(Anomaly::Inconclusive, text));
    }
    Ok(report)
}

async fn work(
    mut client: Client,
    shared: Arc<Shared>,
    process: u32,
    transactions: usize,
) -> Result<(), Violation> {
    for _ in 0..transactions {
        let keys: BTreeSet<Key> =
            (0..1 + client.rng.below(3)).map(|_| shared.a_key(&mut client)).collect();
        if client.rng.one_in(4) {
            read_only(&client, &shared, process, &keys).await?;
        } else {
            read_and_append(&mut client, &shared, process, &keys).await?;
        }
    }
    Ok(())
}

async fn lists(
    client: &Client,
    shared: &Shared,
    keys: &BTreeSet<Key>,
    found: &mut Vec<super::client::Found>,
) -> Result<(hozo_traits::Version, BTreeMap<Key, Vec<Value>>), Violation> {
    let at = client.snapshot().await?;
    let places: Vec<Place> = keys.iter().map(|key| shared.place(*key)).collect();
    *found = client.read(&places, at).await?;
    let mut lists = BTreeMap::new();
    for &key in keys {
        let image = found.iter().find(|(place, _)| *place == shared.place(key));
        let image = image.and_then(|(_, image)| image.as_ref());
        lists.insert(key, image.map_or(Ok(Vec::new()), |image| decode(&image.bytes))?);
    }
    Ok((at, lists))
}

async fn read_only(
    client: &Client,
    shared: &Shared,
    process: u32,
    keys: &BTreeSet<Key>,
) -> Result<(), Violation> {
    let mut recording = shared.recorder.begin(process);
    let (_, lists) = lists(client, shared, keys, &mut Vec::new()).await?;
    lists.into_iter().for_each(|(key, list)| recording.read(key, list));
    recording.end(Outcome::Committed);
    Ok(())
}

async fn read_and_append(
    client: &mut Client,
    shared: &Shared,
    process: u32,
    keys: &BTreeSet<Key>,
) -> Result<(), Violation> {
    let mut recording = shared.recorder.begin(process);
    let mut found = Vec::new();
    let (at, lists) = lists(client, shared, keys, &mut found).await?;
    let mut images = Vec::new();
    for (i, (&key, list)) in lists.iter().enumerate() {
        recording.read(key, list.clone());
        // The first always, so that every transaction writes something.
        if i > 0 && client.rng.one_in(2) {
            continue;
        }
        let mut list = list.clone();
        for _ in 0..1 + client.rng.below(2) {
            let value = shared.next.fetch_add(1, Ordering::Relaxed);
            recording.append(key, value);
            list.push(value);
        }
        images.push((shared.place(key), encode(&list)));
    }
    let ended = client.commit(at, &found, images).await?;
    recording.end(if ended.made.is_some() { Outcome::Committed } else { Outcome::Aborted });
    Ok(())
}
