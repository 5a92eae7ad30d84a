"""One turn, from llm's prompt to llm's events: pure code, and the two loops that run it on an engine."""
