//! Transfers between accounts: the sum never changes.

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{Expected, KvStore, KvStoreExt, Present, PresentValue, Selection};

use super::clauses::overlap;
use super::kit::{Kit, NOW, Working, b, set, together};

const ACCOUNTS: u8 = 5;
const START: i64 = 100;
const TRANSFERS: usize = 150;

/// How money is moved.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// One update of both accounts.
    Update,
    /// Reading, and comparing when it is written; again if it was too late.
    Comparing,
}

fn amount(value: Option<&Bytes>) -> i64 {
    let value = value.expect("no account is ever gone");
    i64::from_be_bytes(value[..].try_into().expect("an account has 8 bytes"))
}

fn read(present: &Present) -> i64 {
    match &present.value {
        PresentValue::Is(value) => amount(Some(value)),
        other => panic!("an account is {other:?}"),
    }
}

pub(super) fn run(kit: &Kit, by: By) {
    let accounts: Vec<Bytes> = (0..ACCOUNTS).map(|n| b([n])).collect();
    for account in &accounts {
        kit.put(account, START.to_be_bytes());
    }
    let sum = START * i64::from(ACCOUNTS);
    let working = Working::new(3);
    let audits = together(4, |me| {
        let dbm = kit.dbm();
        if me < 3 {
            let _worker = working.one();
            let mut rng = kit.rng().fork(&me.to_string());
            for _ in 0..TRANSFERS {
                let from = rng.below(accounts.len());
                let to = (from + 1 + rng.below(accounts.len() - 1)) % accounts.len();
                let pair = [accounts[from].clone(), accounts[to].clone()];
                let money = rng.below(30) as i64;
                match by {
                    By::Update => move_by_update(&*dbm, &pair, money, &mut rng),
                    By::Comparing => while !move_by_comparing(&*dbm, &pair, money) {},
                }
            }
            return 0;
        }
        let mut audits = 0;
        loop {
            let last = !working.goes_on();
            let mut total = 0;
            let selection = Selection::Keys { keys: &accounts, values: true };
            let look = &mut |found: &[Present]| {
                total = found.iter().map(read).sum();
                Ok(Vec::new())
            };
            block_on(dbm.update(selection, NOW, look)).expect("looked");
            assert_eq!(total, sum, "the sum of all accounts, seen at one moment");
            audits += 1;
            if last {
                return audits;
            }
        }
    });
    assert!(audits[3] > 0);
    let found = block_on(kit.dbm().get_many(&accounts)).expect("read");
    assert_eq!(found.iter().map(|value| amount(value.as_ref())).sum::<i64>(), sum);
}

fn move_by_update(dbm: &dyn KvStore, pair: &[Bytes; 2], money: i64, rng: &mut crate::Rng) {
    let selection = Selection::Keys { keys: pair, values: true };
    let change = &mut |found: &[Present]| {
        overlap(rng);
        let (from, to) = (read(&found[0]), read(&found[1]));
        Ok(vec![
            set(&pair[0], (from - money).to_be_bytes()),
            set(&pair[1], (to + money).to_be_bytes()),
        ])
    };
    block_on(dbm.update(selection, NOW, change)).expect("moved");
}

fn move_by_comparing(dbm: &dyn KvStore, pair: &[Bytes; 2], money: i64) -> bool {
    let found = block_on(dbm.get_many(pair)).expect("read");
    let (from, to) = (amount(found[0].as_ref()), amount(found[1].as_ref()));
    let expected = [
        (pair[0].clone(), Expected::Is(b(from.to_be_bytes()))),
        (pair[1].clone(), Expected::Is(b(to.to_be_bytes()))),
    ];
    let desired = [
        (pair[0].clone(), Some(b((from - money).to_be_bytes()))),
        (pair[1].clone(), Some(b((to + money).to_be_bytes()))),
    ];
    block_on(dbm.compare_exchange_many(&expected, &desired, NOW)).expect("compared")
}
