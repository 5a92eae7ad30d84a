"""A server with OpenAI's API for the plugin's models and llm's log."""
