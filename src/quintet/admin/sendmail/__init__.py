"""The sendmail-compatible command: its options, what it reads, and how it hands mail over."""
