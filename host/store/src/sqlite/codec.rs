//! How the model's types look in columns, and what SQLite's errors mean.

use jiff::Timestamp;
use rusqlite::ErrorCode;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::model::{
    AuditPhase, ConnectionId, Digest, EventSeq, LocationId, Priority, RecordId, RunId, SessionId, Side,
    TokenId, UserId, WorkspaceId,
};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        engine_error(&error)
    }
}

/// What an error of SQLite means to a caller.
pub(super) fn engine_error(error: &rusqlite::Error) -> StoreError {
    use rusqlite::Error;
    match error {
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..) => StoreError::Damaged(error.to_string()),
        _ => match error.sqlite_error_code() {
            Some(
                ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed,
            ) => StoreError::Failed { reason: error.to_string() },
            Some(ErrorCode::SystemIoFailure) => io_failure(error),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Corrupt { reason: error.to_string() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy(error.to_string()),
            _ => StoreError::Engine(error.to_string()),
        },
    }
}

/// A full disk shows in two more ways than as `SQLITE_FULL`; everything else is a disk that failed.
fn io_failure(error: &rusqlite::Error) -> StoreError {
    use rusqlite::ffi::{SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_GETTEMPPATH, SQLITE_IOERR_SHMSIZE};
    let code = error.sqlite_error().map_or(0, |error| error.extended_code);
    // The words for all of them are "disk I/O error"; the number says which operation it was.
    let reason = format!("{error}, SQLite's code {code}");
    match code {
        SQLITE_IOERR_SHMSIZE | SQLITE_IOERR_GETTEMPPATH => StoreError::Failed { reason },
        SQLITE_IOERR_CORRUPTFS => StoreError::Corrupt { reason },
        _ => StoreError::Disk { reason },
    }
}

/// Whether a statement was refused because a row like this exists.
pub(super) fn is_taken(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    error.sqlite_error().is_some_and(|error| {
        [SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY].contains(&error.extended_code)
    })
}

/// A count of the model (never negative, never near the limit) as SQLite's only integer.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The way back; a negative number can only come from a damaged row and reads as 0.
pub(super) fn count(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}

/// An instant, to the microsecond.
#[derive(Clone, Copy)]
pub(super) struct At(pub(super) Timestamp);

impl ToSql for At {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_microsecond().into())
    }
}

impl FromSql for At {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Timestamp::from_microsecond(value.as_i64()?).map(Self).map_err(FromSqlError::other)
    }
}

/// Anything compound, as JSON text.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(text.into())
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

/// A hash, as hexadecimal text.
pub(super) struct Hex(pub(super) [u8; 32]);

impl ToSql for Hex {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(hex::encode(self.0).into())
    }
}

impl FromSql for Hex {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(value.as_str()?, &mut hash).map_err(FromSqlError::other)?;
        Ok(Self(hash))
    }
}

/// An enum without fields, as the word that serde knows it by.
pub(super) struct Word<T>(pub(super) T);

impl<T: Serialize> Word<T> {
    /// The word, for whoever reads it.
    pub(super) fn text(&self) -> String {
        match serde_json::to_value(&self.0) {
            Ok(serde_json::Value::String(word)) => word,
            _ => String::new(),
        }
    }
}

impl<T: Serialize> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_value(&self.0) {
            Ok(serde_json::Value::String(word)) => Ok(word.into()),
            _ => Err(rusqlite::Error::ToSqlConversionFailure("only an enum without fields is a word".into())),
        }
    }
}

impl<T: DeserializeOwned> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?.to_owned();
        serde_json::from_value(word.into()).map(Self).map_err(FromSqlError::other)
    }
}

macro_rules! text_columns {
    ($($id:ty),*) => {$(
        impl ToSql for $id {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $id {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str().map(Self::new)
            }
        }
    )*};
}

text_columns!(WorkspaceId, ConnectionId, LocationId, RecordId, RunId, Digest, UserId, TokenId, SessionId);

impl ToSql for EventSeq {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl FromSql for EventSeq {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

/// Enums in hot tables are small integers.
macro_rules! code_columns {
    ($name:ty { $($variant:ident = $code:literal),* $(,)? }) => {
        impl ::rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> ::rusqlite::Result<::rusqlite::types::ToSqlOutput<'_>> {
                let code: i64 = match self { $(Self::$variant => $code),* };
                Ok(code.into())
            }
        }

        impl ::rusqlite::types::FromSql for $name {
            fn column_result(value: ::rusqlite::types::ValueRef<'_>) -> ::rusqlite::types::FromSqlResult<Self> {
                match value.as_i64()? {
                    $($code => Ok(Self::$variant),)*
                    other => Err(::rusqlite::types::FromSqlError::OutOfRange(other)),
                }
            }
        }
    };
}
pub(super) use code_columns;

code_columns!(AuditPhase { Begun = 0, Ended = 1, Refused = 2 });
code_columns!(Side { Highlevel = 0, Partner = 1 });
code_columns!(Priority { Interactive = 0, Webhook = 1, Sweep = 2, Backfill = 3 });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConnectionState, LinkState};

    #[test]
    fn words_and_codes_come_back_as_they_went() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let through = |value: &dyn ToSql, sql: &str| {
            connection.query_row(sql, [value], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
        };
        assert_eq!(
            through(&Word(LinkState::HighlevelDeleted), "SELECT ?"),
            "highlevel-deleted".to_owned().into()
        );
        let word = Word::<ConnectionState>::column_result(ValueRef::Text(b"needs-reconnect")).unwrap();
        assert_eq!(word.0, ConnectionState::NeedsReconnect);
        for priority in [Priority::Interactive, Priority::Webhook, Priority::Sweep, Priority::Backfill] {
            assert_eq!(through(&priority, "SELECT ?"), i64::from(priority as u8).into());
        }
        assert!(Priority::column_result(ValueRef::Integer(9)).is_err());
        assert_eq!(through(&Hex([0xab; 32]), "SELECT ?"), "ab".repeat(32).into());
        let text = "0f".repeat(32);
        assert_eq!(Hex::column_result(ValueRef::Text(text.as_bytes())).unwrap().0, [0x0f; 32]);
        for damaged in [&text[2..], "{}", &text.replace('f', "g")] {
            assert!(Hex::column_result(ValueRef::Text(damaged.as_bytes())).is_err(), "{damaged}");
        }
    }
}
