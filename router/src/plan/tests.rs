//! Lines in; batches, bad lines and schema changes out.

use std::fmt::Write as _;

use catalog::{CatalogRead, MemoryCatalog};
use proptest::prelude::*;
use types::effect::SeededRandomness;
use types::schema::{ColumnKind, FieldType, TableChange};
use types::{MemoryBudget, MemoryOwner};

use super::*;
use crate::testing::{NOW_NS, World, database, rows_as_text};

const I64: ColumnKind = ColumnKind::Field(FieldType::I64);
const F64: ColumnKind = ColumnKind::Field(FieldType::F64);

fn plan_with(
    catalog: &MemoryCatalog,
    limits: &Limits,
    body: &[u8],
    budget: u64,
) -> Result<Plan, Error> {
    let view = View::new(&catalog.snapshot(), database("db"));
    let randomness = SeededRandomness::new(7);
    let checks = Checks {
        view: &view,
        limits,
        precision: Precision::Nanosecond,
        now_ns: NOW_NS,
        randomness: &randomness,
    };
    let budget = MemoryBudget::new(budget);
    let memory = budget.try_reserve(MemoryOwner::Request, 0);
    plan_lines(checks, body, Allowance::new(memory.expect("nothing always fits"), 0))
}

/// What became of the lines: kept rows, changes as `+`, bad lines as `!`.
fn told(plan: &Plan) -> String {
    let mut text = String::new();
    if let Some(planned) = &plan.planned {
        for row in rows_as_text(&planned.batches) {
            let _ = writeln!(text, "{row}");
        }
        if let Some(change) = &planned.schema_change {
            if change.create_database {
                let _ = writeln!(text, "+ {}", change.database.name);
            }
            for TableChange { table, based_on, add } in &change.tables {
                let add: Vec<_> = add.iter().map(|c| format!("{} {}", c.name, c.kind)).collect();
                let _ = writeln!(text, "+ {}@{based_on}: {}", table.name, add.join(", "));
            }
        }
    }
    for bad in plan.bad.told() {
        let _ = writeln!(text, "! {}: {}", bad.line_number, bad.error_message);
    }
    text
}

fn check_limited(catalog: &MemoryCatalog, limits: &Limits, body: &str, expected: &str) {
    let plan = plan_with(catalog, limits, body.as_bytes(), 64 << 20).expect("no limit of requests");
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(told(&plan).lines().collect::<Vec<_>>(), expected, "{body}");
}

fn check(body: &str, expected: &str) {
    check_limited(&MemoryCatalog::default(), &Limits::default(), body, expected);
}

#[test]
fn rows_are_gathered_by_table_and_day_in_name_and_key_order() {
    check(
        "mem,host=b free=1i 86400000000001\n\
         cpu,host=a,region=eu usage=1.5 5\n\
         mem,host=b free=2i 3\n\
         cpu usage=2,on=t -1\n\
         cpu,host=a,region=eu usage=3 4",
        "cpu 1969-12-31 |  | -1 | on=true,usage=2.0
         cpu 1970-01-01 | host=a,region=eu | 5 | usage=1.5
         cpu 1970-01-01 | host=a,region=eu | 4 | usage=3.0
         mem 1970-01-01 | host=b | 3 | free=2i
         mem 1970-01-02 | host=b | 86400000000001 | free=1i
         + db
         + cpu@0: host tag, on field of type boolean, region tag, usage field of type float
         + mem@0: free field of type integer, host tag",
    );
}

#[test]
fn lines_without_a_time_get_the_clocks() {
    check(
        "a x=1i\n# a comment\n\na x=2i 7",
        "a 1970-01-01 |  | 1000000000 | x=1i
         a 1970-01-01 |  | 7 | x=2i
         + db
         + a@0: x field of type integer",
    );
}

#[test]
fn a_bad_line_spoils_no_other_and_leaves_no_column() {
    check(
        "a x=1i 1\na y=2i,x=3 2\na, x=1 3\na x=\n\u{feff}\nb z=nan\na x=4i 4",
        "a 1970-01-01 |  | 1 | x=1i
         a 1970-01-01 |  | 4 | x=4i
         + db
         + a@0: x field of type integer
         ! 2: column \"x\" is a field of type integer; it cannot take a field of type float
         ! 3: Tag Set Malformed
         ! 4: No fields were provided
         ! 5: the line is not line protocol
         ! 6: No fields were provided",
    );
}

#[test]
fn an_empty_tag_is_an_absent_one() {
    check(
        "a,t=,u=b,v= x=1i 1\na,t= x=2i 1\na,t=,t=, x=3i",
        "a 1970-01-01 | u=b | 1 | x=1i
         a 1970-01-01 |  | 1 | x=2i
         + db
         + a@0: u tag, x field of type integer
         ! 3: Tag Set Malformed",
    );
}

#[test]
fn nothing_is_planned_where_all_lines_are_bad() {
    check(
        "a x=1i,x=2.0\n",
        "! 1: column \"x\" is a field of type integer; it cannot take a field of type float",
    );
}

#[test]
fn one_name_is_one_column() {
    check("a,x=t x=1i", "! 1: column \"x\" is a tag; it cannot take a field of type integer");
    check("a,x=t,x=u y=1i", "! 1: the tag \"x\" comes twice");
    check("a,time=t y=1i", "! 1: column \"time\" is a time; it cannot take a tag");
    check("a time=1i", "! 1: column \"time\" is a time; it cannot take a field of type integer");
    check(
        "a x=1i,x=2i 1",
        "a 1970-01-01 |  | 1 | x=2i
         + db
         + a@0: x field of type integer",
    );
}

#[test]
fn floats_that_are_not_finite_are_bad() {
    check("a x=1e999 1", "! 1: the value of \"x\" is not finite");
}

#[test]
fn a_line_that_is_not_utf8_is_bad_for_itself() {
    let plan = plan_with(
        &MemoryCatalog::default(),
        &Limits::default(),
        b"a x=1i 1\na s=\"\xff\" 2\na x=2i 3",
        64 << 20,
    );
    let told = told(&plan.expect("no limit of requests"));
    assert!(told.contains("! 2: the line is not UTF-8"), "{told}");
    assert!(told.contains("| 3 | x=2i"), "{told}");
}

#[tokio::test]
async fn the_catalog_decides_and_only_what_is_new_is_added() {
    let world = World::new();
    world.add_table("cpu", &[("host", ColumnKind::Tag), ("usage", F64)]).await;
    let limits = Limits::default();
    check_limited(
        &world.catalog,
        &limits,
        "cpu,host=a usage=1 1",
        "cpu 1970-01-01 | host=a | 1 | usage=1.0",
    );
    check_limited(
        &world.catalog,
        &limits,
        "cpu,host=a usage=1i 1\ncpu,usage=1 x=1i 2\ncpu,rack=r usage=2,n=1i 3",
        "cpu 1970-01-01 | rack=r | 3 | n=1i,usage=2.0
         + cpu@1: n field of type integer, rack tag
         ! 1: column \"usage\" is a field of type float; it cannot take a field of type integer
         ! 2: column \"usage\" is a field of type float; it cannot take a tag",
    );
}

#[test]
fn times_out_of_range_are_bad() {
    let view = View::new(&MemoryCatalog::default().snapshot(), database("db"));
    let budget = MemoryBudget::new(1 << 20);
    let memory = budget.try_reserve(MemoryOwner::Request, 0);
    let checks = Checks {
        view: &view,
        limits: &Limits::default(),
        precision: Precision::Second,
        now_ns: NOW_NS,
        randomness: &SeededRandomness::new(7),
    };
    let body = b"a x=1i 9223372036\na x=1i 9223372037";
    let plan = plan_lines(checks, body, Allowance::new(memory.expect("nothing always fits"), 0));
    let told = told(&plan.expect("no limit of requests"));
    assert!(told.starts_with("a 2262-04-11 |"), "{told}");
    assert!(told.contains("! 2: the timestamp 9223372037 lies outside"), "{told}");
}

/// A limit takes `n` and refuses one more as a bad line that names it.
fn check_limit(limits: &Limits, body: &str, kept: usize, named: &str, exhausts_names: bool) {
    let catalog = MemoryCatalog::default();
    let plan = plan_with(&catalog, limits, body.as_bytes(), 64 << 20).expect("bad lines only");
    let planned = plan.planned.as_ref().expect("some lines are good");
    let rows: usize = planned.batches.iter().map(|batch| batch.batch.rows()).sum();
    assert_eq!((rows, plan.bad.count()), (kept, 1), "{named}");
    assert_eq!(plan.bad.names_exhausted(), exhausts_names, "{named}");
    let message = &plan.bad.told()[0].error_message;
    assert!(message.contains(named), "{message}");
}

#[test]
fn each_limit_of_a_line_takes_n_and_refuses_n_plus_one() {
    let mut limits = Limits { line_bytes_max: 8, ..Limits::default() };
    check_limit(&limits, "a x=11 1\na x=111 1", 1, "8 bytes a line", false);
    limits = Limits { tags_max: 2, ..Limits::default() };
    check_limit(&limits, "a,b=1,c=1 x=1\na,b=1,c=1,d=1 x=1", 1, "2 tags a line", false);
    limits = Limits { string_bytes_max: 2, ..Limits::default() };
    check_limit(&limits, "a x=\"22\"\na x=\"333\"", 1, "2 bytes a string", false);
    check_limit(&limits, "a,t=22 x=1\na,t=333 x=1", 1, "2 bytes a string", false);
    let longest = |len: usize| format!("{} x=1", "t".repeat(len));
    let body = format!("{}\n{}", longest(200), longest(201));
    check_limit(&Limits::default(), &body, 1, "limit of 200", true);
    let longest = |len: usize| format!("a {}=1", "c".repeat(len));
    let body = format!("{}\n{}", longest(255), longest(256));
    check_limit(&Limits::default(), &body, 1, "limit of 255", true);
}

#[test]
fn columns_and_tables_take_n_and_refuse_n_plus_one() {
    let mut limits = Limits { columns_max: 3, ..Limits::default() };
    check_limit(&limits, "a,t=1 x=1\na,t=1 y=1\nb,t=1 y=1", 2, "3 columns a table", true);
    check_limit(&limits, "a,t=1 x=1,y=1\na,t=1 x=1", 1, "3 columns a table", true);
    limits = Limits { tables_max: 2, ..Limits::default() };
    check_limit(&limits, "a x=1\nb x=1\nc x=1\na x=2", 3, "2 tables a database", true);
}

#[tokio::test]
async fn databases_take_n_and_refuse_n_plus_one() {
    let world = World::new();
    let limits = Limits { databases_max: 1, ..Limits::default() };
    check_limited(
        &world.catalog,
        &limits,
        "a x=1i 1",
        "a 1970-01-01 |  | 1 | x=1i
         + db
         + a@0: x field of type integer",
    );
    world.edge.create_database(&database("other")).await.expect("there is room");
    let expected = "! 1: there would be more than the limit of 1 databases";
    check_limited(&world.catalog, &limits, "a x=1i 1", expected);
}

#[test]
fn limits_of_a_request_refuse_it_whole() {
    let catalog = MemoryCatalog::default();
    let days = "a x=1i 1\na x=1i 86400000000000\nb x=1i 1";
    let limits = Limits { partitions_max: 3, ..Limits::default() };
    assert!(plan_with(&catalog, &limits, days.as_bytes(), 1 << 20).is_ok());
    let limits = Limits { partitions_max: 2, ..Limits::default() };
    let refused = plan_with(&catalog, &limits, days.as_bytes(), 1 << 20);
    assert!(matches!(refused, Err(Error::TooManyPartitions { limit: 2 })));
    // Two rows of three columns: x, y and time.
    let cells = "a x=1i 1\na y=1i 2";
    let limits = Limits { cells_max: 6, ..Limits::default() };
    assert!(plan_with(&catalog, &limits, cells.as_bytes(), 1 << 20).is_ok());
    let limits = Limits { cells_max: 5, ..Limits::default() };
    let refused = plan_with(&catalog, &limits, cells.as_bytes(), 1 << 20);
    assert!(matches!(refused, Err(Error::TooManyCells { limit: 5 })));
}

#[test]
fn rows_that_no_memory_is_left_for_refuse_the_request() {
    let body: String = (0..1_000).map(|n| format!("a x=1i {n}\n")).collect();
    let catalog = MemoryCatalog::default();
    let refused = plan_with(&catalog, &Limits::default(), body.as_bytes(), 10_000);
    assert!(matches!(refused, Err(Error::MoreThanMemory { .. })));
    assert!(plan_with(&catalog, &Limits::default(), body.as_bytes(), 100_000).is_ok());
}

#[tokio::test]
async fn a_column_of_a_known_table_counts_once() {
    let world = World::new();
    world.add_table("a", &[("x", I64), ("y", I64)]).await;
    let limits = Limits { columns_max: 3, ..Limits::default() };
    check_limited(&world.catalog, &limits, "a x=1i,y=2i 1", "a 1970-01-01 |  | 1 | x=1i,y=2i");
    let expected = "! 1: the table would have more than the limit of 3 columns a table";
    check_limited(&world.catalog, &limits, "a x=1i,z=2i 1", expected);
}

/// One generated line: table, tags, fields, time.
type Generated = (u8, Vec<(u8, String)>, Vec<(u8, i64)>, i64);

fn generated() -> impl Strategy<Value = Vec<Generated>> {
    // An empty tag is as good as none.
    let tag = (0..4_u8, "[a-zü ,=]{0,4}");
    let tags = proptest::collection::vec(tag, 0..4);
    let fields = proptest::collection::vec((0..4_u8, any::<i64>()), 1..4);
    let line = (0..3_u8, tags, fields, -200_000_000_000_000..200_000_000_000_000_i64);
    proptest::collection::vec(line, 1..30)
}

fn escaped(value: &str) -> String {
    value.replace(',', "\\,").replace('=', "\\=").replace(' ', "\\ ")
}

/// The line as text, and the row that it has to become.
fn line_and_row((table, tags, fields, time): &Generated) -> (String, String) {
    let tags: std::collections::BTreeMap<_, _> = tags.iter().cloned().collect();
    let mut line = format!("t{table}");
    for (tag, value) in tags.iter().rev() {
        let _ = write!(line, ",g{tag}={}", escaped(value));
    }
    let written: Vec<_> = fields.iter().map(|(f, value)| format!("f{f}={value}i")).collect();
    let _ = write!(line, " {} {time}", written.join(","));
    let fields: std::collections::BTreeMap<_, _> = fields.iter().copied().collect();
    let tags = tags.iter().filter(|(_, value)| !value.is_empty());
    let tags: Vec<_> = tags.map(|(tag, value)| format!("g{tag}={value}")).collect();
    let fields: Vec<_> = fields.iter().map(|(f, value)| format!("f{f}={value}i")).collect();
    let key = types::PartitionKey::of_time(*time);
    let row = format!("t{table} {key} | {} | {time} | {}", tags.join(","), fields.join(","));
    (line, row)
}

proptest! {
    #[test]
    fn every_good_line_becomes_its_row(lines in generated()) {
        let (lines, mut rows): (Vec<_>, Vec<_>) = lines.iter().map(line_and_row).unzip();
        let body = lines.join("\n");
        let plan = plan_with(&MemoryCatalog::default(), &Limits::default(), body.as_bytes(), 1 << 24);
        let plan = plan.expect("no limit is near");
        prop_assert!(plan.bad.is_empty(), "{:?}", plan.bad);
        let planned = plan.planned.expect("there are lines");
        let mut kept = rows_as_text(&planned.batches);
        // Batches stand in order; within one the rows stand as they came.
        let key = |row: &String| row.split(" | ").next().map(str::to_owned);
        rows.sort_by_key(key);
        prop_assert!(kept.is_sorted_by_key(key));
        kept.sort_by_key(key);
        prop_assert_eq!(kept, rows);
    }

    #[test]
    fn no_body_makes_the_planner_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let plan = plan_with(&MemoryCatalog::default(), &Limits::default(), &body, 1 << 24);
        prop_assert!(plan.is_ok());
    }
}
