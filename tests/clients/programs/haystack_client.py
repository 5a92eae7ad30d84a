import sys
from typing import Annotated

from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


@tool
def get_weather(city: Annotated[str, "The city"]) -> str:
    "The weather in a city"
    return f"Sunny in {city}"


question = [ChatMessage.from_user("What is the capital of Peru?")]

match sys.argv[1]:
    case "plain":
        print(OpenAIChatGenerator(model="gpt-oss").run(question)["replies"][0].text)
    case "stream":
        generator = OpenAIChatGenerator(
            model="gpt-oss", streaming_callback=lambda chunk: print(chunk.content, end="")
        )
        generator.run(question)
    case "tools":
        agent = Agent(chat_generator=OpenAIChatGenerator(model="gpt-oss"), tools=[get_weather])
        print(agent.run([ChatMessage.from_user("What is the weather in Oslo?")])["last_message"].text)
    case "structured":
        generator = OpenAIChatGenerator(model="gpt-oss", generation_kwargs={"response_format": Dog})
        reply = generator.run([ChatMessage.from_user("Invent a dog")])["replies"][0]
        dog = Dog.model_validate_json(reply.text)
        print(dog.name, dog.age)
