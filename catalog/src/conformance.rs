//! What every catalog does, as functions to run against an implementation.
//!
//! Each behaviour takes a factory of empty catalogs. The macro
//! [`conformance_tests!`](crate::conformance_tests) makes one test of each; an implementation
//! passes all of them or is none.

mod actions;
mod drops;
mod files;
mod logs;
mod requests;
mod schema;
mod sender;

pub use actions::{
    Columns, add_file, change_columns, create, database, file, log, open_log, partition, sort_key,
    table,
};
pub use drops::*;
pub use files::*;
pub use logs::*;
pub use requests::*;
pub use schema::*;
pub use sender::Sender;

use std::sync::Arc;

use crate::config::Limits;
use crate::write::CatalogWrite;

/// Makes an empty catalog with these limits.
pub type Factory<'a> = &'a (dyn Fn(Limits) -> Arc<dyn CatalogWrite> + Send + Sync);

/// Makes one `#[tokio::test]` of each behaviour. Takes an expression that is evaluated for each
/// test, and gives a closure from [`Limits`] to an `Arc<dyn CatalogWrite>`.
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr) => {
        $crate::conformance_tests! { $make =>
            a_change_creates_everything_in_one_step
            a_change_based_on_an_older_version_conflicts
            a_conflict_in_one_table_keeps_nothing_of_the_change
            a_database_that_somebody_else_created_conflicts
            a_table_that_somebody_else_created_conflicts
            concurrent_creations_of_one_database_leave_one
            a_column_keeps_its_kind
            each_limit_takes_n_and_refuses_n_plus_one
            a_file_makes_its_partition
            files_stand_in_term_and_lsn_order
            the_same_file_twice_is_success
            another_file_of_the_same_id_is_refused
            lsns_are_committed_once
            a_sort_key_is_compared_and_swapped
            of_concurrent_sort_keys_one_wins_and_the_others_see_it
            a_file_for_an_unknown_table_is_refused
            an_epoch_is_registered_once
            an_older_epoch_is_fenced
            an_epoch_that_was_not_registered_is_refused
            the_largest_lsn_of_a_log_never_falls
            a_dropped_table_is_dead_for_good
            a_dropped_database_takes_its_tables_along
            dropping_twice_is_success_and_dropping_nothing_is_not
            each_commit_raises_the_version_by_one
            a_repeated_request_is_answered_as_before
            an_answered_command_is_in_the_snapshot
            a_snapshot_stays_as_it_was
            a_command_happens_though_nobody_waits_for_the_answer
            the_same_commands_make_equal_catalogs
        }
    };
    ($make:expr => $($behaviour:ident)+) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                let make = $make;
                $crate::conformance::$behaviour(&make).await;
            }
        )+
    };
}
