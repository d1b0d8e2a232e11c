"""INN's configuration read as ours: what its files in pathetc say becomes a quintet.toml.

Each file's own module makes blocks of `config` of it, and notes about what has no counterpart here; `whole`
puts them together.  Pure but for the reading of files.
"""
