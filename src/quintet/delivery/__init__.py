"""The way of a message, whatever protocol it came by: in, completed, out, and the reports about it."""
