"""One file a family of commands; `session` holds the table of who answers what."""
