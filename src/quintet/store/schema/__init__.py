"""The tables, as numbered SQL files that `store.migrate` applies in order."""
