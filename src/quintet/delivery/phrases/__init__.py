"""What reports say to people: one TOML file a language, named by its tag, all with the keys of ``en.toml``."""
