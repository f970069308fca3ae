//! Clients that mean harm, or are in a bad way, and one that means well and is
//! answered all the while.

mod bodies;
mod crowds;
mod fillers;
mod floods;
mod frames;
mod good;

use hozo_conformance::Rng;
use hozo_tests::Scratch;

use self::good::Good;
use crate::kit::Kit;
use crate::server::{Dbm, Server};

/// What somebody does to a server.
pub(crate) struct Deed {
    pub(crate) name: &'static str,
    deed: fn(&Server, &mut Rng),
    /// More of the frontend's section.
    config: &'static str,
}

impl Deed {
    const fn new(name: &'static str, deed: fn(&Server, &mut Rng)) -> Deed {
        Deed { name, deed, config: "" }
    }
}

pub(crate) const DEEDS: [Deed; 19] = [
    Deed::new("ten_thousand_connections_come_and_go", crowds::come_and_go),
    Deed::new("connections_that_say_nothing", crowds::silent),
    Deed::new("connections_that_are_half_closed", crowds::half_closed),
    Deed {
        config: "max_connections = 200",
        ..Deed::new("more_connections_than_there_may_be", crowds::too_many)
    },
    Deed::new("garbage_where_a_greeting_should_be", floods::garbage),
    Deed::new("garbage_in_frames", floods::garbage_frames),
    Deed::new("frames_larger_than_there_may_be", floods::oversized),
    Deed::new("headers_without_an_end", floods::endless_headers),
    Deed::new("headers_that_grow_in_the_table", floods::table_bombs),
    Deed::new("settings_and_pings_without_reading", floods::control),
    Deed::new("streams_that_are_reset_at_once", floods::rapid_resets),
    Deed::new("empty_frames_without_an_end", floods::empty_frames),
    // So that all of theirs are fewer than the requests that there may be.
    Deed {
        config: "max_streams = 100",
        ..Deed::new("thousands_of_streams", bodies::thousands_of_streams)
    },
    Deed::new("bodies_that_are_never_finished", bodies::unfinished),
    Deed::new("messages_that_lack_their_last_byte", fillers::all_but_finished),
    Deed::new("messages_that_claim_to_be_huge", bodies::huge_claims),
    Deed::new("messages_that_make_no_sense", bodies::nonsense),
    Deed::new("a_stream_whose_answers_are_never_read", bodies::never_read),
    Deed::new("a_stream_without_an_end", bodies::endless_stream),
];

const MIB: u64 = 1 << 20;
/// By how much memory may have grown afterwards.
const GROWTH_MAX: u64 = 96 * MIB;
/// While somebody is at it, memory may be larger by so much.
const PEAK_MAX: u64 = 512 * MIB;
/// What a server says on one deed: nobody can fill its disk by knocking.
const LINES_MAX: usize = 40;
/// Descriptors that may still be open after a deed, besides those before it.
const DESCRIPTORS_MAX: usize = 4;

/// Does it, while another client is answered, and looks at what is left.
pub(crate) fn run(deed: &Deed, seed: u64) {
    let scratch = Scratch::empty();
    let server = Server::over(&scratch, &[Dbm::of("memory")], deed.config);
    let kit = Kit::new(server.address(), 0);
    kit.put("large", vec![b'x'; 200 << 10]);
    let (memory, descriptors) = (server.resident(), server.descriptors());
    let good = Good::begin(&server, !deed.config.contains("max_connections"));
    let begun = std::time::Instant::now();
    (deed.deed)(&server, &mut Rng::new(seed));
    let took = begun.elapsed().as_secs_f32();
    good.is_answered();
    let peak = good.end();
    let left = server.descriptors_down_to(descriptors + DESCRIPTORS_MAX);
    assert!(
        left <= descriptors + DESCRIPTORS_MAX,
        "{left} descriptors are open, and were {descriptors} before"
    );
    let after = server.resident();
    println!(
        "{} ({took:.1} s): memory {} MiB before, {} at most, {} after",
        deed.name,
        memory / MIB,
        peak / MIB,
        after / MIB
    );
    assert!(after <= memory + GROWTH_MAX, "from {memory} bytes of memory to {after}");
    assert!(peak <= memory + PEAK_MAX, "from {memory} bytes of memory up to {peak}");
    assert_eq!(kit.value("large").map(|value| value.len()), Some(200 << 10));
    drop(kit);
    let ran = server.stop();
    assert_eq!(ran.code, Some(0), "{ran}");
    let said = ran.stderr.lines().count();
    assert!(said <= LINES_MAX, "{said} lines were logged:\n{ran}");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
}
