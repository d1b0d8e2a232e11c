"""Tests of MAPI over HTTP."""
