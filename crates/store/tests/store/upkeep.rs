//! What is forgotten, and what ends, is found by an index, and in pages.

use claviger_store::upkeep_statements;

use crate::{
    fixture::{Database, Intruder, on_each_database},
    house::{House, IDLE},
};

/// That nothing of the plan goes through a whole table, and that what passes is asked of an index.
async fn is_by_index(intruder: &Intruder, sql: &str, asked: &str) {
    let plan = intruder.plan(sql).await;
    let scans = |line: &&String| line.contains("Seq Scan") || line.trim_start().starts_with("SCAN ");
    assert_eq!(plan.iter().find(scans), None, "{sql}\n{plan:#?}");
    let by_index = plan.iter().any(|line| {
        let condition =
            line.contains("Index Cond:") || line.contains("USING INDEX") || line.contains("COVERING INDEX");
        condition && line.contains(asked)
    });
    assert!(by_index, "{sql}\n{plan:#?}");
}

/// The column before whose value is what has passed: the first that is compared with the time.
fn column(sql: &str) -> &str {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let at = words
        .windows(2)
        .position(|pair| ["<", "<=", "IS"].contains(&pair[0]) && ["1", "NULL"].contains(&pair[1]));
    let name = words[at.expect("a time") - 1];
    name.rsplit('.').next().expect("a name")
}

#[tokio::test]
async fn what_is_forgotten_is_found_by_an_index() {
    on_each_database(async |database| {
        database.open().await;
        let intruder = database.intruder().await;
        let statements = upkeep_statements(intruder.backend());
        assert!(statements.len() >= 15);
        for sql in &statements {
            is_by_index(&intruder, sql, column(sql)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_codes_that_end_with_a_session_are_found_by_an_index() {
    on_each_database(async |database| {
        let house = House::of(&database, &[]).await;
        // Of an empty table any index will do.
        let (rows, hash) = (numbers(&database, 2000), hash(&database));
        let columns = "hash, client_id, account, sid, \"authorization\", created_at, expires_at";
        let values = format!("{hash}, 'shop', 'a' || n, 's' || n, '{{}}', 0, 4000000000");
        house.execute(&format!("INSERT INTO authorization_code ({columns}) {rows} {values} FROM s")).await;
        house.execute("ANALYZE authorization_code").await;
        let intruder = &house.intruder;
        for (whose, asked) in [
            ("sid = 's1'", "sid"),
            ("account = 'ada'", "account"),
            ("account = 'ada' AND sid <> 's1'", "account"),
            ("account = 'ada' AND client_id = 'shop'", "account"),
        ] {
            let sql = format!("DELETE FROM authorization_code WHERE {whose} AND used_at IS NULL");
            is_by_index(intruder, &sql, asked).await;
        }
    })
    .await;
}

/// Many numbered rows, as each database makes them.
pub(crate) fn numbers(database: &Database, most: u32) -> String {
    if database.is_sqlite() {
        format!("WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {most}) SELECT")
    } else {
        format!("WITH s(n) AS (SELECT generate_series(1, {most})) SELECT")
    }
}

/// A hash of such a number.
pub(crate) fn hash(database: &Database) -> &'static str {
    if database.is_sqlite() { "unhex(printf('%064x', n))" } else { "decode(lpad(to_hex(n), 64, '0'), 'hex')" }
}

#[tokio::test]
async fn more_than_a_page_of_anything_is_forgotten_at_once() {
    const MANY: u32 = 600;
    on_each_database(async |database| {
        let house = House::of(&database, &["ada"]).await;
        let rows = numbers(&database, MANY);
        let hash = hash(&database);
        for (columns, values) in [
            ("used_assertion (hash, expires_at)", format!("{hash}, 9")),
            (
                "refresh_family (id, client_id, account, sid, \"authorization\", auth_time, created_at, expires_at)",
                "'f' || n, 'shop', 'ada', 's' || n, '{}', 0, 0, 9".to_owned(),
            ),
            (
                "refresh_token (hash, family, created_at, idle_until)",
                format!("{hash}, 'f' || n, 0, 4000000000"),
            ),
            (
                "session (hash, sid, account, auth_time, amr, created_at, seen_at, expires_at, user_agent, address)",
                format!("{hash}, 's' || n, 'ada', 0, '[]', 0, 0, 4000000000, '', ''"),
            ),
        ] {
            house.execute(&format!("INSERT INTO {columns} {rows} {values} FROM s")).await;
        }
        assert_eq!(house.store.forget_past_grants().await.expect("forgotten"), u64::from(3 * MANY));
        assert_eq!(house.store.forget_sessions(IDLE).await.expect("forgotten"), u64::from(MANY));
        for table in ["used_assertion", "refresh_family", "refresh_token", "session"] {
            assert_eq!(house.intruder.count(table).await, 0, "{table}");
        }
    })
    .await;
}
