"""Tests of remote operations."""
