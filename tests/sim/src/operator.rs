//! An operator, who has things persisted while clients write and read.

use types::{DatabaseName, TableName};

use crate::client::Client;
use crate::node::DATABASE;

/// Persists now and then.
pub(crate) async fn run(client: Client) {
    while !client.is_over() {
        let pause = client.chance.millis(100, 2_500);
        tokio::time::sleep(pause).await;
        let table = client.chance.one_in(2).then(|| client.table());
        persist(&client, table.as_deref()).await;
    }
}

async fn persist(client: &Client, table: Option<&str>) {
    let Ok(database) = DatabaseName::new(DATABASE) else { return };
    let named = table.and_then(|table| TableName::new(table).ok());
    let persist = client.node.ingester.persist();
    let timeout = client.chance.millis(200, 8_000);
    client.trace.event(format_args!("operator: persist {table:?}"));
    let persisted = persist.persist_now(&database, named.as_ref(), timeout).await;
    client.trace.count("persists on demand");
    match persisted {
        Ok(()) => client.trace.event(format_args!("operator: persisted")),
        Err(error) => client.trace.event(format_args!("operator: {error}")),
    }
}
