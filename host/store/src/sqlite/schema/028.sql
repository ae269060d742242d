-- Who vouched for a component when it was installed; for showing it, the signature in the component is what counts.
ALTER TABLE connectors ADD COLUMN publisher TEXT;
