//! Any rows, spread over any chunks and files, with files committed while the query runs.

use proptest::prelude::*;
use tokio::runtime::Builder;
use types::partition::DAY_NS;

use crate::model::{Columns, Row, Value};
use crate::world::{Form, World};

/// One step before the queries, or at a turn of one.
#[derive(Clone, Debug)]
enum Step {
    Write { rows: Vec<Row>, join: bool },
    Persist(Job),
}

#[derive(Clone, Copy, Debug)]
struct Job {
    partition: usize,
    from: usize,
    count: usize,
    form: Form,
}

fn any_row() -> impl Strategy<Value = Row> {
    let tags = (0_u8..3, 0_u8..3, 0_u8..8);
    let time = (0_i64..2, -2_i64..5);
    let fields = (prop::option::of(0_i64..3), prop::option::of(0_u8..3));
    (tags, time, fields).prop_map(|((a, b, late), (day, time), (x, y))| {
        let mut row = Row::at(day * DAY_NS + time);
        // A tag that few rows have comes late, after the sort key was fixed.
        let tags = [("a", a), ("b", b), ("aa", late.saturating_sub(5))];
        for (name, value) in tags.into_iter().filter(|(_, value)| *value > 0) {
            row = row.tag(name, &format!("{name}{value}"));
        }
        if let Some(x) = x {
            row = row.int("x", x);
        }
        if let Some(y) = y {
            row = row.text("y", &format!("y{y}"));
        }
        row
    })
}

fn any_job() -> impl Strategy<Value = Job> {
    let form = prop::sample::select(vec![
        Form::Dictionaries,
        Form::Text,
        Form::QuarantineFile,
        Form::QuarantineStream,
    ]);
    (0_usize..3, 0_usize..4, 1_usize..4, form).prop_map(|(partition, from, count, form)| Job {
        partition,
        from,
        count,
        form,
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (prop::collection::vec(any_row(), 1..8), any::<bool>())
            .prop_map(|(rows, join)| Step::Write { rows, join }),
        1 => any_job().prop_map(Step::Persist),
    ]
}

fn run(world: &World, job: Job) {
    let partitions = world.partitions();
    if !partitions.is_empty() {
        let key = &partitions[job.partition % partitions.len()];
        world.persist(key, job.from, job.count, job.form);
    }
}

/// A query, the columns of its answer (none: all), and the rows that it wants.
type Question = (&'static str, &'static [&'static str], fn(&Columns) -> bool);

fn time(row: &Columns) -> i64 {
    match row.get("time") {
        Some(Value::Int(time)) => *time,
        other => panic!("a time is {other:?}"),
    }
}

fn is(row: &Columns, column: &str, value: &str) -> bool {
    row.get(column) == Some(&Value::Text(value.to_owned()))
}

const QUESTIONS: &[Question] = &[
    ("SELECT * FROM cpu", &[], |_| true),
    ("SELECT x FROM cpu", &["x"], |_| true),
    ("SELECT y, b FROM cpu", &["b", "y"], |_| true),
    (
        "SELECT * FROM cpu WHERE time >= '1970-01-01T00:00:00.000000001Z' AND time < '1970-01-02'",
        &[],
        |row| (1..DAY_NS).contains(&time(row)),
    ),
    ("SELECT y FROM cpu WHERE time > '1970-01-02'", &["y"], |row| time(row) > DAY_NS),
    ("SELECT x, y FROM cpu WHERE a = 'a1'", &["x", "y"], |row| is(row, "a", "a1")),
    ("SELECT * FROM cpu WHERE b IS NULL", &[], |row| !row.contains_key("b")),
    ("SELECT x FROM cpu WHERE aa IS NOT NULL AND b <> 'b2'", &["x"], |row| {
        row.contains_key("aa") && row.contains_key("b") && !is(row, "b", "b2")
    }),
    // An older version of the point may match where the newest does not.
    ("SELECT * FROM cpu WHERE x = 1", &[], |row| row.get("x") == Some(&Value::Int(1))),
    ("SELECT time FROM cpu WHERE y = 'y0' AND a = 'a2'", &["time"], |row| {
        is(row, "y", "y0") && is(row, "a", "a2")
    }),
    ("SELECT x FROM cpu WHERE x > 0 OR time = '1970-01-01'", &["x"], |row| {
        row.get("x") > Some(&Value::Int(0)) || time(row) == 0
    }),
];

async fn check(steps: &[Step], at_turns: &[Job]) {
    let world = World::new();
    // The columns that questions name exist whatever rows were drawn.
    let everything = Row::at(0).tag("a", "a1").tag("aa", "aa1").tag("b", "b1").int("x", 0);
    world.write(&[everything.text("y", "y0")]);
    for step in steps {
        match step {
            Step::Write { rows, join } => world.write_to_chunk(rows, *join),
            Step::Persist(job) => run(&world, *job),
        }
    }
    let mut jobs = at_turns.to_vec();
    let at_turn = world.clone();
    world.buffer.at_turn(move |_| {
        if let Some(job) = jobs.pop() {
            run(&at_turn, job);
        }
    });
    for (sql, columns, keep) in QUESTIONS {
        let expected = world.model.lock().rows(columns, keep);
        assert_eq!(world.rows(sql).await, expected, "{sql}");
        let count = format!("SELECT count(*) AS n FROM ({sql})");
        let counted = Columns::from([("n".to_owned(), Value::Int(expected.len() as i64))]);
        assert_eq!(world.rows(&count).await, [counted], "{count}");
    }
    assert_eq!(world.buffer.readers(), 0, "what a query held is given back");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_answer_is_that_of_the_model(
        steps in prop::collection::vec(any_step(), 1..14),
        at_turns in prop::collection::vec(any_job(), 0..12),
    ) {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(check(&steps, &at_turns));
    }
}

#[tokio::test]
async fn a_chunk_between_two_files_loses_to_the_newer_and_wins_over_the_older() {
    let write = |x| Step::Write { rows: vec![Row::at(1).tag("a", "a1").int("x", x)], join: false };
    let persist = |from| {
        let form = Form::Dictionaries;
        Step::Persist(Job { partition: 0, from, count: 1, form })
    };
    let newer_without_value =
        Step::Write { rows: vec![Row::at(1).tag("a", "a1").text("y", "y1")], join: false };
    // Two chunks stay, one before the file of x = 2 and one after it that has no x.
    let steps = [write(1), write(2), newer_without_value, persist(2)];
    check(&steps, &[]).await;
}

#[tokio::test]
async fn a_tag_that_is_younger_than_the_version_still_tells_points_apart() {
    let world = World::new();
    world.write(&[Row::at(1).tag("a", "a1").int("x", 1)]);
    world.persist_all();
    world.write(&[Row::at(1).tag("a", "a1").int("x", 2)]);
    let writer = world.clone();
    let mut once = Some(());
    world.buffer.at_turn(move |_| {
        if once.take().is_some() {
            let young = |c: &str, x| Row::at(1).tag("a", "a1").tag("c", c).int("x", x);
            writer.write(&[young("c1", 10), young("c2", 20)]);
        }
    });
    let x = |x| Columns::from([("x".to_owned(), Value::Int(x))]);
    assert_eq!(world.rows("SELECT x FROM cpu").await, [x(2), x(10), x(20)]);
}
