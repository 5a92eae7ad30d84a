"""The harmony format, and nothing else: no llm, no HTTP."""
