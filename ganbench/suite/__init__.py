"""What to compare: a TOML file, checked, and expanded into trials with their ids."""
