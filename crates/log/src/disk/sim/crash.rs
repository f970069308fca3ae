//! What is on the disk after a power loss.

use super::*;

impl SimDisk {
    /// The disk as a power loss now could leave it, in one of many ways: the
    /// seed decides in which.
    pub fn crash(&self, seed: u64) -> SimDisk {
        SimDisk::of(self.machine.root.crash(&mut Luck::new(seed)))
    }
}

impl SimDisk {
    /// The disk as it is now, for who goes on with it after the process that
    /// uses it has ended, while in the test it has not.
    pub fn killed(&self) -> SimDisk {
        SimDisk::of(self.machine.root.copy(&mut BTreeMap::new()))
    }
}

/// What became of contents, by where they are.
type Copies = BTreeMap<*const Content, Arc<Content>>;

impl Directory {
    pub(super) fn copy(&self, copies: &mut Copies) -> Arc<Directory> {
        let mut copy = |content: &Arc<Content>| {
            let copied = copies.entry(Arc::as_ptr(content)).or_insert_with(|| content.copy());
            Arc::clone(copied)
        };
        let names = self.names.lock();
        let mut all = |names: &BTreeMap<String, Arc<Content>>| -> BTreeMap<_, _> {
            names.iter().map(|(name, content)| (name.clone(), copy(content))).collect()
        };
        let (now, synced) = (all(&names.now), all(&names.synced));
        let change = |change: &Change| match change {
            Change::Create(name, content) => Change::Create(name.clone(), copy(content)),
            other => other.clone(),
        };
        let names = Names { now, synced, since: names.since.iter().map(change).collect() };
        let subdirs = self.subdirs.lock();
        let subdirs = subdirs.iter().map(|(name, dir)| (name.clone(), dir.copy(copies))).collect();
        Arc::new(Directory { names: Mutex::new(names), subdirs: Mutex::new(subdirs) })
    }

    pub(super) fn crash(&self, luck: &mut Luck) -> Arc<Directory> {
        let names = self.names.lock();
        let mut left = names.synced.clone();
        // Either the journal was cut off somewhere, or each change was on its
        // own.
        let cut = luck.below(names.since.len() + 1);
        let in_order = luck.one_in(2);
        for (i, change) in names.since.iter().enumerate() {
            if if in_order { i < cut } else { luck.one_in(2) } {
                change.apply(&mut left);
            }
        }
        drop(names);
        let now: BTreeMap<_, _> =
            left.iter().map(|(name, content)| (name.clone(), content.crash(luck))).collect();
        let names = Names { synced: now.clone(), now, since: Vec::new() };
        let subdirs = self.subdirs.lock();
        let subdirs = subdirs.iter().map(|(name, dir)| (name.clone(), dir.crash(luck))).collect();
        Arc::new(Directory { names: Mutex::new(names), subdirs: Mutex::new(subdirs) })
    }
}

impl Content {
    fn copy(&self) -> Arc<Content> {
        let copy = Content::new(&self.bytes());
        *copy.synced.lock() = self.synced.lock().clone();
        copy
    }

    fn crash(&self, luck: &mut Luck) -> Arc<Content> {
        let (old, new) = (self.synced.lock().clone(), self.bytes());
        // The length is metadata and goes its own ways.
        let len = match luck.below(3) {
            0 => old.len(),
            1 => new.len(),
            _ => {
                let (least, most) = (old.len().min(new.len()), old.len().max(new.len()));
                least + luck.below(most - least + 1) / SECTOR_BYTES * SECTOR_BYTES
            }
        };
        // Everything, nothing, or some of what was written.
        let kind = luck.below(4);
        let mut bytes = vec![0; len];
        for (i, sector) in bytes.chunks_mut(SECTOR_BYTES).enumerate() {
            let take_new = match kind {
                0 => false,
                1 => true,
                2 => luck.one_in(2),
                _ => !luck.one_in(8),
            };
            let from = if take_new { &new } else { &old };
            let at = i * SECTOR_BYTES;
            // What the file did not reach are zeros.
            let there = from.len().saturating_sub(at).min(sector.len());
            sector[..there].copy_from_slice(&from[from.len().min(at)..][..there]);
        }
        Content::new(&bytes)
    }
}
