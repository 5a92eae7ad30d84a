"Writes turns to llm's log, and keeps them until then. `llm prompt`, `llm chat` and the server share this."
