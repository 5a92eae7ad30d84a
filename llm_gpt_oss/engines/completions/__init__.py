"Servers that complete text as OpenAI's first API did: vLLM above all."
