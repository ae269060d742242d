//! The audit log: every change that was asked for, in a chain in which nothing can be altered, added or left out unnoticed.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{TokenId, UserId, WorkspaceId};

/// Who asks.
///
/// Room for more: somebody whom an identity provider vouches for will be a user without a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever has the host's own admin token.
    AdminTokenFile,
    /// A user.
    User(UserId),
    /// The host itself, which nobody asked: a version on trial that it took back, or adopted; a connection that it stopped, or let go on;
    /// what HighLevel told it of grants and installations.
    Host,
    /// Whoever runs a command on the database itself, while no host has it open. The entry has the name that this person gives, and nobody
    /// vouches for it.
    CommandLine,
    /// Nobody who is known: the request showed no token, or none that counts.
    Unknown,
}

impl Actor {
    const ADMIN_TOKEN_FILE: &'static str = "admin-token-file";
    const HOST: &'static str = "the-host";
    const COMMAND_LINE: &'static str = "command-line";
    const UNKNOWN: &'static str = "-";

    /// As it is written in the log.
    pub fn as_str(&self) -> &str {
        match self {
            Self::AdminTokenFile => Self::ADMIN_TOKEN_FILE,
            Self::User(id) => id.as_str(),
            Self::Host => Self::HOST,
            Self::CommandLine => Self::COMMAND_LINE,
            Self::Unknown => Self::UNKNOWN,
        }
    }

    /// Whether a user may have this name.
    pub fn is_taken(name: &str) -> bool {
        [Self::ADMIN_TOKEN_FILE, Self::HOST, Self::COMMAND_LINE, Self::UNKNOWN].contains(&name)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for Actor {
    fn from(name: String) -> Self {
        match name.as_str() {
            Self::ADMIN_TOKEN_FILE => Self::AdminTokenFile,
            Self::HOST => Self::Host,
            Self::COMMAND_LINE => Self::CommandLine,
            Self::UNKNOWN => Self::Unknown,
            _ => Self::User(UserId::new(name)),
        }
    }
}

/// What an entry tells of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditPhase {
    /// A change begins. It is on record before anything of it is done.
    Begun,
    /// A change has ended, with its status.
    Ended,
    /// A change was refused, and nothing of it was done.
    Refused,
}

/// An entry to be appended. It holds names and numbers that the host or its admins made, and nothing of a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAudit {
    /// What it tells.
    pub phase: AuditPhase,
    /// The entry with which the change began, for its end.
    pub began: Option<i64>,
    /// Who asks.
    pub actor: Actor,
    /// With which token.
    pub token: Option<TokenId>,
    /// In which workspace; absent for the platform.
    pub workspace: Option<WorkspaceId>,
    /// The operation, by its id in the admin API.
    pub action: String,
    /// What it is done to: `connector=prefinery`.
    pub target: String,
    /// The answer's status, once there is one.
    pub status: Option<u16>,
    /// What else there is to say, in the host's own words.
    pub detail: String,
}

/// A hash of the chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuditHash(pub [u8; 32]);

impl AuditHash {
    /// What stands before the first entry.
    pub const BEGINNING: Self = Self([0; 32]);

    /// Reads 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditHash({self})")
    }
}

/// An entry as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place, counted from 1 without a gap.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub entry: NewAudit,
    /// The hash of the entry before it.
    pub previous: AuditHash,
    /// Its own.
    pub hash: AuditHash,
}

impl AuditRow {
    /// The entry that follows another.
    pub fn after(last: Option<(i64, AuditHash)>, at: Timestamp, entry: NewAudit) -> Self {
        let (seq, previous) = last.unwrap_or((0, AuditHash::BEGINNING));
        let mut row = Self { seq: seq + 1, at, entry, previous, hash: AuditHash::BEGINNING };
        row.hash = row.expected();
        row
    }

    /// The hash that its contents have: SHA-256 over the name of this layout, the hash before, and every column in order. Numbers are 8
    /// bytes, big endian; what is absent is one byte 0; a text is a byte 1, its length in bytes, and its bytes. So no two rows have the
    /// same bytes.
    pub fn expected(&self) -> AuditHash {
        let mut hash = Sha256::new();
        hash.update(b"contactor audit 1\n");
        hash.update(self.previous.0);
        let entry = &self.entry;
        let number = |hash: &mut Sha256, number: Option<i64>| match number {
            None => hash.update([0]),
            Some(number) => {
                hash.update([1]);
                hash.update(number.to_be_bytes());
            }
        };
        let text = |hash: &mut Sha256, text: Option<&str>| match text {
            None => hash.update([0]),
            Some(text) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text.as_bytes());
            }
        };
        number(&mut hash, Some(self.seq));
        number(&mut hash, Some(self.at.as_microsecond()));
        number(&mut hash, Some(entry.phase as i64));
        number(&mut hash, entry.began);
        text(&mut hash, Some(entry.actor.as_str()));
        text(&mut hash, entry.token.as_ref().map(TokenId::as_str));
        text(&mut hash, entry.workspace.as_ref().map(WorkspaceId::as_str));
        text(&mut hash, Some(&entry.action));
        text(&mut hash, Some(&entry.target));
        number(&mut hash, entry.status.map(i64::from));
        text(&mut hash, Some(&entry.detail));
        AuditHash(hash.finalize().into())
    }
}

/// Which changes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of these workspaces only.
    pub workspaces: Option<Vec<WorkspaceId>>,
    /// Of this actor only.
    pub actor: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before this entry.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// A change that was asked for: the entry with which it began or was refused, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedChange {
    /// The entry.
    pub row: AuditRow,
    /// When it ended; absent for what was refused, and for what the host did not see the end of.
    pub ended_at: Option<Timestamp>,
    /// The status of its answer.
    pub status: Option<u16>,
    /// What its end says.
    pub told: String,
}

/// What a look through the whole log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditVerdict {
    /// Entries that fit, from the first on.
    pub sound: u64,
    /// The last of them and its hash.
    pub head: Option<(i64, AuditHash)>,
    /// The first that does not fit, and why.
    pub broken: Option<(i64, String)>,
    /// The place of the hash that was asked for, if it is in the sound part.
    pub found: Option<i64>,
}

/// Follows a chain from its beginning.
#[derive(Debug)]
pub struct AuditCheck {
    verdict: AuditVerdict,
    wanted: Option<AuditHash>,
}

impl AuditCheck {
    /// Looks for `wanted` by the way.
    pub fn new(wanted: Option<AuditHash>) -> Self {
        let verdict = AuditVerdict { sound: 0, head: None, broken: None, found: None };
        Self { verdict, wanted }
    }

    /// Takes the next entry; answers whether the chain holds so far.
    pub fn take(&mut self, row: &AuditRow) -> bool {
        let (last, previous) = self.verdict.head.unwrap_or((0, AuditHash::BEGINNING));
        let wrong = if row.seq != last + 1 {
            Some(format!("it follows entry {last}, so that entry {} is missing", last + 1))
        } else if row.previous != previous {
            Some(format!("it does not continue entry {last}: one of the two was altered or replaced"))
        } else if row.expected() != row.hash {
            Some("its contents are not those that it was written with".to_owned())
        } else {
            None
        };
        if let Some(wrong) = wrong {
            self.verdict.broken = Some((row.seq, wrong));
            return false;
        }
        self.verdict.sound += 1;
        self.verdict.head = Some((row.seq, row.hash));
        if self.wanted == Some(row.hash) {
            self.verdict.found = Some(row.seq);
        }
        true
    }

    /// What cannot be read does not fit.
    pub fn unreadable(&mut self, why: &str) {
        let next = self.verdict.head.map_or(1, |(seq, _)| seq + 1);
        self.verdict.broken = Some((next, format!("it cannot be read: {why}")));
    }

    /// What was found.
    pub fn verdict(self) -> AuditVerdict {
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(number: i64) -> NewAudit {
        NewAudit {
            phase: AuditPhase::Ended,
            began: Some(number),
            actor: Actor::User(UserId::new("bob")),
            token: Some(TokenId::new("00ff")),
            workspace: Some(WorkspaceId::new("acme")),
            action: "connections.enable".to_owned(),
            target: "connector=prefinery".to_owned(),
            status: Some(200),
            detail: String::new(),
        }
    }

    fn chain(length: i64) -> Vec<AuditRow> {
        let mut rows: Vec<AuditRow> = Vec::new();
        for number in 0..length {
            let last = rows.last().map(|row| (row.seq, row.hash));
            rows.push(AuditRow::after(last, Timestamp::from_second(number).unwrap(), entry(number)));
        }
        rows
    }

    fn verdict(rows: &[AuditRow], wanted: Option<AuditHash>) -> AuditVerdict {
        let mut check = AuditCheck::new(wanted);
        let _ = rows.iter().all(|row| check.take(row));
        check.verdict()
    }

    type Alter = fn(&mut AuditRow);

    const ALTERATIONS: [Alter; 11] = [
        |row| row.at += jiff::SignedDuration::from_micros(1),
        |row| row.entry.phase = AuditPhase::Refused,
        |row| row.entry.began = None,
        |row| row.entry.actor = Actor::AdminTokenFile,
        |row| row.entry.token = None,
        |row| row.entry.workspace = Some(WorkspaceId::new("other")),
        |row| row.entry.action.push('x'),
        |row| row.entry.target.clear(),
        |row| row.entry.status = Some(403),
        |row| row.entry.detail.push('x'),
        |row| row.hash.0[31] ^= 1,
    ];

    #[test]
    fn an_untouched_chain_is_sound_and_its_head_is_found_again_when_it_has_grown() {
        assert_eq!(verdict(&[], None).head, None);
        let rows = chain(5);
        let three = verdict(&rows[..3], None);
        assert_eq!((three.sound, three.broken), (3, None));
        let head = three.head.unwrap().1;
        assert_eq!(verdict(&rows, Some(head)).found, Some(3));
        assert_eq!(verdict(&rows[..2], Some(head)).found, None, "the tail was cut off");
    }

    proptest! {
        #[test]
        fn whatever_is_altered_removed_or_exchanged_is_named(at in 0_usize..8, how in 0_usize..ALTERATIONS.len()) {
            let rows = chain(8);
            let mut altered = rows.clone();
            ALTERATIONS[how](&mut altered[at]);
            let broken = verdict(&altered, None).broken.unwrap().0;
            prop_assert_eq!(broken, rows[at].seq);
            // Somebody who computes its hash anew is found out by the next entry, unless there is none.
            altered[at].hash = altered[at].expected();
            let after = verdict(&altered, None).broken.map(|(seq, _)| seq);
            let same = altered[at].hash == rows[at].hash;
            prop_assert_eq!(after, rows.get(at + 1).filter(|_| !same).map(|row| row.seq));
            if at < 7 {
                let mut removed = rows.clone();
                removed.remove(at);
                prop_assert_eq!(verdict(&removed, None).broken.unwrap().0, rows[at].seq + 1);
            }
        }
    }

    #[test]
    fn whoever_is_written_down_is_read_again_and_no_user_is_taken_for_another() {
        for actor in [Actor::AdminTokenFile, Actor::Host, Actor::Unknown, Actor::User(UserId::new("bob"))] {
            assert_eq!(Actor::from(actor.to_string()), actor);
            assert_eq!(Actor::is_taken(actor.as_str()), !matches!(actor, Actor::User(_)), "{actor}");
        }
    }

    #[test]
    fn texts_that_are_moved_from_one_column_to_the_next_make_another_hash() {
        let row = |action: &str, target: &str| {
            let entry = NewAudit { action: action.to_owned(), target: target.to_owned(), ..entry(1) };
            AuditRow::after(None, Timestamp::UNIX_EPOCH, entry).hash
        };
        assert_ne!(row("ab", "c"), row("a", "bc"));
        let bare = NewAudit { token: None, ..entry(1) };
        let empty = NewAudit { token: Some(TokenId::new("")), ..entry(1) };
        let hash = |entry| AuditRow::after(None, Timestamp::UNIX_EPOCH, entry).hash;
        assert_ne!(hash(bare), hash(empty));
    }
}
