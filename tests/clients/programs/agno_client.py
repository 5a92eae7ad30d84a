import os
import sys

from agno.agent import Agent
from agno.models.openai.like import OpenAILike
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


def get_weather(city: str) -> str:
    "The weather in a city"
    return f"Sunny in {city}"


model = OpenAILike(id="gpt-oss", api_key="any", base_url=os.environ["OPENAI_BASE_URL"])
question = "What is the capital of Peru?"

match sys.argv[1]:
    case "plain":
        print(Agent(model=model, telemetry=False).run(question).content)
    case "stream":
        for event in Agent(model=model, telemetry=False).run(question, stream=True):
            print(getattr(event, "content", None) or "", end="")
    case "tools":
        agent = Agent(model=model, tools=[get_weather], telemetry=False)
        print(agent.run("What is the weather in Oslo?").content)
    case "structured":
        dog = Agent(model=model, output_schema=Dog, telemetry=False).run("Invent a dog").content
        print(dog.name, dog.age)
    case "reasoning":
        print(Agent(model=model, telemetry=False).run(question).reasoning_content)
