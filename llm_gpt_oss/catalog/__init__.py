"The catalog of models: which ones LLM gets from this plugin, and which engine runs each."
