"""Benchmarks: the generator, the peers and the runner (`make bench`)."""
