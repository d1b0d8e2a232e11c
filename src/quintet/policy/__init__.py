"""Rules about mail: how much may come, and what an administrator's own program says.

Nothing here knows a protocol; `delivery` asks, and turns answers into the words of its own.
"""
