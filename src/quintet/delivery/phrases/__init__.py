"""What reports say to people: a TOML file a language, named by its tag, all with the keys of ``en.toml``."""
