"""The commands `llm gpt-oss serve`, `keys` and `logs`."""
