"""The typed configuration: one dataclass a section, one file for the loader.

`field` says what an option is; the sections stand in files of their own (`smtp`, `imap`...).
"""
