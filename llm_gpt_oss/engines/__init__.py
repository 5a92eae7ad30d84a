"""The engines, which complete text."""
