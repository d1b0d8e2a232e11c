"""Bytes, time and waiting: listeners, streams, TLS, and the one driver of all line protocols."""
