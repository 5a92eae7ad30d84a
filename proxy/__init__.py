"""OpenAI's endpoints over the plugin and its log."""
