//! Who vouches for the components that this host runs.
//!
//! A component is looked at when it is installed and again at every load, on the bytes that are then compiled: what the database says
//! about it decides nothing. Whom the operator trusts is fixed when the host starts; so that is when connections whose component is
//! vouched for no more are stopped, visibly and with their events kept, and those that were stopped so go on when it is again.

mod config;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use contactor_manifest::Manifest;
use contactor_runtime::{Connector, Grants, LoadError, Origin};
use contactor_signature::{PublicKey, SignatureError, Signed};
use contactor_store::{Connection, ConnectionId, ConnectionState, Digest, StopCause};

pub use config::{ConnectorsConfig, IdPattern, PublisherConfig, Unsigned};

use crate::artefacts::Artefacts;
use crate::capabilities::Capabilities;
use crate::engine::Engine;
use crate::error::EngineError;

/// Who may vouch for a connector, as the operator says.
pub(crate) struct Publishers {
    config: ConnectorsConfig,
    /// What came of it, by digest, for showing it: the same bytes have the same signatures as long as this process lives. Of what is
    /// installed alone: whoever uploads something else leaves nothing here.
    known: Mutex<HashMap<Digest, Vouched>>,
}

/// Who vouches for a component: a publisher's name, or nobody where the operator allows that.
pub(crate) type Vouched = Result<Option<String>, Unvouched>;

/// What can be done so that somebody vouches.
const NEXT: &str = "sign it with `contactor connector sign`, with the key of a publisher under `[connectors.publishers]` of the host's \
                    configuration, or let the operator allow what nobody signs: `unsigned = \"allow\"` under `[connectors]`";

/// Why nobody vouches for a component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unvouched {
    /// A signature does not fit. Nothing allows that.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The operator refuses it, whoever signed it.
    #[error(
        "the operator refuses it: {digest} stands in `refuse` under `[connectors]` of the host's configuration; take another version, or \
         let the operator take it off the list"
    )]
    Refused {
        /// As it stands there: the digest of the file, or of what is signed in it.
        digest: contactor_runtime::Digest,
    },
    /// It has no signature.
    #[error("it is not signed; {}", NEXT)]
    Unsigned,
    /// Only strangers have signed it.
    #[error("it is signed by {keys}, and the configuration names no publisher of that key; {}", NEXT)]
    Stranger {
        /// Their keys.
        keys: String,
    },
    /// Those who have signed it may not sign for this connector.
    #[error("it is signed by {names}, whose `ids` do not cover `{id}`; {}", NEXT)]
    NotTheirs {
        /// The publishers.
        names: String,
        /// The connector's id.
        id: String,
    },
    /// The component is one of another connector than the database says.
    #[error("it is a component of `{actual}`, and the database has it as one of `{expected}`")]
    Another {
        /// By its manifest.
        actual: String,
        /// By the database.
        expected: String,
    },
}

impl Publishers {
    pub(crate) fn new(mut config: ConnectorsConfig, artefacts: &Artefacts) -> Result<Self, EngineError> {
        config.check()?;
        // One more signature makes another file of the same component. What is signed in those that are here is refused with them.
        let contents = |file: &contactor_runtime::Digest| {
            let bytes = artefacts.get(&Digest::new(file.to_string())).ok()?;
            Some(contactor_runtime::Digest::from(contactor_signature::read(&bytes).ok()?.digest))
        };
        let contents: Vec<_> = config.refuse.iter().filter_map(contents).collect();
        config.refuse.extend(contents);
        Ok(Self { config, known: Mutex::default() })
    }

    /// Who vouches for these bytes as a component of this connector.
    pub(crate) fn vouch(&self, id: &str, bytes: &[u8]) -> Vouched {
        vouch(&self.config, id, bytes)
    }

    /// What came of an installed component.
    pub(crate) fn remember(&self, digest: &Digest, vouched: Vouched) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone(), vouched);
    }

    fn remembered(&self, digest: &Digest) -> Option<Vouched> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }
}

/// Who vouches for these bytes as a component of this connector, by such a configuration.
///
/// # Errors
/// Nobody does, a signature does not fit, or the operator refuses them.
pub fn vouch(config: &ConnectorsConfig, id: &str, bytes: &[u8]) -> Result<Option<String>, Unvouched> {
    let Signed { digest, signers } = contactor_signature::read(bytes)?;
    let refused = |digest: contactor_runtime::Digest| config.refuse.contains(&digest).then_some(digest);
    if !config.refuse.is_empty()
        && let Some(digest) = refused(contactor_runtime::Digest::of(bytes)).or_else(|| refused(digest.into()))
    {
        return Err(Unvouched::Refused { digest });
    }
    let signed = |key: &PublicKey| signers.contains(key);
    let known: Vec<_> = config.publishers.iter().filter(|(_, publisher)| signed(&publisher.key)).collect();
    let may = |publisher: &PublisherConfig| {
        publisher.ids.as_ref().is_none_or(|ids| ids.iter().any(|pattern| pattern.covers(id)))
    };
    if let Some((name, _)) = known.iter().find(|(_, publisher)| may(publisher)) {
        return Ok(Some((*name).clone()));
    }
    if config.unsigned == Unsigned::Allow {
        return Ok(None);
    }
    let listed = |words: Vec<String>| words.join(" and ");
    Err(if signers.is_empty() {
        Unvouched::Unsigned
    } else if known.is_empty() {
        Unvouched::Stranger { keys: listed(signers.iter().map(PublicKey::to_string).collect()) }
    } else {
        let names = listed(known.iter().map(|(name, _)| format!("`{name}`")).collect());
        Unvouched::NotTheirs { names, id: id.to_owned() }
    })
}

impl Engine {
    /// Makes a component ready to be called, once everything about its bytes was checked and somebody vouches for them; answers who.
    /// Nothing is compiled before.
    ///
    /// # Errors
    /// The runtime refuses the component, or nobody vouches for it.
    pub(crate) async fn load_component(
        &self,
        bytes: Vec<u8>,
        digest: &contactor_runtime::Digest,
        grants: &Grants,
        origin: Origin,
    ) -> Result<(Connector<Capabilities>, Option<String>), EngineError> {
        let (inspection, bytes) = self.runtime().approve(bytes, digest, grants).await?;
        let id = inspection.manifest.connector.id.to_string();
        let (vouched, bytes) =
            self.aside(move |engine| (engine.publishers().vouch(&id, &bytes), bytes)).await?;
        let publisher = vouched.map_err(|why| EngineError::Unvouched {
            connector: inspection.manifest.connector.id.to_string(),
            why,
        })?;
        Ok((self.runtime().load_from(origin, bytes, digest, grants).await?, publisher))
    }

    /// Reads megabytes of a component where nobody waits for it.
    ///
    /// # Errors
    /// It panicked, which is a defect of the host.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let engine = self.clone();
        self.runtime().aside(move || read(&engine)).await.map_err(|fault| {
            EngineError::Component(LoadError::Host { connector: "a component".to_owned(), fault })
        })
    }

    /// The same for what lies in the artefact directory as a component of this connector.
    fn vouched_in_store(&self, connector: &str, digest: &Digest) -> Result<Option<String>, EngineError> {
        let bytes = self.artefacts().get(digest)?;
        let manifest = crate::catalogue::read_manifest(&bytes)?;
        is_of(connector, &manifest)?;
        let vouched = self.publishers().vouch(connector, &bytes);
        self.publishers().remember(digest, vouched.clone());
        vouched.map_err(|why| EngineError::Unvouched { connector: connector.to_owned(), why })
    }

    /// Why this host would not load an installed component now, for showing it.
    pub(crate) fn refused_now(&self, connector: &str, digest: &Digest) -> Option<String> {
        if let Some(known) = self.publishers().remembered(digest) {
            return known.err().map(|why| why.to_string());
        }
        match self.vouched_in_store(connector, digest) {
            Ok(_) => None,
            Err(EngineError::Unvouched { why, .. }) => Some(why.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Stops the connections whose component nobody vouches for any more, and lets those go on that were stopped so and are vouched for
    /// again. What cannot be read is left to the load.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn hold_to_publishers(&self) -> Result<(), EngineError> {
        let mut known: HashMap<(String, Digest), Option<Result<(), String>>> = HashMap::new();
        for connection in self.store().connections(None).await? {
            let stopped = connection.state == ConnectionState::Paused
                && connection.stop_cause == Some(StopCause::Unvouched);
            if connection.state != ConnectionState::Enabled && !stopped {
                continue;
            }
            let Connection { id, connector, digest, .. } = connection;
            let found = known.entry((connector.clone(), digest.clone())).or_insert_with(|| {
                match self.vouched_in_store(&connector, &digest) {
                    Ok(_) => Some(Ok(())),
                    Err(error @ EngineError::Unvouched { .. }) => Some(Err(error.to_string())),
                    Err(_) => None,
                }
            });
            match found {
                Some(Err(reason)) if !stopped => self.stop_unvouched(&id, reason).await,
                Some(Ok(())) if stopped => {
                    let (from, to) = (ConnectionState::Paused, ConnectionState::Enabled);
                    if self.store().exchange_connection_state(&id, from, to, None, None).await? {
                        self.forget(&id);
                        tracing::info!(connection = %id, "goes on: a publisher vouches for its component again");
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Stops a connection whose component nobody vouches for. What comes for it is kept.
    pub(crate) async fn stop_unvouched(&self, id: &ConnectionId, reason: &str) {
        let (from, to) = (ConnectionState::Enabled, ConnectionState::Paused);
        let (reason, cause) = (Some(reason.to_owned()), Some(StopCause::Unvouched));
        tracing::error!(connection = %id, reason, "stopped: nobody vouches for its component");
        if let Err(error) = self.store().exchange_connection_state(id, from, to, reason, cause).await {
            tracing::error!(connection = %id, %error, "the connection could not be stopped");
        }
        self.forget(id);
    }
}

/// A component of another connector than the database says is not run: a publisher of one connector would vouch for what runs as another.
pub(crate) fn is_of(connector: &str, manifest: &Manifest) -> Result<(), EngineError> {
    let actual = manifest.connector.id.as_str();
    if actual == connector {
        return Ok(());
    }
    let why = Unvouched::Another { actual: actual.to_owned(), expected: connector.to_owned() };
    Err(EngineError::Unvouched { connector: connector.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use contactor_signature::{SecretKey, sign};

    use super::*;

    /// A component with nothing but a manifest: enough to be signed.
    fn component() -> Vec<u8> {
        contactor_manifest::embed(b"\0asm\x0d\0\x01\0", "").unwrap()
    }

    fn digest(bytes: &[u8]) -> Digest {
        Digest::new(contactor_runtime::Digest::of(bytes).to_string())
    }

    fn nothing_installed() -> (tempfile::TempDir, Artefacts) {
        let root = tempfile::tempdir().unwrap();
        let dir = cap_std::fs::Dir::open_ambient_dir(root.path(), cap_std::ambient_authority()).unwrap();
        (root, Artefacts::new(dir))
    }

    struct Stage {
        keys: [SecretKey; 3],
    }

    impl Stage {
        fn new() -> Self {
            Self { keys: [(); 3].map(|()| SecretKey::generate().unwrap()) }
        }

        /// `house` may sign everything, `acme` what begins with `acme-`; the third key is a stranger's.
        fn config(&self, unsigned: Unsigned) -> ConnectorsConfig {
            let publisher = |key: &SecretKey, ids| PublisherConfig { key: key.public(), ids };
            let acme = IdPattern::try_from("acme-*".to_owned()).unwrap();
            ConnectorsConfig {
                unsigned,
                publishers: [
                    ("house".to_owned(), publisher(&self.keys[0], None)),
                    ("acme".to_owned(), publisher(&self.keys[1], Some(vec![acme]))),
                ]
                .into(),
                ..ConnectorsConfig::default()
            }
        }

        fn signed(&self, by: &[usize]) -> Vec<u8> {
            by.iter().fold(component(), |bytes, key| sign(&bytes, &self.keys[*key]).unwrap())
        }

        fn vouch(&self, unsigned: Unsigned, id: &str, by: &[usize]) -> Vouched {
            vouch(&self.config(unsigned), id, &self.signed(by))
        }
    }

    #[test]
    fn whoever_may_sign_for_the_connector_vouches() {
        let stage = Stage::new();
        let by = |id, keys: &[usize]| stage.vouch(Unsigned::Refuse, id, keys).unwrap().unwrap();
        assert_eq!(by("other", &[0]), "house");
        assert_eq!(by("acme-crm", &[1]), "acme");
        assert_eq!(by("acme-crm", &[2, 1]), "acme", "a stranger's signature beside it does no harm");
        assert_eq!(by("other", &[1, 0]), "house", "the one who may counts");
    }

    #[test]
    fn what_nobody_vouches_for_is_refused_with_whoever_signed_it_and_what_to_do() {
        let stage = Stage::new();
        let refused = |id, keys: &[usize]| stage.vouch(Unsigned::Refuse, id, keys).unwrap_err().to_string();
        let stranger = stage.keys[2].public().to_string();
        for (words, why) in [
            ("not signed", refused("acme-crm", &[])),
            (stranger.as_str(), refused("acme-crm", &[2])),
            ("`acme`, whose `ids` do not cover `other`", refused("other", &[1])),
        ] {
            assert!(why.contains(words) && why.contains("contactor connector sign"), "{why}");
            assert!(why.contains("unsigned = \"allow\""), "{why}");
        }
    }

    #[test]
    fn what_the_operator_refuses_is_refused_whoever_signed_it_and_however_often() {
        let stage = Stage::new();
        let (signed, twice) = (stage.signed(&[0]), stage.signed(&[0, 2]));
        let contents: contactor_runtime::Digest = contactor_signature::read(&signed).unwrap().digest.into();
        let of_file = contactor_runtime::Digest::of(&signed);
        assert_eq!(
            contents,
            contactor_runtime::Digest::of(&component()),
            "that of the file before it was signed"
        );
        let vouch = |refused: contactor_runtime::Digest, bytes: &[u8]| {
            let refuse = BTreeSet::from([refused]);
            vouch(&ConnectorsConfig { refuse, ..stage.config(Unsigned::Allow) }, "other", bytes)
        };
        assert_eq!(vouch(of_file, &signed), Err(Unvouched::Refused { digest: of_file }));
        assert_eq!(vouch(of_file, &twice), Ok(Some("house".to_owned())), "another file");
        for bytes in [component(), signed, twice] {
            let refused = vouch(contents, &bytes).unwrap_err();
            assert_eq!(refused, Unvouched::Refused { digest: contents });
            assert!(
                refused.to_string().contains(&contents.to_string())
                    && refused.to_string().contains("`refuse`")
            );
        }
    }

    #[test]
    fn a_file_that_is_refused_and_lies_here_is_refused_under_every_further_signature() {
        let (stage, (_dir, artefacts)) = (Stage::new(), nothing_installed());
        let signed = stage.signed(&[0]);
        artefacts.put(&digest(&signed), &signed).unwrap();
        let refuse = BTreeSet::from([contactor_runtime::Digest::of(&signed)]);
        let config = ConnectorsConfig { refuse, ..stage.config(Unsigned::Refuse) };
        let publishers = Publishers::new(config, &artefacts).unwrap();
        for keys in [&[0][..], &[0, 2], &[1, 0]] {
            let vouched = publishers.vouch("other", &stage.signed(keys));
            assert!(matches!(vouched, Err(Unvouched::Refused { .. })), "{keys:?}: {vouched:?}");
        }
    }

    #[test]
    fn a_component_that_is_only_looked_at_is_not_remembered() {
        let (stage, (_dir, artefacts)) = (Stage::new(), nothing_installed());
        let publishers = Publishers::new(stage.config(Unsigned::Refuse), &artefacts).unwrap();
        for keys in [&[][..], &[0], &[2]] {
            let bytes = stage.signed(keys);
            let (digest, vouched) = (digest(&bytes), publishers.vouch("other", &bytes));
            assert_eq!(publishers.remembered(&digest), None, "{keys:?}");
            publishers.remember(&digest, vouched.clone());
            assert_eq!(publishers.remembered(&digest), Some(vouched));
        }
    }

    #[test]
    fn an_operator_may_allow_what_nobody_signed_and_never_what_was_changed() {
        let stage = Stage::new();
        for keys in [&[][..], &[2], &[1]] {
            assert_eq!(stage.vouch(Unsigned::Allow, "other", keys), Ok(None), "{keys:?}");
        }
        assert_eq!(stage.vouch(Unsigned::Allow, "other", &[0]), Ok(Some("house".to_owned())));
        let mut changed = stage.signed(&[2]);
        let last = changed.len() - 1;
        changed[last] ^= 1;
        let wrong = Err(Unvouched::Signature(SignatureError::Wrong(stage.keys[2].public())));
        assert_eq!(vouch(&stage.config(Unsigned::Allow), "other", &changed), wrong);
    }
}
