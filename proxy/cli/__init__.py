"""The commands `llm gpt-oss serve`, `explore`, `keys` and `logs`."""
