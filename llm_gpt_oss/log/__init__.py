"How turns get into llm's log and are kept until then: what `llm prompt`, `llm chat` and the server share."
