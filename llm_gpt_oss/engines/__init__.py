"""The places where text can be completed."""
