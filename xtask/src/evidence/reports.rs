//! The reports of one commit and lane, in a directory of their own.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{self, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use super::job::{Job, Tells, Wanted};
use super::{Lane, Request, plan};
use crate::error::Error;
use crate::program;
use crate::test::{root, target_dir};

/// Where tests leave what they have counted.
const DIR_VARIABLE: &str = "FOREBAY_EVIDENCE_DIR";

/// How a commit is called that is not all there is in the working tree.
const CHANGED: &str = "-changed";

/// The directory.
#[derive(Clone, Debug)]
pub(crate) struct Reports {
    dir: PathBuf,
    commit: String,
}

impl Reports {
    /// Those of what is checked out. What an earlier run left there of the same commit stays, unless
    /// something was changed since.
    pub(crate) fn begin(request: Request) -> Result<Self, Error> {
        let commit = commit()?;
        let lane = if request.lane == Lane::Long { "long" } else { "quick" };
        let dir = target_dir().join("evidence").join(format!("{lane}-{commit}"));
        // Tests run in directories of their own and leave their counts here.
        let dir = path::absolute(&dir).map_err(Error::unread(&dir))?;
        if request.fresh || commit.ends_with(CHANGED) {
            match fs::remove_dir_all(&dir) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::unwritten(&dir)(error));
                }
                _ => {}
            }
        }
        fs::create_dir_all(&dir).map_err(Error::unwritten(&dir))?;
        Ok(Self { dir, commit })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn commit(&self) -> &str {
        &self.commit
    }

    /// The names of the bugs that can be planted.
    pub(crate) fn planted_bugs(&self) -> Result<Vec<String>, Error> {
        let path = self.dir.join("bugs.json");
        let text = fs::read_to_string(&path).map_err(Error::unread(&path))?;
        Ok(strings_of(&text, "name"))
    }

    /// Runs a job unless its report is there. Its name if it was not as it should be.
    pub(crate) fn run(&self, job: &Job) -> Result<Option<String>, Error> {
        let path = self.dir.join(job.file());
        if path.exists() {
            program::say(&format!("{} is there", job.file()));
            return Ok(None);
        }
        let part = self.dir.join(format!("{}.part", job.name));
        let is_well = self.run_into(job, &part)?;
        let told = fs::metadata(&part).map_err(Error::unread(&part))?.len() > 0;
        // What was found wrong is on the page, and is run again the next time.
        let kept = if is_well { path } else { path.with_extension("failed") };
        let unwritten = Error::unwritten(&kept);
        let kept = if told { fs::rename(&part, &kept) } else { fs::remove_file(&part) };
        kept.map_err(unwritten)?;
        Ok((!is_well).then(|| job.name.clone()))
    }

    /// True if the job ended as it should.
    fn run_into(&self, job: &Job, part: &Path) -> Result<bool, Error> {
        let failed = self.dir.join(job.file()).with_extension("failed");
        if failed.exists() {
            fs::remove_file(&failed).map_err(Error::unwritten(&failed))?;
        }
        let report = File::create(part).map_err(Error::unwritten(part))?;
        let mut command = job.command();
        command.env(DIR_VARIABLE, &self.dir);
        match job.tells {
            Tells::Json => command.stdout(report),
            Tells::Log => command.stdout(Stdio::null()).stderr(report),
        };
        let status = program::status(&mut command)?;
        Ok(match job.wanted {
            Wanted::Success => status.success(),
            // A signal is no end of its own.
            Wanted::End => status.code().is_some_and(|code| code <= 1),
        })
    }

    /// Runs jobs that measure nothing, as many at once as there are cores.
    pub(crate) fn run_side_by_side(&self, jobs: &[Job]) -> Result<Vec<String>, Error> {
        let next = Mutex::new(jobs.iter());
        // Nobody panics while holding it: taking the next one cannot.
        let take = || next.lock().ok().and_then(|mut jobs| jobs.next());
        let work = || -> Result<Vec<String>, Error> {
            let mut broken = Vec::new();
            while let Some(job) = take() {
                broken.extend(self.run(job)?);
            }
            Ok(broken)
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..plan::cores()).map(|_| scope.spawn(work)).collect();
            let mut broken = Vec::new();
            for worker in workers {
                broken.extend(worker.join().map_err(|_| Error::Panicked)??);
            }
            broken.sort();
            Ok(broken)
        })
    }
}

/// The commit that is checked out, with a mark if the sources are not those of it. The page itself
/// may differ: it is what is made here.
fn commit() -> Result<String, Error> {
    let git = |arguments: &[&str]| -> Result<String, Error> {
        let mut command = Command::new("git");
        program::said(command.current_dir(root()).args(arguments))
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--", ".", ":!docs"])?;
    Ok(if changes.is_empty() { commit } else { commit + CHANGED })
}

/// The values of all members of this name that are strings without escapes, in one line of JSON.
fn strings_of(json: &str, member: &str) -> Vec<String> {
    let begin = format!("\"{member}\":\"");
    let values = json.split(begin.as_str()).skip(1);
    values.filter_map(|rest| rest.split('"').next()).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(name: &str) -> Reports {
        let dir = target_dir().join("tmp").join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        Reports { dir, commit: "0".to_owned() }
    }

    fn shell(name: &str, script: &str) -> Job {
        Job::json(Path::new("sh"), name, &["-c", script])
    }

    #[test]
    fn what_is_there_is_not_run_again_and_what_failed_is() {
        let reports = reports("resume");
        let well = shell("well", "echo 1 >> \"$FOREBAY_EVIDENCE_DIR/runs\"; echo {}");
        let ill = shell("ill", "echo 2 >> \"$FOREBAY_EVIDENCE_DIR/runs\"; echo {}; exit 1");
        for _ in 0..2 {
            assert_eq!(reports.run(&well).expect("runs"), None);
            assert_eq!(reports.run(&ill).expect("runs"), Some("ill".to_owned()));
        }
        let runs = fs::read_to_string(reports.dir.join("runs")).expect("they ran");
        assert_eq!(runs, "1\n2\n2\n");
        assert!(reports.dir.join("well.json").exists() && reports.dir.join("ill.failed").exists());
        assert_eq!(reports.run(&ill.wanted_to_end()).expect("runs"), None);
        assert!(reports.dir.join("ill.json").exists() && !reports.dir.join("ill.failed").exists());
        fs::remove_dir_all(&reports.dir).expect("it can be removed");
    }

    #[test]
    fn all_jobs_are_run_side_by_side_and_the_failed_ones_named() {
        let reports = reports("side");
        let jobs: Vec<_> = (0..7)
            .map(|number| {
                shell(&format!("job-{number}"), &format!("echo {{}}; exit {}", number % 2))
            })
            .collect();
        let broken = reports.run_side_by_side(&jobs).expect("they run");
        assert_eq!(broken, ["job-1", "job-3", "job-5"]);
        let files = fs::read_dir(&reports.dir).expect("a directory").count();
        assert_eq!(files, 7);
        fs::remove_dir_all(&reports.dir).expect("it can be removed");
    }

    #[test]
    fn names_are_read_off_a_line_of_json() {
        let line = r#"{"bugs":[{"mistake":"A \"b\".","name":"one"},{"mistake":"c","name":"two"}]}"#;
        assert_eq!(strings_of(line, "name"), ["one", "two"]);
    }
}
