//! What a DBM and the server tell about themselves.

use std::fs;
use std::process;

use hozo_proto::tkrzw_rpc::{InspectResponse, StringPair};
use hozo_traits::{Durability, KvCapabilities, Result};

use super::Inner;
use super::access::{Access, Right};
use super::dbm::Served;
use super::status::{failure, success};

/// The class that Tkrzw has for such a DBM. Its clients tell by it whether records
/// are in the order of their keys.
fn class(capabilities: &KvCapabilities) -> &'static str {
    if capabilities.ordered { "TreeDBM" } else { "HashDBM" }
}

/// Rows of names and values, in their order.
#[derive(Default)]
struct Rows(Vec<StringPair>);

impl Rows {
    fn add(&mut self, name: impl Into<String>, value: impl ToString) {
        self.0.push(StringPair { first: name.into(), second: value.to_string() });
    }
}

pub(super) async fn of_dbm(dbm: &Served) -> InspectResponse {
    match dbm.checked(dbm_rows(dbm).await) {
        Ok(rows) => InspectResponse { status: success(), records: rows.0 },
        Err(error) => InspectResponse { status: failure(&error), records: Vec::new() },
    }
}

async fn dbm_rows(served: &Served) -> Result<Rows> {
    let dbm = &served.dbm;
    let capabilities = dbm.records.capabilities();
    let sizes = dbm.records.sizes().await?;
    let mut rows = Rows::default();
    rows.add("class", class(&capabilities));
    rows.add("backend", capabilities.backend);
    rows.add("healthy", served.is_healthy());
    if let Some(path) = &dbm.path {
        rows.add("path", path.display());
    }
    rows.add("name", &dbm.name);
    rows.add("store", &dbm.store);
    rows.add("num_records", dbm.records.count().await?);
    if let Some(bytes) = sizes.record_bytes {
        rows.add("eff_data_size", bytes);
    }
    rows.add("file_size", sizes.file_bytes);
    rows.add("ordered", capabilities.ordered);
    rows.add("persistent", capabilities.persistent);
    let durability = match dbm.durability {
        Durability::Durable => "durable",
        Durability::Sequenced => "sequenced",
    };
    rows.add("durability", durability);
    rows.add("max_key_size", capabilities.key_bytes_max);
    rows.add("max_value_size", capabilities.value_bytes_max);
    Ok(rows)
}

impl Inner {
    /// What can be told of the server, and of those of its DBMs that may be read.
    pub(super) async fn inspect_server(&self, access: &Access) -> InspectResponse {
        let mut rows = Rows::default();
        rows.add("version", env!("CARGO_PKG_VERSION"));
        rows.add("process_id", process::id());
        rows.add("num_dbms", self.dbms.len());
        for (i, served) in self.dbms.iter().enumerate() {
            if !access.allows(i, Right::Read) {
                continue;
            }
            let dbm = &served.dbm;
            let count = match served.checked(dbm.records.count().await) {
                Ok(count) => count,
                Err(error) => {
                    return InspectResponse { status: failure(&error), records: Vec::new() };
                }
            };
            let path = dbm.path.as_ref().map(|path| path.display().to_string());
            rows.add(format!("dbm_{i}_name"), &dbm.name);
            rows.add(format!("dbm_{i}_path"), path.unwrap_or_default());
            rows.add(format!("dbm_{i}_count"), count);
            rows.add(format!("dbm_{i}_class"), class(&dbm.records.capabilities()));
        }
        rows.add("memory_usage", memory_usage());
        rows.add("memory_capacity", memory_capacity());
        self.replication_rows(&mut rows);
        rows.add("num_active_calls", self.active.load(std::sync::atomic::Ordering::Relaxed));
        let now = self.ambient.now().as_micros();
        rows.add("current_time", format!("{}.{:03}", now / 1_000_000, now / 1000 % 1000));
        rows.add("running_time", format!("{:.3}", self.started.elapsed().as_secs_f64()));
        InspectResponse { status: success(), records: rows.0 }
    }
}

impl Inner {
    fn replication_rows(&self, rows: &mut Rows) {
        let status = self.replication.as_ref().map(|replicator| replicator.status());
        // Clients of Tkrzw look for it; 0 is what a server says that follows no other.
        let followed = status.as_ref().filter(|status| status.source.is_some());
        rows.add("repl_max_timestamp", followed.map_or(0, |status| status.newest.as_millis()));
        let Some(status) = status else { return };
        rows.add("repl_server_id", status.server);
        rows.add("repl_role", status.role.as_str());
        rows.add("repl_epoch", status.epoch);
    }
}

/// Bytes of memory that the process has, or 0 where the system does not tell.
fn memory_usage() -> u64 {
    kibibytes("/proc/self/status", "VmRSS:")
}

/// Bytes of memory that the machine has, or 0 where the system does not tell.
fn memory_capacity() -> u64 {
    kibibytes("/proc/meminfo", "MemTotal:")
}

/// The number in the line that begins so: Linux counts them in kB.
fn kibibytes(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or_default().saturating_mul(1024)
}
