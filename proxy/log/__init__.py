"""llm's log: written, read, and searched."""
