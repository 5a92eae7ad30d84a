"Views in llm's log, for people who write SQL."
