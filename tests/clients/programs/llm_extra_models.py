import os
import sys
from pathlib import Path

import llm
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


def get_weather(city: str) -> str:
    "The weather in a city"
    return f"Sunny in {city}"


Path(llm.user_dir(), "extra-openai-models.yaml").write_text(f"""
- model_id: local
  model_name: gpt-oss
  api_base: {os.environ["OPENAI_BASE_URL"]}
  responses: true
  reasoning: true
  supports_tools: true
  supports_schema: true
""")
model = llm.get_model("local")
question = "What is the capital of Peru?"

match sys.argv[1]:
    case "plain":
        print(model.prompt(question, stream=False).text())
    case "stream":
        for text in model.prompt(question, stream=True):
            print(text, end="")
    case "tools":
        print(model.chain("What is the weather in Oslo?", tools=[get_weather]).text())
    case "structured":
        dog = Dog.model_validate_json(model.prompt("Invent a dog", schema=Dog).text())
        print(dog.name, dog.age)
    case "reasoning":
        for event in model.prompt(question).stream_events():
            if event.type == "reasoning":
                print(event.chunk, end="")
