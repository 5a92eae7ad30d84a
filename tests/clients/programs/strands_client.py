import asyncio
import os
import sys

from pydantic import BaseModel
from strands import Agent, tool
from strands.models.openai import OpenAIModel


class Dog(BaseModel):
    name: str
    age: int


@tool
def get_weather(city: str) -> str:
    "The weather in a city"
    return f"Sunny in {city}"


model = OpenAIModel(
    client_args={"api_key": "any", "base_url": os.environ["OPENAI_BASE_URL"]}, model_id="gpt-oss"
)
question = "What is the capital of Peru?"


async def stream() -> None:
    async for event in Agent(model=model, callback_handler=None).stream_async(question):
        print(event.get("data", ""), end="")


match sys.argv[1]:
    case "plain":
        print(Agent(model=model, callback_handler=None)(question))
    case "stream":
        asyncio.run(stream())
    case "tools":
        agent = Agent(model=model, tools=[get_weather], callback_handler=None)
        print(agent("What is the weather in Oslo?"))
    case "structured":
        agent = Agent(model=model, callback_handler=None)
        dog = agent("Invent a dog", structured_output_model=Dog).structured_output
        print(dog.name, dog.age)
    case "reasoning":
        message = Agent(model=model, callback_handler=None)(question).message
        blocks = [block["reasoningContent"] for block in message["content"] if "reasoningContent" in block]
        print(blocks[0]["reasoningText"]["text"])
