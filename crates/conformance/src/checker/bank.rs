//! The bank: each page is an account, transactions move money.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{Ambient, CommitId, NamespaceId, PageNo, PageStore, Version};

use super::client::{Client, Found, Gated, PAGE_SIZE, Place, Setup, run, whole_log};
use super::gate::Overlap;
use super::violation::{Anomaly, Violation};

/// Few, so that transfers meet.
const ACCOUNTS: usize = 6;
const FIRST_BALANCE: u64 = 1000;
const TOTAL: u64 = ACCOUNTS as u64 * FIRST_BALANCE;

/// A transfer as its client saw it.
struct Transfer {
    id: CommitId,
    made: Option<Version>,
    read: BTreeMap<Place, u64>,
    wrote: BTreeMap<Place, u64>,
}

type Ledger = Arc<Mutex<Vec<Transfer>>>;

fn accounts(setup: &Setup) -> Vec<Place> {
    let place = |i: usize| {
        let namespace = NamespaceId(1 + (i % setup.namespaces) as u64);
        let page = PageNo::new(1 + (i / setup.namespaces) as u32);
        (namespace, page.unwrap_or(PageNo::ONE))
    };
    (0..ACCOUNTS).map(place).collect()
}

fn encode(balance: u64) -> Bytes {
    let mut bytes = vec![0; PAGE_SIZE.get() as usize];
    // At both ends, so that half a page is noticed.
    bytes[..8].copy_from_slice(&balance.to_le_bytes());
    let end = bytes.len() - 8;
    bytes[end..].copy_from_slice(&balance.to_le_bytes());
    bytes.into()
}

fn balances(found: &[Found]) -> Result<BTreeMap<Place, u64>, Violation> {
    let one = |(place, image): &Found| {
        let bytes = image.as_ref().map(|image| &image.bytes);
        let balance = bytes.map(|b| u64::from_le_bytes(b[..8].try_into().expect("8 bytes")));
        match balance {
            Some(balance) if bytes == Some(&encode(balance)) => Ok((*place, balance)),
            _ => Err(Violation::new(Anomaly::Garbage, format!("account {place:?} is no account"))),
        }
    };
    found.iter().map(one).collect()
}

fn check_sum(at: Version, balances: &BTreeMap<Place, u64>) -> Result<(), Violation> {
    let sum: u64 = balances.values().sum();
    if sum == TOTAL {
        return Ok(());
    }
    Err(Violation::new(Anomaly::Sum, format!("{sum} instead of {TOTAL} at {at}: {balances:?}")))
}

/// Runs transfers, with audits between them, and checks that no snapshot ever
/// shows another sum, that every transfer read what was there when it was
/// committed, and that the log has the transfers that were made.
///
/// # Errors
/// The anomaly that was found, or that too little happened.
pub fn bank(
    store: &Arc<dyn PageStore>,
    ambient: &Arc<dyn Ambient>,
    setup: &Setup,
) -> Result<Overlap, Violation> {
    let mut opening = Client::new(Arc::clone(store), Arc::clone(ambient), setup, "the first");
    let everything = accounts(setup).into_iter().map(|a| (a, encode(FIRST_BALANCE))).collect();
    let opened = block_on(opening.commit(Version::ZERO, &[], everything))?;
    let ledger = Ledger::default();
    let overlap = run(store, setup, |n, gated: Gated| {
        let client = Client::new(gated, Arc::clone(ambient), setup, &n.to_string());
        Box::pin(work(client, Arc::clone(&ledger), *setup))
    })?;
    let ledger = std::mem::take(&mut *ledger.lock().unwrap_or_else(PoisonError::into_inner));
    let refused = ledger.iter().filter(|transfer| transfer.made.is_none()).count();
    check_log(store, setup, &ledger, opened.id)?;
    replay(store, setup, ledger, opened.made)?;
    if refused == 0 {
        return Err(Violation::new(Anomaly::Inconclusive, "no two transfers met"));
    }
    Ok(overlap)
}

async fn work(mut client: Client, ledger: Ledger, setup: Setup) -> Result<(), Violation> {
    let accounts = accounts(&setup);
    for _ in 0..setup.transactions {
        let at = client.snapshot().await?;
        if client.rng.one_in(4) {
            check_sum(at, &balances(&client.read(&accounts, at).await?)?)?;
            continue;
        }
        let from = client.rng.below(ACCOUNTS);
        let to = (from + 1 + client.rng.below(ACCOUNTS - 1)) % ACCOUNTS;
        let (from, to) = (accounts[from], accounts[to]);
        let found = client.read(&[from, to], at).await?;
        let read = balances(&found)?;
        let amount = client.rng.below(read[&from] as usize + 1) as u64;
        let wrote = BTreeMap::from([(from, read[&from] - amount), (to, read[&to] + amount)]);
        let images = wrote.iter().map(|(place, balance)| (*place, encode(*balance))).collect();
        let ended = client.commit(at, &found, images).await?;
        let transfer = Transfer { id: ended.id, made: ended.made, read, wrote };
        ledger.lock().unwrap_or_else(PoisonError::into_inner).push(transfer);
    }
    Ok(())
}

/// Goes through the transfers in the order of their versions. Each must have
/// read what those before it left, and the store must show it at its version.
fn replay(
    store: &Arc<dyn PageStore>,
    setup: &Setup,
    mut ledger: Vec<Transfer>,
    opened: Option<Version>,
) -> Result<(), Violation> {
    let accounts = accounts(setup);
    ledger.sort_by_key(|transfer| transfer.made);
    let mut expected: BTreeMap<Place, u64> = accounts.iter().map(|a| (*a, FIRST_BALANCE)).collect();
    let mut last = opened;
    let reader = Client::new(Arc::clone(store), Arc::new(hozo_traits::SystemAmbient), setup, "");
    for transfer in &ledger {
        let Some(version) = transfer.made else { continue };
        let not_serial = |text: String| Err(Violation::new(Anomaly::NotSerial, text));
        if last >= Some(version) {
            return not_serial(format!("two commits have version {version}"));
        }
        last = Some(version);
        for (place, balance) in &transfer.read {
            if expected[place] != *balance {
                let there = expected[place];
                return not_serial(format!(
                    "{place:?} was read as {balance} for {version}, was {there}"
                ));
            }
        }
        expected.extend(&transfer.wrote);
        let shown = balances(&block_on(reader.read(&accounts, version))?)?;
        check_sum(version, &shown)?;
        if shown != expected {
            return not_serial(format!("{version} shows {shown:?}, should show {expected:?}"));
        }
    }
    Ok(())
}

fn check_log(
    store: &Arc<dyn PageStore>,
    setup: &Setup,
    ledger: &[Transfer],
    opened: CommitId,
) -> Result<(), Violation> {
    for n in 1..=setup.namespaces as u64 {
        let namespace = NamespaceId(n);
        let made = ledger.iter().filter(|t| t.wrote.keys().any(|(ns, _)| *ns == namespace));
        let mut expected: BTreeMap<CommitId, Version> =
            made.filter_map(|t| Some((t.id, t.made?))).collect();
        for (id, version) in
            whole_log(store, namespace)?.into_iter().filter(|(id, _)| *id != opened)
        {
            if expected.remove(&id) != Some(version) {
                let text = format!("the log of {namespace} has {id} at {version}");
                return Err(Violation::new(Anomaly::Log, text));
            }
        }
        if let Some((id, version)) = expected.first_key_value() {
            let text = format!("the log of {namespace} has not {id}, made at {version}");
            return Err(Violation::new(Anomaly::Log, text));
        }
    }
    Ok(())
}
