//! How fast it is. `cargo test --release -- --ignored --nocapture tree_speed`

use hozo_log::disk::{Disk, RealDisk};

use super::*;
use crate::index::pager::Pager;

const KEYS: u64 = 10_000_000;
const NAMESPACES: u64 = 8;

/// Space, namespace, page, version: 23 bytes.
fn key(namespace: u64, page: u32, version: u64) -> [u8; 23] {
    let mut key = [0; 23];
    key[0] = 2;
    key[1..9].copy_from_slice(&namespace.to_be_bytes());
    key[9..13].copy_from_slice(&page.to_be_bytes());
    key[15..].copy_from_slice(&version.to_be_bytes());
    key
}

fn scattered(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

/// Nanoseconds on a CPU, so that what else runs counts less.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

fn timed<T>(what: &str, times: u64, run: impl FnOnce() -> T) -> T {
    let begun = cpu_ns();
    let result = run();
    println!("{what:48} {:6.0} ns", (cpu_ns() - begun) as f64 / times as f64);
    result
}

fn pager() -> (tempfile::TempDir, Pager) {
    let dir = tempfile::tempdir().unwrap();
    let disk = RealDisk::open(dir.path()).unwrap();
    let pager = Pager::create(disk.create("index").unwrap()).unwrap();
    (dir, pager)
}

fn say(tree: &Tree, pages: &Pager) {
    let shape = timed("check, per key", tree.entries(), || tree.check(pages).unwrap());
    println!("  {} percent full, {} levels, {shape:?}", shape.fill(), tree.levels);
}

fn reads(tree: &Tree, pages: &Pager, nth: impl Fn(u64) -> [u8; 23]) {
    const READS: u64 = 2_000_000;
    let order = |n: u64| scattered(n ^ 0x5555) % KEYS;
    timed("  (making the keys)", READS, || (0..READS).fold(0u8, |sum, n| sum ^ nth(order(n))[22]));
    let mut numbers = Vec::new();
    tree.page_numbers(pages, &mut |no| {
        numbers.push(no);
        Ok(())
    })
    .unwrap();
    timed("  (one byte of a page, anywhere)", READS, || {
        (0..READS).fold(0, |last, n| {
            let at = scattered(n ^ u64::from(last)) as usize % numbers.len();
            TreePages::page(pages, numbers[at]).unwrap()[2000]
        })
    });
    timed("get, anywhere", READS, || {
        for n in 0..READS {
            assert!(tree.get(pages, &nth(order(n))).unwrap().is_some());
        }
    });
    timed("get, among 100,000", READS, || {
        for n in 0..READS {
            assert!(tree.get(pages, &nth(order(n) % 100_000)).unwrap().is_some());
        }
    });
    let mut found = Vec::new();
    timed("last_at_or_below, anywhere", READS, || {
        for n in 0..READS {
            let key = nth(order(n));
            let last = tree.last_at_or_below(pages, &key, &key[..15], &mut found);
            assert!(last.unwrap().is_some());
        }
    });
    for direction in [Direction::Up, Direction::Down] {
        timed(&format!("cursor {direction:?}"), KEYS, || {
            let mut cursor = Cursor::new(b"", None, direction);
            while cursor.next(tree, pages).unwrap().is_some() {}
        });
        timed(
            &format!("cursor {direction:?}, the first 10,000 again and again"),
            1_000_000,
            || {
                for _ in 0..100 {
                    let mut cursor = Cursor::new(b"", None, direction);
                    for _ in 0..10_000 {
                        cursor.next(tree, pages).unwrap();
                    }
                }
            },
        );
    }
}

#[test]
#[ignore = "takes a minute and is worth something only in a release build"]
fn tree_speed() {
    println!("one sequence per namespace, interleaved");
    let (_dir, pages) = pager();
    let mut tree = Tree::new();
    let nth = |n: u64| key(n % NAMESPACES, 7, n / NAMESPACES);
    timed("insert", KEYS, || {
        for n in 0..KEYS {
            tree.insert(&pages, &nth(n), n).unwrap();
        }
    });
    say(&tree, &pages);
    reads(&tree, &pages, nth);
    let mut gone = 0;
    timed("remove_range, all", KEYS, || {
        tree.remove_range(&pages, b"", None, &mut |_, _| gone += 1).unwrap();
    });
    assert_eq!((gone, pages.pages_used()), (KEYS, 1));

    println!("versions of 100,000 scattered pages per namespace");
    let mut tree = Tree::new();
    let nth = |n: u64| key(n % NAMESPACES, (scattered(n) % 100_000) as u32, n);
    timed("insert", KEYS, || {
        for n in 0..KEYS {
            tree.insert(&pages, &nth(n), n).unwrap();
        }
    });
    say(&tree, &pages);
    reads(&tree, &pages, nth);
    let frozen = pages.freeze();
    timed("insert after a checkpoint, for 100,000", 100_000, || {
        for n in KEYS..KEYS + 100_000 {
            tree.insert(&pages, &nth(n), n).unwrap();
        }
    });
    pages.release(frozen);
    timed("update", 2_000_000, || {
        for n in 0..2_000_000 {
            assert!(tree.update(&pages, &nth(n), n, n).unwrap());
        }
    });
    timed("remove, scattered", KEYS, || {
        for n in 0..KEYS {
            assert!(tree.remove(&pages, &nth(n)).unwrap().is_some());
        }
    });
    say(&tree, &pages);
}
