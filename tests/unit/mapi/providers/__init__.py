"""Tests of the providers; `conformance` is what each of them has to pass."""
