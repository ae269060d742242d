//! What the store keeps: identifiers, rows and the requests that change them.

mod alerts;
mod configuration;
mod erasure;
mod events;
mod ids;
mod progress;
mod rests;
mod runs;
mod usage;
mod work;

pub use alerts::*;
pub use configuration::*;
pub use erasure::*;
pub use events::*;
pub use ids::*;
pub use progress::*;
pub use rests::*;
pub use runs::*;
pub use usage::*;
pub use work::*;
