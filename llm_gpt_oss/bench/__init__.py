"Measures how fast a model answers on this machine, for `llm gpt-oss bench`."
