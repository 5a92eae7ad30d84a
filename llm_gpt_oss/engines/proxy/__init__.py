"A server of this project, `llm gpt-oss serve`, as an engine: usually one on another machine."
