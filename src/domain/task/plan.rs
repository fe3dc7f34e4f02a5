//! The overall status of a plan file.

use super::edit::Edits;
use super::status::Status;
use super::todo::{Marker, Todo, heading, marker};

/// Returns the marker of a plan's overall status: the first status line above the first phase. `None` if
/// there is none, or if its value has neither brackets nor a status.
pub fn overall(text: &str) -> Option<Marker> {
    let plan = Todo::scan(text);
    let is_phase = |line: &str| {
        heading(line)
            .is_some_and(|(_, title)| title.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("phase")))
    };
    let before = (0..plan.lines.len()).take_while(|at| plan.lines[*at].fenced || !is_phase(plan.line(*at)));
    let status = before
        .filter(|at| !plan.lines[*at].fenced)
        .filter_map(|at| plan.field(at))
        .find(|field| field.name == "Status")?;
    marker(text, &status.value)
}

/// Returns the plan with another overall status. `None` as for [`overall`].
pub fn with_status(text: &str, to: Status) -> Option<String> {
    let found = overall(text)?;
    let mut edits = Edits::default();
    let marker = to.marker();
    edits.replace(found.span, if found.bare { format!("[{marker}]") } else { marker });
    Some(edits.apply(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS-25
    #[test]
    fn only_the_overall_status_changes() {
        let text = "# Plan\n\n**Task**: 7  \n**Status**: [PLANNED]  \n\n```\n### Phase 0\n```\n### Phase 1: a [NOT STARTED]\n\
                    - **Status**: [NOT STARTED]\n";
        assert_eq!(
            with_status(text, Status::Implementing).unwrap(),
            text.replace("[PLANNED]", "[IMPLEMENTING]")
        );
        let metadata = "# Plan\n## Metadata\n- **Status**: Not Started\n";
        assert_eq!(
            with_status(metadata, Status::OnHold).unwrap(),
            metadata.replace("Not Started", "[ON HOLD]")
        );
    }

    /// TS-07
    #[test]
    fn a_plan_may_have_no_overall_status() {
        for text in ["", "# Plan\n", "# Plan\n## Phase 1: a\n- **Status**: [PLANNED]\n", "**Status**: soon\n"]
        {
            assert_eq!(with_status(text, Status::Planned), None, "{text}");
        }
    }
}
