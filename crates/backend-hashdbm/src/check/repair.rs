//! The repair: what can be read goes into a new volume, which then takes the
//! place of the old one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hozo_directory::io_error;
use hozo_log::disk::{Disk, RealDisk};
use hozo_log::survey::{Batch, Gap, Visit};
use hozo_log::{Entry, Log, LogOptions, Record};
use hozo_ordered::{LocalEngine, Space, salvage};
use hozo_traits::{Ambient, Error, ErrorKind, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Serialize;

use super::broken::Broken;
use super::compare::{Said, said};
use super::findings::{Findings, NAMES_MAX};
use super::volume::{Checked, Salvage};
use super::{Kind, Place, Progress, lock, name, places, segments_bytes, volume};
use crate::Config;
use crate::engine::Engine;
use crate::records::{Records, RecordsOptions};
use crate::volume::VolumeOptions;
use crate::volume::roots::ROOTS;

/// What a repair did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Repaired {
    /// Volume by volume, those that were damaged.
    pub volumes: Vec<RepairedVolume>,
}

/// What a repair did to one volume.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RepairedVolume {
    /// Its directory within the store's.
    pub volume: String,
    /// Where the damaged files are now, if there is a new volume in their
    /// place.
    pub kept: Option<PathBuf>,
    /// Versions of pages that cannot be read any more...
    pub lost_pages: u64,
    /// ...and some of them, in words.
    pub lost_page_names: Vec<String>,
}

impl RepairedVolume {
    /// What was done, a sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        match &self.kept {
            Some(kept) => said.push(format!(
                "{} was made anew of all that can be read; the damaged files are in {}, which may \
                 be removed when nobody needs them any more",
                self.volume,
                kept.display()
            )),
            None => {
                said.push(format!("the index of {} was made anew; nothing was lost", self.volume))
            }
        }
        if self.lost_pages > 0 {
            said.push(format!(
                "{} versions of pages cannot be read any more; reading them is an error",
                self.lost_pages
            ));
            said.extend(self.lost_page_names.iter().map(|name| format!("  {name}")));
            let more = self.lost_pages - self.lost_page_names.len() as u64;
            if more > 0 {
                said.push(format!("  and {more} more"));
            }
        }
        said
    }
}

/// Repairs the store in the config's directory, which was found so by
/// [`check`](super::check): who agreed to lose what that says loses no more.
///
/// The damaged files are kept under another name, and may be removed when
/// nobody needs them any more.
pub fn repair(
    config: &Config,
    found: &Findings,
    ambient: &dyn Ambient,
    progress: Progress<'_>,
) -> Result<Repaired> {
    let _lock = lock(config)?;
    let store = &config.path;
    let places = places(store)?;
    let mut total = 0;
    for place in &places {
        // Checked, copied, and the copy checked.
        total += 3 * segments_bytes(&RealDisk::open(&place.path)?)?;
    }
    let mut done = 0;
    let mut read = |bytes| {
        done += bytes;
        progress(done, total);
    };
    let mut checked = Vec::new();
    for place in &places {
        checked.push(volume::check(place, &RealDisk::open(&place.path)?, &mut read)?);
    }
    let now = Findings { volumes: checked.iter().map(|c| c.findings.clone()).collect() };
    if now != *found {
        return Err(Error::new(
            ErrorKind::Conflict,
            "the store is not as it was when it was checked; check it again",
        )
        .with("path", store.display()));
    }
    let mut repaired = Repaired::default();
    for (place, checked) in places.iter().zip(checked) {
        if checked.findings.is_clean() || checked.findings.hopeless.is_some() {
            continue;
        }
        let work = Work { store, place, config, ambient };
        repaired.volumes.push(work.repair(checked, &mut read)?);
    }
    Ok(repaired)
}

/// The repair of one volume.
struct Work<'a> {
    store: &'a Path,
    place: &'a Place,
    config: &'a Config,
    ambient: &'a dyn Ambient,
}

impl Work<'_> {
    fn repair(&self, checked: Checked, read: &mut dyn FnMut(u64)) -> Result<RepairedVolume> {
        let mut repaired =
            RepairedVolume { volume: self.place.name(), ..RepairedVolume::default() };
        let Some(salvage) = checked.salvage else {
            self.make_index(&mut repaired)?;
            return Ok(repaired);
        };
        let new = self.beside("salvage");
        remove_all(&new)?;
        let made = self.fill(&new, salvage, &mut repaired, read);
        if let Err(error) = made {
            // What was not finished is in nobody's way.
            let _ = fs::remove_dir_all(&new);
            return Err(error.with("volume", self.place.name()));
        }
        let old = self.beside(&format!("damaged-{}", name::stamp(self.ambient.now())));
        self.swap(&new, &old)?;
        repaired.kept = Some(old);
        Ok(repaired)
    }

    /// A directory in the store's, named after the volume.
    fn beside(&self, what: &str) -> PathBuf {
        self.store.join(format!("{}.{what}", self.place.name().replace('/', "-")))
    }

    /// The log is whole: without roots the next opening makes the index anew.
    fn make_index(&self, repaired: &mut RepairedVolume) -> Result<()> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(&self.place.path)?);
        match disk.remove(ROOTS) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed?,
        }
        disk.sync_dir()?;
        self.open(disk, false, repaired)
    }

    /// Opens the volume, which makes its index, and closes it.
    fn open(&self, disk: Arc<dyn Disk>, mend: bool, repaired: &mut RepairedVolume) -> Result<()> {
        let Config { segment_bytes, checkpoint_bytes, record_sync: sync, .. } = *self.config;
        if self.place.kind == Kind::Records {
            let options = RecordsOptions { segment_bytes, checkpoint_bytes, sync };
            let records = Records::open(disk, options, self.ambient)?;
            return records.synchronise();
        }
        let options = VolumeOptions { segment_bytes, checkpoint_bytes, volume_id: 0 };
        let (engine, _) = Engine::open(disk, options)?;
        if mend {
            salvage::mend(&engine, &mut |page| {
                repaired.lost_pages += 1;
                if repaired.lost_page_names.len() < NAMES_MAX {
                    repaired.lost_page_names.push(page.to_string());
                }
            })?;
        }
        engine.sync()
    }

    fn fill(
        &self,
        path: &Path,
        salvage: Salvage,
        repaired: &mut RepairedVolume,
        read: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(path)?);
        let options = LogOptions {
            segment_bytes: salvage.survey.segment_bytes(),
            // The same: it says in which order records are met.
            volume_id: salvage.survey.volume_id(),
        };
        let log = Log::create(Arc::clone(&disk), options)?;
        let broken = Broken::default();
        let mut writer =
            Writer { kind: self.place.kind, log: &log, salvage: &salvage, read, broken };
        salvage.survey.read(&mut writer)?;
        writer.set_right()?;
        log.sync()?;
        drop(log);
        self.open(Arc::clone(&disk), true, repaired)?;
        let place = Place { kind: self.place.kind, dbm: self.place.dbm.clone(), path: path.into() };
        let again = volume::check(&place, &*disk, read)?.findings;
        if !again.is_clean() {
            return Err(Error::new(
                ErrorKind::Internal,
                "what was salvaged is not whole; nothing was changed",
            )
            .with("found", again.problems().join("; ")));
        }
        disk.sync_dir()
    }

    /// Puts the new volume in the place of the old, which is kept.
    fn swap(&self, new: &Path, old: &Path) -> Result<()> {
        let failed = |e: std::io::Error| {
            io_error(e, "the repaired volume cannot take its place", &self.place.path)
        };
        // First the name under which the damaged files are kept, which no later
        // repair removes, whatever is interrupted.
        fs::rename(new, old).map_err(failed)?;
        hozo_directory::sync(self.store)?;
        // At once, so that no crash leaves the store without the volume.
        renameat_with(CWD, old, CWD, &self.place.path, RenameFlags::EXCHANGE)
            .map_err(|e| failed(e.into()))?;
        hozo_directory::sync(self.store)?;
        match self.place.path.parent() {
            Some(parent) => hozo_directory::sync(parent),
            None => Ok(()),
        }
    }
}

fn remove_all(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(io_error(e, "what an earlier repair left cannot be removed", path))
        }
        _ => Ok(()),
    }
}

/// Writes what can be read to a new log, in its order.
struct Writer<'a> {
    kind: Kind,
    log: &'a Log,
    salvage: &'a Salvage,
    read: &'a mut dyn FnMut(u64),
    /// Of a batch that is not whole, what no index knows.
    broken: Broken,
}

impl Writer<'_> {
    /// A batch that is not whole has ended.
    fn close(&mut self) -> Result<()> {
        let broken = std::mem::take(&mut self.broken);
        // The entry of a commit says which pages it wrote: where they are
        // missing, that shows then.
        let entries = match broken.lacks() {
            Some(_) => broken.entries(),
            None => broken.commits().collect(),
        };
        self.log.append_batch(&entries).map(drop)
    }

    /// Whether the index has this record as the newest of its key.
    fn is_newest(&self, record: &Record<'_>) -> Result<bool> {
        let (Some(view), (Said::Set, key)) = (&self.salvage.view, said(self.kind, record)) else {
            return Ok(false);
        };
        Ok(view.find(&key)?.contains(&record.position))
    }

    /// What the index knows and the log does not say any more.
    fn set_right(&mut self) -> Result<()> {
        self.close()?;
        for key in &self.salvage.removed {
            let (kind, key) = match self.kind {
                Kind::Records => (3, key.as_slice()),
                Kind::Pages => (32 + key[0], &key[1..]),
            };
            self.log.append(kind, key, &[])?;
        }
        if self.kind == Kind::Pages {
            let lost = self.salvage.lost.iter().filter_map(|lost| lost.key.as_ref());
            for key in lost.filter(|key| key[0] == Space::Pages.number()) {
                self.log.append(16 + key[0], &key[1..], &salvage::lost_page())?;
            }
        }
        Ok(())
    }
}

fn entry<'a>(record: &Record<'a>) -> Entry<'a> {
    Entry { kind: record.kind, key: record.key, value: record.value }
}

impl Visit for Writer<'_> {
    fn batch(&mut self, batch: &Batch<'_>) -> Result<()> {
        self.close()?;
        let entries: Vec<Entry<'_>> = batch.iter().map(entry).collect();
        self.log.append_batch(&entries).map(drop)
    }

    fn part(&mut self, records: &Batch<'_>) -> Result<()> {
        if self.kind == Kind::Records {
            return Ok(());
        }
        for record in records {
            if self.salvage.view.is_none() || record.position >= self.salvage.complete {
                self.broken.push(record);
            } else if self.is_newest(record)? {
                self.log.append_batch(&[entry(record)])?;
            }
        }
        Ok(())
    }

    fn gap(&mut self, gap: Gap, bytes: &[u8]) -> Result<()> {
        self.broken.gap(&gap, bytes);
        Ok(())
    }

    fn ended(&mut self) -> Result<()> {
        self.close()
    }

    fn progress(&mut self, bytes: u64) {
        (self.read)(bytes);
    }
}
