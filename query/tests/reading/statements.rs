//! Which statements are answered, which are refused, and how.

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;
use query::{Error, Request};
use types::{DatabaseName, ErrorKind};

use crate::model::{Columns, Row, Value, rows_of};
use crate::world::{World, collect, database};

fn one_row() -> World {
    let world = World::new();
    world.write(&[Row::at(1).tag("a", "a1").int("x", 1), Row::at(2).tag("a", "a2").int("x", 2)]);
    world
}

async fn check_refused(sql: &str, told: &str) {
    let error = one_row().batches(sql).await.expect_err(sql);
    assert!(matches!(error, Error::Refused { .. }), "{sql}: {error:?}");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains(told), "{told:?} in {error}");
}

#[tokio::test]
async fn what_writes_is_refused_by_its_name() {
    for sql in [
        "INSERT INTO cpu VALUES (1)",
        "DELETE FROM cpu",
        "UPDATE cpu SET x = 1",
        "DROP TABLE cpu",
        "CREATE TABLE other AS SELECT * FROM cpu",
        "CREATE VIEW other AS SELECT * FROM cpu",
        "CREATE EXTERNAL TABLE other STORED AS PARQUET LOCATION '/etc'",
        "COPY cpu TO '/tmp/stolen.parquet'",
        "COPY (SELECT 1) TO 's3://bucket/key'",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "EXPLAIN INSERT INTO cpu VALUES (1)",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "BEGIN",
    ] {
        check_refused(sql, "queries only read").await;
    }
}

#[tokio::test]
async fn recursion_is_refused_with_the_reason() {
    let sql = "WITH RECURSIVE t(n) AS \
               (SELECT x FROM cpu UNION ALL SELECT n + 1 FROM t WHERE n < 5) \
               SELECT * FROM t";
    check_refused(sql, "one turn at each partition").await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_rejected() {
    let world = one_row();
    for sql in ["", "SELEC 1", "SELECT nothing FROM cpu", "SELECT * FROM mem", "SELECT 1; SELECT 2"]
    {
        let error = world.batches(sql).await.expect_err(sql);
        assert!(matches!(error, Error::Invalid(_)), "{sql}: {error:?}");
    }
    let error = world.batches("SELECT x / (x - x) FROM cpu").await.expect_err("divides by zero");
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error:?}");
}

#[tokio::test]
async fn tables_and_columns_are_shown() {
    let world = one_row();
    let tables = world.pretty("SHOW TABLES").await;
    assert!(
        tables.contains("| public        | iox                | cpu           | BASE TABLE |"),
        "{tables}"
    );
    assert!(tables.contains("| public        | system             | queries "), "{tables}");
    let columns = world.pretty("SHOW COLUMNS FROM cpu").await;
    for column in [
        "a           | Dictionary(Int32, Utf8)",
        "time        | Timestamp(ns)",
        "x           | Int64",
    ] {
        assert!(columns.contains(column), "{column} in\n{columns}");
    }
    let described = world.pretty("DESCRIBE cpu").await;
    assert!(described.contains("time"), "{described}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_found() {
    let request = Request {
        database: DatabaseName::new("nowhere").expect("a good name"),
        sql: "SELECT 1".to_owned(),
        params: BTreeMap::new(),
        position: None,
    };
    let error = one_row().engine.query(request).await.expect_err("is not there");
    assert!(matches!(error, Error::DatabaseNotFound { .. }), "{error:?}");
}

async fn x_of(sql: &str, params: &[(&str, ScalarValue)]) -> Result<Vec<Columns>, Error> {
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let request = Request {
        database: database(),
        sql: sql.to_owned(),
        params: params.collect(),
        position: None,
    };
    let answer = one_row().engine.query(request).await?;
    Ok(rows_of(&collect(answer).await?))
}

#[tokio::test]
async fn parameters_have_names_or_numbers() {
    let two = [Columns::from([("x".to_owned(), Value::Int(2))])];
    let by_name = [("host", ScalarValue::from("a2"))];
    let found = x_of("SELECT x FROM cpu WHERE a = $host", &by_name).await;
    assert_eq!(found.expect("is good"), two);
    let by_number = [("1", ScalarValue::from("a2")), ("2", ScalarValue::from(2_i64))];
    let found = x_of("SELECT x FROM cpu WHERE a = $1 AND x = $2", &by_number).await;
    assert_eq!(found.expect("is good"), two);
    let missing = x_of("SELECT x FROM cpu WHERE a = $host", &[]).await;
    assert_eq!(missing.expect_err("has no value").kind(), ErrorKind::Rejected);
}

#[tokio::test]
async fn now_is_the_time_of_the_clock() {
    let text = one_row().pretty("SELECT now()").await;
    assert!(text.contains("2013-01-01T06:00:00"), "{text}");
}

/// A statement so deep that recursion over it would use up any stack.
async fn check_too_deep(sql: &str) {
    let error = one_row().batches(sql).await.expect_err("is too deep");
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error:?}");
    assert!(error.to_string().contains("at most 500"), "{error}");
}

#[tokio::test]
async fn a_statement_that_is_nested_too_deep_is_refused_with_the_limit() {
    const TERMS: usize = 100_000;
    check_too_deep(&format!("SELECT 1{}", "+1".repeat(TERMS))).await;
    check_too_deep(&format!("SELECT 1 {}", "IS NOT NULL ".repeat(TERMS))).await;
    check_too_deep(&format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(TERMS))).await;
    check_too_deep(&format!("{} SELECT 1", "EXPLAIN ".repeat(TERMS))).await;
    check_too_deep(&format!("SELECT CAST(1 AS {}INT)", "Nullable(".repeat(TERMS))).await;
    check_too_deep(&format!("SELECT {}1{}", "(".repeat(TERMS), ")".repeat(TERMS))).await;
}

#[tokio::test]
async fn a_long_list_of_values_is_not_deep() {
    let values: Vec<String> = (2..2_000).map(|value| format!("-{value}, {value}")).collect();
    let sql = format!("SELECT x FROM cpu WHERE x IN ({})", values.join(", "));
    let two = [Columns::from([("x".to_owned(), Value::Int(2))])];
    assert_eq!(one_row().rows(&sql).await, two);
}

#[test]
fn hundreds_of_alternatives_are_answered() {
    // What is not optimised takes many times the stack of what is released.
    let asking = std::thread::Builder::new().stack_size(512 << 20).spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("starts").block_on(async {
            let alternatives: Vec<String> = (2..402).map(|x| format!("x = {x}")).collect();
            let sql = format!("SELECT x FROM cpu WHERE {}", alternatives.join(" OR "));
            one_row().rows(&sql).await
        })
    });
    let found = asking.expect("a thread starts").join().expect("does not panic");
    assert_eq!(found, [Columns::from([("x".to_owned(), Value::Int(2))])]);
}
