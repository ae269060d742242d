//! The main job as stories, each checked on the other side's data: the demo plays them large, a test plays them small.

mod partners;
mod play;

pub use play::{Outcome, Stage, play};
