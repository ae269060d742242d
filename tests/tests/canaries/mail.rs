//! A mail server that takes a password, writes down what it hears, and repeats it in its refusals.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The server. It refuses the first login.
#[derive(Clone, Default)]
pub(crate) struct Mail {
    heard: Arc<Mutex<Vec<String>>>,
}

impl Mail {
    /// Starts it; answers its port.
    pub(crate) async fn start() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mail = Self::default();
        let server = mail.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { server.talk(stream).await });
            }
        });
        (mail, port)
    }

    /// Everything that was said to it.
    pub(crate) fn heard(&self) -> String {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    async fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut in_data = false;
        write.write_all(b"220 mail.example\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let logins = self.heard().matches("AUTH ").count();
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
            let answer = match line.as_str() {
                "." => {
                    in_data = false;
                    "250 taken".to_owned()
                }
                _ if in_data => continue,
                "DATA" => {
                    in_data = true;
                    "354 go on".to_owned()
                }
                "QUIT" => "221 bye".to_owned(),
                text if text.starts_with("EHLO") => "250-mail.example\r\n250 AUTH PLAIN".to_owned(),
                text if text.starts_with("AUTH") && logins == 0 => format!("535 refused: {text}"),
                text if text.starts_with("AUTH") => "235 welcome".to_owned(),
                _ => "250 ok".to_owned(),
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
            if line == "QUIT" {
                break;
            }
        }
        Ok(())
    }
}
