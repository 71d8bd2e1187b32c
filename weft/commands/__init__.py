"""The CLI's commands, one noun a module; `weft.cli` mounts them when they are called for."""
