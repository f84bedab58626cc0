//! Version 1 of what stands in a frame of the catalog's log: lines of JSON.
//!
//! The first line says the format, each further one is a command. Lines, because the frame is put
//! together from commands that their senders have encoded; JSON, because a person with `wal dump`
//! can read it, and because a later version can add an optional field that this one steps over.

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::damage::Damage;
use crate::error::Error;

/// The newest format that is written and read here. It rises when a reader that steps over what it
/// does not know would be wrong.
pub(crate) const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: u32,
}

/// A frame's body that is being put together.
#[derive(Debug, Default)]
pub(crate) struct Record {
    lines: Vec<u8>,
    commands: u32,
}

impl Record {
    /// Adds a command that [`encode`] has encoded.
    pub(crate) fn push(&mut self, encoded: &[u8]) {
        self.lines.push(b'\n');
        self.lines.extend_from_slice(encoded);
        self.commands += 1;
    }

    /// Commands in it.
    pub(crate) const fn commands(&self) -> u32 {
        self.commands
    }

    /// Bytes of its commands.
    pub(crate) const fn len(&self) -> usize {
        self.lines.len()
    }

    /// The body.
    pub(crate) fn into_body(self) -> Vec<u8> {
        let mut body = format!("{{\"format\":{FORMAT}}}").into_bytes();
        body.extend(self.lines);
        body
    }
}

/// The line of one command.
pub(crate) fn encode(command: &Command) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(command).map_err(|source| Error::Unencodable { source })
}

/// The commands of a body, in their order.
pub(crate) fn decode(body: &[u8]) -> Result<Vec<Command>, Damage> {
    let mut lines = body.split(|byte| *byte == b'\n');
    let head = lines.next().and_then(|line| serde_json::from_slice::<Head>(line).ok());
    let found = head.ok_or(Damage::Header)?.format;
    if found != FORMAT {
        return Err(Damage::UnknownFormat { found, newest: FORMAT });
    }
    let command =
        |(line, text)| serde_json::from_slice(text).map_err(|source| Damage::Text { line, source });
    // Lines are counted from 1, and the first was the head.
    (2..).zip(lines).map(command).collect()
}

#[cfg(test)]
mod tests {
    use types::{Epoch, LogId, RequestId, TableId};

    use super::*;
    use crate::command::Action;

    fn commands() -> Vec<Command> {
        let actions = [
            Action::OpenLog { log: LogId::from_random(1, 2), epoch: Epoch::new(1) },
            Action::DropTable { table: TableId::new(u64::MAX) },
        ];
        let command = |(n, action)| Command { request: RequestId::from_random(n, n), action };
        (0..).zip(actions).map(command).collect()
    }

    fn body_of(commands: &[Command]) -> Vec<u8> {
        let mut record = Record::default();
        for command in commands {
            record.push(&encode(command).expect("encodes"));
        }
        record.into_body()
    }

    #[test]
    fn a_record_is_read_back() {
        let commands = commands();
        assert_eq!(decode(&body_of(&commands)).expect("decodes"), commands);
        assert_eq!(decode(&body_of(&[])).expect("decodes"), []);
    }

    #[test]
    fn fields_of_a_later_version_are_stepped_over() {
        let body = body_of(&commands()[1..]);
        let text = String::from_utf8(body).expect("it is text");
        let later = text
            .replace("{\"format\":1}", "{\"format\":1,\"by\":\"2.0\"}")
            .replace("\"table\":", "\"reason\":\"old\",\"table\":");
        assert_ne!(text, later);
        assert_eq!(decode(later.as_bytes()).expect("decodes"), &commands()[1..]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let check = |body: &str, expected: &str| {
            let damage = decode(body.as_bytes()).expect_err("it is not version 1");
            assert!(damage.to_string().contains(expected), "{damage}");
        };
        check("", "first line");
        check("{}", "first line");
        check("{\"format\":2}", "format 2 is newer than 1");
        check("{\"format\":1}\n{\"request\":\"x\"}", "line 2");
        let unknown =
            "{\"request\":\"00000000-0000-0000-0000-000000000000\",\"action\":{\"fly\":1}}";
        check(&format!("{{\"format\":1}}\n{unknown}"), "line 2");
    }
}
