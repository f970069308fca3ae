//! `hozo dbm`, over a store that it opens itself and over `hozo serve`.

mod commands;
mod files;
mod place;
mod replay;

use crate::case::{Case, Need};

const TKRZW: &[Need] = &[Need::Program("tkrzw_dbm_util")];
const OPENSSL: &[Need] = &[Need::Program("openssl")];

pub(crate) const CASES: &[Case] = &[
    Case::new("commands_of_tkrzw_answer_as_tkrzw", replay::transcript),
    Case::new("records", commands::records),
    Case::new("comparisons_change_all_or_nothing", commands::comparisons),
    Case::new("ordered_lists_go_both_ways", commands::ordered),
    Case::new("a_pop_that_waits_gets_what_is_pushed", commands::waiting),
    Case::new("keys_and_values_are_any_bytes", commands::bytes),
    Case::new("programs_get_json", commands::json),
    Case::new("which_dbm", commands::which),
    Case::new("tls_and_tokens", commands::protected).needing(OPENSSL),
    Case::new("files_keep_every_record", files::round_trip),
    Case::new("import_stops_at_damage_and_says_where", files::damage),
    Case::new("import_keeps_what_is_there_if_asked", files::no_overwrite),
    Case::new("export_replaces_nothing_unasked", files::in_place),
    Case::new("records_go_to_tkrzw_and_back", files::tkrzw).needing(TKRZW),
];
