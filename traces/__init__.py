"""Bundled live traces, one YAML file each; ``README.md`` describes the schema."""
