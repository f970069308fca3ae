// The server of the examples: Hozo's own, in the example's process, over a store
// in memory.

use std::future::Future;
use std::sync::Arc;

use hozo_client::{Client, Result};
use hozo_traits::{Ambient, Dbm, Durability, Parts, SystemAmbient};

pub(crate) fn run(example: impl Future<Output = Result<()>>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(example).expect("the example is right");
}

pub(crate) fn client() -> Client {
    let ambient: Arc<dyn Ambient> = Arc::new(SystemAmbient);
    let store = hozo_backend_memory::open(&Default::default(), ambient.clone());
    let records = store.and_then(|store| store.records("casket")).expect("it opens");
    let dbm = Dbm {
        name: "casket".to_owned(),
        store: "main".to_owned(),
        records,
        durability: Durability::Sequenced,
        path: None,
    };
    let parts = Parts { dbms: vec![dbm], replication: None, ambient };
    Client::over(hozo_frontend_rpc::local(parts).expect("it serves"))
}
