"""Tests of Extended MAPI, over the messaging system in memory."""
