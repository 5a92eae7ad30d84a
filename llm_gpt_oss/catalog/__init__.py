"""Which models llm gets from this plugin, and which engine each runs on."""
