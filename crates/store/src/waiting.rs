use crate::Store;

impl Store {
    /// Waits until another process says that it has changed something, as far as the database can tell: PostgreSQL by
    /// NOTIFY, SQLite never. It may return without a change.
    pub async fn changed(&self) {
        std::future::pending().await
    }
}
