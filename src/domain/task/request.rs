//! The request for a change of a task.

use serde_json::{Value, json};

use super::link::{Artifact, artifact};
use super::status::Status;

/// The requested change. It is stored while the change is under way, so that another process can finish it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line, each on its own")]
pub struct Request {
    pub task: u64,
    /// The new status; `None` if only links are added.
    pub to: Option<Status>,
    /// The artifacts, each as `type:path`.
    pub artifacts: Vec<String>,
    /// A sentence that is kept with the artifacts.
    pub summary: Option<String>,
    /// The reason, for a status that needs one.
    pub reason: Option<String>,
    /// The tasks that the task was expanded into.
    pub subtasks: Vec<u64>,
    /// The date for `TODO.md`: `YYYY-MM-DD`.
    pub date: String,
    /// The time of the stage for `state.json`: `YYYY-MM-DDTHH:MM:SSZ`.
    pub staged: String,
    /// The time of the change, in the same form.
    pub now: String,
    /// Whether the dates of stages are kept.
    pub dates: bool,
    /// Whether the table of transitions and the need for artifacts are overridden.
    pub force: bool,
    /// Whether the change is refused if the files disagree.
    pub strict: bool,
    /// Whether the links to older plans stay.
    pub keep_plans: bool,
    /// The directory of the files, relative to the top of the repository.
    pub dir: String,
}

impl Request {
    /// Returns the request as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "task": self.task,
            "to": self.to.map(Status::as_str),
            "texts": [self.summary, self.reason, self.date, self.staged, self.now, self.dir],
            "artifacts": self.artifacts,
            "subtasks": self.subtasks,
            "flags": [self.dates, self.force, self.strict, self.keep_plans],
        })
    }

    /// Parses what [`Self::to_json`] returned.
    pub fn from_json(value: &Value) -> Option<Self> {
        let list = |key: &str| value[key].as_array().into_iter().flatten();
        let text = |at: usize| value["texts"][at].as_str().map(ToOwned::to_owned);
        let flag = |at: usize| value["flags"][at].as_bool();
        Some(Self {
            task: value["task"].as_u64()?,
            to: value["to"].as_str().and_then(|word| word.parse().ok()),
            artifacts: list("artifacts").filter_map(|text| Some(text.as_str()?.to_owned())).collect(),
            summary: text(0),
            reason: text(1),
            subtasks: list("subtasks").filter_map(Value::as_u64).collect(),
            date: text(2)?,
            staged: text(3)?,
            now: text(4)?,
            dates: flag(0)?,
            force: flag(1)?,
            strict: flag(2)?,
            keep_plans: flag(3)?,
            dir: text(5)?,
        })
    }

    /// Returns the parsed artifacts.
    pub fn artifacts(&self) -> Vec<Artifact> {
        self.artifacts.iter().filter_map(|text| artifact(text).ok()).collect()
    }
}

/// Returns a request with nothing but a status.
#[cfg(test)]
pub fn sample(task: u64, to: Status) -> Request {
    Request {
        task,
        to: Some(to),
        artifacts: Vec::new(),
        summary: None,
        reason: None,
        subtasks: Vec::new(),
        date: "2026-01-31".to_owned(),
        staged: "2026-01-31T10:00:00Z".to_owned(),
        now: "2026-01-31T10:00:00Z".to_owned(),
        dates: true,
        force: false,
        strict: false,
        keep_plans: false,
        dir: "specs".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS-30: what is kept of a change under way is all of it.
    #[test]
    fn a_request_is_read_as_it_was_written() {
        let mut request = sample(7, Status::Expanded);
        for _ in 0..2 {
            let text = request.to_json().to_string();
            assert_eq!(Request::from_json(&serde_json::from_str(&text).unwrap()).unwrap(), request);
            request.to = None;
            request.artifacts = vec!["plan:p.md".to_owned()];
            (request.summary, request.reason) = (Some("s".to_owned()), Some("r".to_owned()));
            (request.subtasks, request.dir) = (vec![8, 9], String::new());
            (request.dates, request.force, request.strict, request.keep_plans) = (false, true, false, true);
        }
        assert_eq!(Request::from_json(&Value::Null), None);
    }
}
