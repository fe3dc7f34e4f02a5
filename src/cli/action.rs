//! The answer of actions, under the name by which `run advance` still knows it.

pub(in crate::cli) use crate::app::action::ActionAnswer as ActionView;
