//! The verifier must see what a crash could leave behind.

use std::sync::Arc;

use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, Commit, CommitId, CommitOutcome, Durability, MetaValue, MetaWrite, NamespaceChange,
    PageStore, PageWrite, Version,
};

use super::commits::{PAGE_SIZE, PAGES, commit, key, plan};
use super::{Acknowledged, Rounds, Tally, acknowledge, child, this_binary, verify};
use crate::{Model, Rng, TestAmbient};

struct World {
    store: Arc<dyn PageStore>,
    ambient: Arc<TestAmbient>,
    known: Acknowledged,
}

impl World {
    /// A store with some commits, all acknowledged.
    fn new() -> Self {
        let ambient = Arc::new(TestAmbient::new(7));
        let store = Model::new(ambient.clone());
        let mut world = World { store, ambient, known: Acknowledged::default() };
        for _ in 0..30 {
            let id = world.send();
            let made = world.make(id);
            world.acknowledge(id, made);
        }
        world
    }

    fn new_id(&self) -> CommitId {
        let ambient: &dyn Ambient = &*self.ambient;
        ambient.commit_id()
    }

    fn send(&mut self) -> CommitId {
        let id = self.new_id();
        self.known.extend(&[format!("sends {id}")]).expect("a child says that");
        id
    }

    fn make(&self, id: CommitId) -> Version {
        match commit(&self.store, id, &mut Rng::new(1)) {
            Ok(CommitOutcome::Committed(made)) => made.version,
            other => panic!("{other:?}"),
        }
    }

    fn acknowledge(&mut self, id: CommitId, version: Version) {
        let durable = plan(id).durability == Durability::Durable;
        let how = if durable { "durable" } else { "sequenced" };
        self.known.extend(&[format!("{how} {id} {version}")]).expect("a child says that");
    }

    /// An id whose plan is as wanted.
    fn send_one(&mut self, durable: bool) -> CommitId {
        loop {
            let id = self.send();
            let plan = plan(id);
            let both = plan.changes.len() == 2 && plan.changes[0].1.len() > 1;
            if both && (plan.durability == Durability::Durable) == durable {
                return id;
            }
        }
    }

    /// Commits the plan of `id` after somebody spoilt it.
    fn make_spoilt(&self, id: CommitId, spoil: impl FnOnce(&mut Commit)) -> Version {
        let change = |(namespace, pages): (_, Vec<_>)| NamespaceChange {
            namespace,
            writes: pages
                .into_iter()
                .map(|(page, image)| PageWrite { page, image, patch: None })
                .collect(),
            page_size: PAGE_SIZE,
            page_count: PAGES,
        };
        let value = MetaValue { bytes: vec![0; Version::LEN].into(), version_at: Some(0) };
        let mut commit = Commit {
            id,
            conditions: Vec::new(),
            namespaces: plan(id).changes.into_iter().map(change).collect(),
            meta: vec![MetaWrite { key: key(id), value: Some(value) }],
            durability: Durability::Durable,
            time: self.ambient.now(),
            at: None,
        };
        spoil(&mut commit);
        match block_on(self.store.commit(commit)) {
            Ok(CommitOutcome::Committed(made)) => made.version,
            other => panic!("{other:?}"),
        }
    }

    fn verify(&mut self) -> Result<(), String> {
        verify(&self.store, &mut self.known, &mut Tally::default())
    }

    #[track_caller]
    fn expect_found(mut self, what: &str) {
        let problem = self.verify().expect_err("is found");
        assert!(problem.contains(what), "{problem}");
    }
}

#[test]
fn a_right_store_is_right() {
    let mut world = World::new();
    // Sent and never made; made and never acknowledged.
    world.send();
    let id = world.send();
    world.make(id);
    world.verify().expect("all is well");
    world.verify().expect("and stays so");
}

#[test]
fn what_was_made_unspoilt_is_right() {
    let mut world = World::new();
    let id = world.send_one(true);
    let made = world.make_spoilt(id, |_| {});
    world.acknowledge(id, made);
    world.verify().expect("all is well");
}

#[test]
fn a_lost_durable_commit() {
    let mut world = World::new();
    let id = world.send_one(true);
    world.acknowledge(id, Version::from_seq(1000));
    world.expect_found("is lost");
}

#[test]
fn a_lost_sequenced_commit_below_one_that_is_there() {
    let mut world = World::new();
    let id = world.send_one(false);
    world.acknowledge(id, Version::from_seq(3).successor().expect("there is one"));
    world.expect_found("no prefix");
}

#[test]
fn a_lost_sequenced_commit_at_the_end_is_no_fault() {
    let mut world = World::new();
    let id = world.send_one(false);
    world.acknowledge(id, Version::from_seq(1000));
    world.verify().expect("it may be lost");
}

#[test]
fn what_an_unseen_crash_may_take_is_not_expected() {
    let mut world = World::new();
    let lost = world.send_one(false);
    world.acknowledge(lost, Version::from_seq(31));
    world.known.crashed_unseen();
    // The next child is given the same version.
    let id = world.send_one(true);
    let made = world.make(id);
    world.acknowledge(id, made);
    world.verify().expect("the sequenced one may be lost");
    // Below a durable one nothing may be lost, seen or not.
    let lost = world.send_one(false);
    world.acknowledge(lost, Version::from_seq(5).successor().expect("there is one"));
    world.known.crashed_unseen();
    world.expect_found("no prefix");
}

#[test]
fn a_commit_in_one_of_its_namespaces() {
    let mut world = World::new();
    let id = world.send_one(true);
    world.make_spoilt(id, |commit| {
        commit.namespaces.pop();
    });
    world.expect_found("in part");
}

#[test]
fn a_commit_without_one_of_its_pages() {
    let mut world = World::new();
    let id = world.send_one(true);
    world.make_spoilt(id, |commit| {
        let writes = &mut commit.namespaces[0].writes;
        writes[0].image = vec![0; writes[0].image.len()].into();
    });
    world.expect_found("in part");
}

#[test]
fn a_log_entry_that_counts_other_pages() {
    let mut world = World::new();
    let id = world.send_one(true);
    world.make_spoilt(id, |commit| {
        commit.namespaces[0].writes.pop();
    });
    world.expect_found("wrote");
}

#[test]
fn a_commit_without_its_metadata() {
    let mut world = World::new();
    let id = world.send_one(true);
    world.make_spoilt(id, |commit| commit.meta.clear());
    world.expect_found("in metadata");
}

#[test]
fn a_commit_that_nobody_sent() {
    let world = World::new();
    world.make(world.new_id());
    world.expect_found("nobody sent it");
}

#[test]
fn a_commit_at_another_version() {
    let mut world = World::new();
    let id = world.send_one(true);
    world.make(id);
    world.acknowledge(id, Version::from_seq(1000));
    world.expect_found("is at");
}

#[test]
fn words_that_no_child_says() {
    for line in ["", "sends", "sends 00", "durable 00112233445566778899aabbccddeeff", "kept x y"] {
        assert!(Acknowledged::default().extend(&[line.to_owned()]).is_err(), "{line:?}");
    }
}

#[test]
fn children_are_killed_and_what_they_said_is_handed_over() {
    if let Some(seed) = child() {
        for n in 0_u64.. {
            acknowledge(&format!("{seed} {n}"));
        }
    }
    let name = "crash::tests::children_are_killed_and_what_they_said_is_handed_over";
    let rounds = Rounds { count: 5, seed: 3, acknowledged_max: 200 };
    let mut heard = 0;
    let result = rounds.run(
        |round| this_binary(name, round),
        |round, lines| {
            heard += lines.len();
            let expected = (0..lines.len()).map(|n| format!("{} {n}", round.seed));
            if lines.iter().eq(&expected.collect::<Vec<_>>()) { Ok(()) } else { Err("lost".into()) }
        },
    );
    result.expect("every round is right");
    assert!(heard > 0, "nobody said anything");
}

#[test]
fn a_child_that_ends_by_itself_is_a_failure() {
    if child().is_some() {
        acknowledge("one");
        panic!("on purpose");
    }
    let name = "crash::tests::a_child_that_ends_by_itself_is_a_failure";
    let rounds = Rounds { count: 1, seed: 3, acknowledged_max: 200 };
    let problem = rounds.run(|round| this_binary(name, round), |_, _| Ok(()));
    let problem = problem.expect_err("it did not wait to be killed");
    assert!(problem.contains("ended by itself") && problem.contains("on purpose"), "{problem}");
    assert!(problem.contains("HOZO_SEED=3"), "{problem}");
}

#[test]
fn what_the_verifier_says_ends_the_rounds() {
    if child().is_some() {
        loop {
            acknowledge("one");
        }
    }
    let name = "crash::tests::what_the_verifier_says_ends_the_rounds";
    let rounds = Rounds { count: 9, seed: 3, acknowledged_max: 20 };
    let mut verified = 0;
    let result = rounds.run(
        |round| this_binary(name, round),
        |_, _| {
            verified += 1;
            if verified < 2 { Ok(()) } else { Err("something is lost".to_owned()) }
        },
    );
    assert!(
        result.is_err_and(|problem| problem.contains("round 1") && problem.contains("is lost"))
    );
    assert_eq!(verified, 2);
}
