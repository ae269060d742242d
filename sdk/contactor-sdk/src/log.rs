//! Lines for the run's log. They are shown to the admin: no personal data, no secrets.
//!
//! ```
//! # let host = contactor_sdk::testing::MockHost::new().install();
//! use contactor_sdk::log;
//!
//! log::info!("page {} had {} testers", 3, 25);
//! # assert_eq!(host.logs()[0].message, "page 3 had 25 testers");
//! ```

use crate::NamedValue;
pub use crate::bindings::contactor::connector::log::Level;

/// Writes one line with values beside it. Lines beyond the run's cap are dropped and counted.
pub fn write(level: Level, message: &str, fields: &[NamedValue]) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::contactor::connector::log::write(level, message, fields);
    #[cfg(not(target_arch = "wasm32"))]
    crate::host::with(|host| host.log(level, message, fields));
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Debug, &format!($($line)*), &[]) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Info, &format!($($line)*), &[]) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Warn, &format!($($line)*), &[]) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Error, &format!($($line)*), &[]) };
}

#[doc(inline)]
pub use {__log_debug as debug, __log_error as error, __log_info as info, __log_warn as warn};
