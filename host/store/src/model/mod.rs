//! What the store keeps: identifiers, rows and the requests that change them.

mod alerts;
mod configuration;
mod conflicts;
mod deletions;
mod erasure;
mod events;
mod guard;
mod ids;
mod matching;
mod progress;
mod recordings;
mod rests;
mod runs;
mod usage;
mod vault;
mod work;

pub use alerts::*;
pub use configuration::*;
pub use conflicts::*;
pub use deletions::*;
pub use erasure::*;
pub use events::*;
pub use guard::*;
pub use ids::*;
pub use matching::*;
pub use progress::*;
pub use recordings::*;
pub use rests::*;
pub use runs::*;
pub use usage::*;
pub use vault::*;
pub use work::*;
