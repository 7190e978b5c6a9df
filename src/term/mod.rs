//! The terminal, and whatever stands in its place: whole writes, a few styles, widths in columns.
//!
//! Output is only ever appended: nothing here moves the cursor, and nothing asks the terminal a
//! question. What is said is decided in `cli`.

pub mod lines;
pub mod style;
pub mod width;
pub mod writer;

pub use writer::Writer;
