//! The reader of fencing tokens, under the name by which the hooks still know it.

pub(in crate::cli) use crate::domain::coordination::fence;
