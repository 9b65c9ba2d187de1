"""The presets that come with this package, a TOML file each, and the schema that they keep to."""
