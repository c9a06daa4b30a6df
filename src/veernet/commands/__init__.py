"""The subcommands of `veernet`: small dataclasses whose fields are their options."""
