//! Stores that are wrong in one way each, to show that the suites see it.

mod layer;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use hozo_traits::{Ambient, NamespaceId, PageNo, PageStore, Result, Version, Watermarks};

use crate::layer::Layered;
use crate::{Fixture, ModelFixture};

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Flaw {
    /// Nothing: the store is right.
    None,
    StartsAtOne,
    DurableAboveSequenced,
    NeverDurable,
    WaitsForNothing,
    AnswersReversed,
    ReadsTheHead,
    FollowsTheHeadAbove,
    ReadsThroughHoles,
    VersionOfTheRead,
    SplitsNamespaces,
    IgnoresPages,
    IgnoresNamespaces,
    IgnoresMeta,
    IgnoresTheSecondNamespace,
    JudgesTheDurable,
    JudgesTooEarly,
    RunsTwice,
    IgnoresConditionsAlone,
    TakesTheLastOfTwo,
    PatchesTheNewest,
    ChoosesItself,
    SharesStages,
    StagedWins,
    KeepsStages,
    LogsPagesOnly,
    LogEndsOpen,
    TimesGoBack,
    MetaIsLate,
    ScanIncludesAfter,
    PutsNoVersion,
    PurgesTooMuch,
    ChangesIncludeAfter,
    ChangesWithoutMeta,
    LosesWrites,
    ShowsUncommitted,
    ReadsFractured,
    WatermarksAreLate,
}

/// A layer with a flaw.
pub(crate) struct Flawed {
    flaw: Flaw,
    calls: AtomicUsize,
    purged: Mutex<BTreeSet<(NamespaceId, PageNo, Version)>>,
    seen: Mutex<Vec<Watermarks>>,
}

/// Models with a flaw.
pub(crate) struct FlawedFixture {
    flaw: Flaw,
    models: ModelFixture,
}

impl FlawedFixture {
    pub(crate) fn new(flaw: Flaw) -> Self {
        // Where purged pages are still answered, the layer can answer worse.
        let models = match flaw {
            Flaw::ReadsThroughHoles => ModelFixture::reference(),
            _ => ModelFixture::persistent(),
        };
        FlawedFixture { flaw, models }
    }
}

impl Fixture for FlawedFixture {
    fn name(&self) -> &str {
        "flawed"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        let layer = Flawed {
            flaw: self.flaw,
            calls: AtomicUsize::new(0),
            purged: Mutex::default(),
            seen: Mutex::default(),
        };
        Ok(Layered::new(self.models.open(dir, ambient)?, layer))
    }

    fn outlives_process(&self) -> bool {
        false
    }
}
