-- Of the token in a webhook's address its SHA-256 is kept here; the token itself is sealed as a credential of the connection. SQL can do
-- neither: `schema.rs` hashes what stands here in the same transaction, and the host seals what waits in the table when it starts.
ALTER TABLE connections RENAME COLUMN webhook_token TO webhook_hash;
CREATE TABLE unsealed_webhooks (
    connection INTEGER PRIMARY KEY REFERENCES connections (pk),
    token TEXT NOT NULL
) STRICT;
INSERT INTO unsealed_webhooks (connection, token) SELECT pk, webhook_hash FROM connections;
