"Datasette on the log: the pages under `/logs`, and `llm gpt-oss explore`. Only they import Datasette."
