//! Messages by mail.

use std::net::IpAddr;
use std::time::Duration;

use contactor_store::Destination;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Content, NotificationConfig, Undelivered};
use crate::outbound::{Failed, Outbound};
use crate::partner::{Redactor, SHORTEST_KEPT};

/// How long a mail server may take for one command.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The mail server that messages leave by.
#[derive(Clone, Debug)]
pub struct SmtpConfig {
    /// Its name.
    pub server: String,
    /// Its port: 465 with TLS from the beginning, 587 with STARTTLS.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Who sends; without a user nothing is authenticated.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<SecretString>,
    /// The sender's address: `Contactor <contactor@example.com>`.
    pub from: String,
}

/// How a connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmtpTls {
    /// TLS from the first byte.
    #[default]
    Implicit,
    /// Plain at first, then TLS; a server that does not offer it is not used.
    Starttls,
    /// Not at all: for a server on this machine only.
    None,
}

impl SmtpConfig {
    /// Says what is wrong with the settings.
    ///
    /// # Errors
    /// In words for the operator.
    pub fn check(&self) -> Result<(), String> {
        if self.server.is_empty() {
            return Err("smtp.server is missing".to_owned());
        }
        self.sender()?;
        if self.user.is_some() != self.password.is_some() {
            return Err("smtp.user and smtp.password-file belong together".to_owned());
        }
        let local = ["localhost", "127.0.0.1", "::1"].contains(&self.server.as_str());
        if self.tls == SmtpTls::None && !local {
            return Err("smtp.tls is none, which is for a server on this machine only".to_owned());
        }
        Ok(())
    }

    fn sender(&self) -> Result<Mailbox, String> {
        self.from.parse().map_err(|error| format!("smtp.from `{}`: {error}", self.from))
    }

    /// What happened, in the server's own words if it said any: it may repeat what it was sent.
    fn shown(&self, error: &lettre::transport::smtp::Error) -> String {
        Redactor::new(&self.password, SHORTEST_KEPT).text(error.to_string())
    }

    /// The way to one address of the server; its certificate has to be for the server's name.
    fn transport(&self, address: IpAddr) -> Result<AsyncSmtpTransport<Tokio1Executor>, Undelivered> {
        let never = |error: lettre::transport::smtp::Error| Undelivered::Never(format!("TLS: {error}"));
        let tls = || TlsParameters::new(self.server.clone()).map_err(never);
        let tls = match self.tls {
            SmtpTls::Implicit => Tls::Wrapper(tls()?),
            SmtpTls::Starttls => Tls::Required(tls()?),
            SmtpTls::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.to_string())
            .port(self.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            transport =
                transport.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(transport.build())
    }
}

/// Whether every address of a destination is one.
pub(super) fn check(target: &serde_json::Value) -> Result<(), String> {
    recipients(target).map(drop)
}

/// The addresses of a destination.
fn recipients(target: &serde_json::Value) -> Result<Vec<Mailbox>, String> {
    let to = target["to"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    to.map(|address| address.parse().map_err(|error| format!("`{address}` is no address: {error}"))).collect()
}

pub(super) async fn send(
    out: &Outbound,
    config: &NotificationConfig,
    destination: &Destination,
    id: &str,
    content: &Content,
) -> Result<(), Undelivered> {
    let smtp = config.smtp.as_ref().ok_or_else(|| {
        Undelivered::Never("no mail server is set up: the configuration has no section `smtp`".to_owned())
    })?;
    let mail = mail(smtp, destination, id, content).map_err(Undelivered::Never)?;
    let mut last = None;
    // The server is looked up here and nowhere else: what is connected to is what was checked.
    for address in out.addresses(&smtp.server).await.map_err(unreached)? {
        match smtp.transport(address)?.send(mail.clone()).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_permanent() => {
                let words = smtp.shown(&error);
                return Err(Undelivered::Never(format!("refused by the mail server: {words}")));
            }
            // It was there, and another address of it would say the same.
            Err(error) if error.is_transient() => return Err(later(smtp, &error)),
            Err(error) => last = Some(error),
        }
    }
    let nowhere = || Undelivered::later("the mail server has no address");
    Err(last.map_or_else(nowhere, |error| later(smtp, &error)))
}

fn later(smtp: &SmtpConfig, error: &lettre::transport::smtp::Error) -> Undelivered {
    Undelivered::later(format!("the mail server: {}", smtp.shown(error)))
}

fn unreached(failed: Failed) -> Undelivered {
    match failed {
        Failed::Closed(closed) => Undelivered::Closed(format!("the mail server: {closed}")),
        failed => Undelivered::later(format!("the mail server: {failed}")),
    }
}

fn mail(
    smtp: &SmtpConfig,
    destination: &Destination,
    id: &str,
    content: &Content,
) -> Result<Message, String> {
    let sender = smtp.sender()?;
    let domain = sender.email.domain().to_owned();
    let mut mail = Message::builder()
        .from(sender)
        // The same at every attempt, so that a mailbox can tell a repetition.
        .message_id(Some(format!("<{id}@{domain}>")))
        .subject(&content.title)
        .header(ContentType::TEXT_PLAIN);
    for recipient in recipients(&destination.target)? {
        mail = mail.to(recipient);
    }
    let text = if content.text.is_empty() { &content.title } else { &content.text };
    mail.body(text.clone()).map_err(|error| format!("the mail cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use contactor_store::{DestinationKind, WorkspaceId};
    use serde_json::json;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::outbound::OutboundConfig;

    /// Takes one mail as a mail server would; `answer` is what it says to the recipient.
    async fn server(answer: &'static str) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            let mut heard = Vec::new();
            let mut in_data = false;
            write.write_all(b"220 test\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                heard.push(line.clone());
                let reply = match line.as_str() {
                    "." => {
                        in_data = false;
                        "250 taken"
                    }
                    _ if in_data => continue,
                    "DATA" => {
                        in_data = true;
                        "354 go on"
                    }
                    "QUIT" => "221 bye",
                    text if text.starts_with("RCPT") => answer,
                    _ => "250 ok",
                };
                if write.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() || line == "QUIT" {
                    break;
                }
            }
            heard
        });
        (port, served)
    }

    fn config(port: u16) -> NotificationConfig {
        let smtp = SmtpConfig {
            server: "127.0.0.1".to_owned(),
            port,
            tls: SmtpTls::None,
            user: None,
            password: None,
            from: "Contactor <contactor@example.com>".to_owned(),
        };
        NotificationConfig { smtp: Some(smtp) }
    }

    /// Sends the one mail; the server is on this machine.
    async fn send_by(config: &NotificationConfig) -> Result<(), Undelivered> {
        let out = Outbound::new(OutboundConfig::default().with_this_machine()).unwrap();
        send(&out, config, &destination(), "msg_1", &content()).await
    }

    fn destination() -> Destination {
        Destination {
            workspace: WorkspaceId::new("acme"),
            name: "team".to_owned(),
            kind: DestinationKind::Email,
            target: json!({ "to": ["ada@example.com", "Bob <bob@example.com>"] }),
            stopped: None,
            created_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn content() -> Content {
        Content {
            kind: "task.completed".to_owned(),
            title: "Call Zoë".to_owned(),
            text: "Done.\n.\nReally.".to_owned(),
            data: serde_json::Map::new(),
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn a_mail_reaches_every_recipient_with_its_subject_text_and_id() {
        let (port, served) = server("250 ok").await;
        send_by(&config(port)).await.unwrap();
        let heard = served.await.unwrap();
        let has = |start: &str| heard.iter().any(|line| line.starts_with(start));
        assert!(has("MAIL FROM:<contactor@example.com>"), "{heard:?}");
        assert!(has("RCPT TO:<ada@example.com>") && has("RCPT TO:<bob@example.com>"), "{heard:?}");
        assert!(has("Message-ID: <msg_1@example.com>") && has("Subject: "), "{heard:?}");
        assert!(has("Really.") && has(".."), "a dot of the text does not end the mail: {heard:?}");
    }

    #[tokio::test]
    async fn a_refusal_for_good_is_not_repeated_and_one_for_now_is() {
        let (port, _served) = server("550 no such mailbox").await;
        let refused = send_by(&config(port)).await;
        assert!(matches!(&refused, Err(Undelivered::Never(why)) if why.contains("550")), "{refused:?}");
        let (port, _served) = server("451 later").await;
        let refused = send_by(&config(port)).await;
        assert!(matches!(refused, Err(Undelivered::Later { .. })), "{refused:?}");
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let refused = send_by(&config(nobody)).await;
        assert!(matches!(refused, Err(Undelivered::Later { .. })), "{refused:?}");
    }

    #[tokio::test]
    async fn a_mail_server_on_this_machine_is_spoken_with_only_if_that_is_open() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = config(listener.local_addr().unwrap().port());
        let out = Outbound::new(OutboundConfig::default()).unwrap();
        let refused = send(&out, &config, &destination(), "msg_1", &content()).await;
        let Err(Undelivered::Closed(why)) = &refused else { panic!("{refused:?}") };
        assert!(why.contains("127.0.0.1") && why.contains("allow = [\"127.0.0.1/32\"]"), "{why}");
        assert!(futures_util::FutureExt::now_or_never(listener.accept()).is_none(), "nobody came");
    }

    #[test]
    fn a_title_cannot_add_headers() {
        let content = Content { title: "Hi\r\nBcc: eve@example.com".to_owned(), ..content() };
        let smtp = config(25).smtp.unwrap();
        let mail = mail(&smtp, &destination(), "msg_1", &content).unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        assert!(!text.contains("\r\nBcc:"), "{text}");
    }

    #[test]
    fn settings_that_would_send_a_password_in_the_clear_are_refused() {
        let good = config(25).smtp.unwrap();
        assert_eq!(good.check(), Ok(()));
        let far = SmtpConfig { server: "mail.example.com".to_owned(), ..good.clone() };
        assert!(far.check().is_err());
        assert_eq!(SmtpConfig { tls: SmtpTls::Starttls, ..far }.check(), Ok(()));
        assert!(SmtpConfig { user: Some("u".to_owned()), ..good.clone() }.check().is_err());
        assert!(SmtpConfig { from: "nobody".to_owned(), ..good }.check().is_err());
    }
}
