//! Goal: very small writes cost little more than their rows.
//! Method: many clients write one row a request; the server accounts for its memory.

use reqwest::blocking::Client;

use crate::server::DataDir;

const WRITERS: u64 = 16;
const WRITES: u64 = 600;

#[test]
fn one_row_writes_are_all_there_and_small_in_memory() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let server = &server;
            scope.spawn(move || {
                let client = Client::new();
                for n in 0..WRITES {
                    let line = format!("cpu,host=h{writer},region=eu usage={n}.5,idle=1i {n}");
                    assert_eq!(server.post_lines(&client, "db", line), Some(204));
                }
            });
        }
    });
    let rows = WRITERS * WRITES;
    assert_eq!(server.count("db", "cpu"), rows);
    let bytes = server.metric("forebay_buffer_unsealed_bytes", "");
    assert!(bytes / rows <= 400, "{} bytes a row", bytes / rows);
    assert!(server.terminate().success());
}
