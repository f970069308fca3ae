//! Asking a server what it is.

use hozo::traits::{Error, ErrorKind, Result};
use hozo_proto::tkrzw_rpc::{InspectRequest, InspectResponse};
use prost::Message;
use tokio::runtime::Builder;

use super::call::unary;
use super::connection::Connection;
use super::requests::frame;
use super::server::Server;

/// The version that a server says it has. An error if it is not there, or does
/// not have the DBM that is to be measured.
pub(super) fn version(server: &Server) -> Result<Option<String>> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(ErrorKind::Unavailable, "no runtime can be made").caused_by(e))?;
    runtime.block_on(async {
        let connection = Connection::open(server).await?;
        inspect(&connection, server, server.dbm_index).await?;
        // Who may use a DBM need not be allowed to look at the server.
        let rows = inspect(&connection, server, -1).await.unwrap_or_default();
        Ok(rows.into_iter().find(|(name, _)| name == "version").map(|(_, version)| version))
    })
}

async fn inspect(
    connection: &Connection,
    server: &Server,
    dbm_index: i32,
) -> Result<Vec<(String, String)>> {
    let request = frame(&InspectRequest { dbm_index });
    let answer = unary(&connection.sender(), &connection.head("Inspect"), request).await;
    let answer = answer.map_err(|trouble| {
        trouble
            .into_error("the server cannot be asked about its DBM")
            .with("server", &server.name)
            .with("DBM", dbm_index)
    })?;
    let answer = InspectResponse::decode(answer).map_err(|e| {
        Error::new(ErrorKind::Unavailable, "the server does not speak the protocol").caused_by(e)
    })?;
    Ok(answer.records.into_iter().map(|row| (row.first, row.second)).collect())
}
